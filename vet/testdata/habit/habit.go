// Package habit uses timers as if they were those of package time.
package habit

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel"
)

func spins(t timerwheel.Timer) {
	for !t.Stop() { // want `this loop may not end: Stop returns false for ever once the timer is not pending. To wait for the handler, use DelSync`
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
		<-c // want `this receive follows a Stop that returned false: a Timer has no channel to drain, and the receive waits for ever if the timer had been stopped before. To wait for the handler, use DelSync`
	}
	if !t.Stop() {
		select {
		case <-c: // want `this receive follows a Stop`
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
