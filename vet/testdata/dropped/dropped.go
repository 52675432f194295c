// Package dropped makes timers and drops their handles. // want package:"handlers"
package dropped

import (
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

func dropped(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	w.Alloc(f)            // want `the Timer that Alloc returns is dropped: it can be neither armed nor freed`
	_ = w.Alloc(f)        // want `the Timer that Alloc returns is dropped`
	w.NewGroup().Alloc(f) // want `the Timer that Alloc returns is dropped`
	var mu sync.Mutex
	w.AllocLocked(&mu, f)                                    // want `the Timer that AllocLocked returns is dropped`
	w.Alloc(func(timerwheel.Timer) {}).Register(time.Second) // want `the Timer that Alloc returns is armed and then dropped: it cannot be freed. Make it with AfterFunc`
}

func kept(w *timerwheel.Wheel, f func(timerwheel.Timer)) timerwheel.Timer {
	w.AfterFunc(time.Second, func() {})
	w.Every(time.Second, f)
	w.Alloc(func(t timerwheel.Timer) { t.Free() }).Register(time.Second)
	w.Alloc(f).Register(time.Second) // f may free it
	t := w.Alloc(f)
	t.Register(time.Second)
	return w.Alloc(f)
}
