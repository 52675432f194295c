package intests

import (
	"sync"
	"testing"

	"github.com/seed76848005/timerwheel"
)

func TestWrong(t *testing.T) {
	w, _ := timerwheel.New(timerwheel.Options{})
	var mu sync.Mutex
	tm := w.Alloc(func(timerwheel.Timer) { mu.Lock(); mu.Unlock() })
	mu.Lock()
	tm.DelSync()
	mu.Unlock()
	w.Alloc(func(timerwheel.Timer) {}) // ends with the wheel of the test
}
