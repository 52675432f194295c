package stdtime

import (
	"sync"
	"time"
)

// An afterClose is what keeps a timer going when its wheel is closed: a timer of package
// time. Its owner's lock guards it. The zero afterClose is not active: the wheel keeps the
// time.
type afterClose struct {
	on    bool
	timer *time.Timer // nil on a Manual wheel, whose time stands still
}

// active reports whether package time keeps the time.
func (a *afterClose) active() bool { return a.on }

// arm makes package time call fire, with mu locked, when d has passed, unless it is armed
// again or stopped before. On a wheel without time it does nothing.
func (a *afterClose) arm(d time.Duration, hasTime bool, mu sync.Locker, fire func()) {
	a.stop()
	a.on = true
	if !hasTime {
		return
	}
	var mine *time.Timer
	mine = time.AfterFunc(d, func() {
		mu.Lock()
		defer mu.Unlock()
		if a.timer == mine {
			fire()
		}
	})
	a.timer = mine
}

// stop prevents the call, if one is to come.
func (a *afterClose) stop() {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}
