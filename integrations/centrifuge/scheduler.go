// Package centrifugewheel runs the client timers of
// github.com/centrifugal/centrifuge on a timing wheel: the pings of each
// connection, the checks of their pongs, its presence updates, its expiry, and
// the close of a connection that never said connect.
//
//	node, err := centrifuge.New(centrifuge.Config{
//		ClientTimerScheduler: centrifugewheel.On(w),
//	})
//
// One wheel may serve several nodes, and the rest of the program. Shut the nodes
// down before the wheel is closed: on a closed wheel no connection is pinged any
// more, nor found dead.
package centrifugewheel

import (
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/seed76848005/timerwheel"
)

// A Scheduler is a centrifuge.TimerScheduler on a wheel. Make one with [On]; it
// is a handle, and may be copied. All its methods may be called by several
// goroutines at once, and by callbacks.
type Scheduler struct{ w *timerwheel.Wheel }

var _ centrifuge.TimerScheduler = Scheduler{}

// On returns the Scheduler of a wheel.
func On(w *timerwheel.Wheel) Scheduler { return Scheduler{w} }

// ScheduleTimer calls the callback once, on a worker of the wheel, when d has
// passed; d <= 0 means at once, but never in the caller, which holds a lock that
// the callback wants. A callback has its worker to itself while it runs: one
// that blocks delays no other, as long as fewer than the wheel's
// Options.MaxWorkers do.
//
// It costs one allocation, of 16 bytes, for the TimerCanceler. On a closed wheel
// the callback is never called.
func (s Scheduler) ScheduleTimer(d time.Duration, callback func()) centrifuge.TimerCanceler {
	return canceler{s.w.AfterFunc(d, callback)}
}

// A canceler cancels the one call of one callback. The client keeps it after
// that call too, and cancels it then: the handle is stale by that time, and
// reaches nobody.
type canceler struct{ timer timerwheel.Timer }

// Cancel removes the call, also when it is due and in line. It does not wait for
// a callback in flight: the client cancels under the lock that its callback
// wants, and in the callback itself, and has its own state to tell a call that
// came too late.
func (c canceler) Cancel() { c.timer.Stop() }
