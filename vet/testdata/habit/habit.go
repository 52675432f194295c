// Package habit treats timers as if they were time's. // want package:"functions"
package habit

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel"
)

func spins(t timerwheel.Timer) {
	for !t.Stop() { // want `this loop may not end: Stop is false for ever once the timer is not pending. DelSync waits for the handler`
	}
	for !t.Stop() { // want `this loop may not end`
		runtime.Gosched()
	}
	for !t.Stop() {
		t.Reset(time.Second)
	}
	for t.Stop() {
	}
	for tries := 0; !t.Stop() && tries < 3; tries++ {
	}
}

func drains(t timerwheel.Timer, c chan time.Time) {
	if !t.Stop() {
		<-c // want `Stop was false, and this waits for a channel: nothing is to be drained here`
	}
	if !t.Stop() {
		select {
		case <-c: // want `Stop was false`
		default:
		}
	}
	if t.Stop() {
		<-c
	}
	if !t.Stop() {
		t.DelSync()
	}
}

func ofTime(t *time.Timer) {
	if !t.Stop() {
		<-t.C
	}
	for !t.Stop() {
	}
}
