// Package centrifugewheel runs the client timers of
// github.com/centrifugal/centrifuge on a timing wheel: the pings of each
// connection, the checks of their pongs, its presence updates, its expiry, and
// the close of a connection that never said connect.
//
//	node, err := centrifuge.New(centrifuge.Config{
//		ClientTimerScheduler: centrifugewheel.On(w),
//	})
//
// One wheel may serve several nodes and the rest of the program. Shut the nodes down
// before you close the wheel: a closed wheel pings no connection, and finds none dead.
package centrifugewheel

import (
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/seed76848005/timerwheel"
)

// A Scheduler is a centrifuge.TimerScheduler on a wheel. Make one with [On]. It is a
// handle and may be copied. Its methods are safe for use by several goroutines at once,
// and by callbacks.
type Scheduler struct{ w *timerwheel.Wheel }

var _ centrifuge.TimerScheduler = Scheduler{}

// On returns the Scheduler of a wheel.
func On(w *timerwheel.Wheel) Scheduler { return Scheduler{w} }

// ScheduleTimer calls the callback once, on a worker of the wheel, after d. d <= 0 means
// at once, but never in the caller, because the caller holds a lock that the callback
// wants. The worker runs nothing else until the callback returns, so a callback that
// blocks delays no other, as long as fewer than the wheel's Options.MaxWorkers block.
//
// It allocates 16 bytes, for the TimerCanceler. On a closed wheel it never calls the
// callback.
func (s Scheduler) ScheduleTimer(d time.Duration, callback func()) centrifuge.TimerCanceler {
	return canceler{s.w.AfterFunc(d, callback)}
}

// A canceler cancels one call of a callback. The client keeps it after that call and
// cancels it then. The handle is stale by that time, so that has no effect.
type canceler struct{ timer timerwheel.Timer }

// Cancel removes the call, also if it is due and in line. It does not wait for a callback
// in flight, because the client cancels under the lock that its callback wants, and in
// the callback itself. The client has state of its own to recognise a call that came too
// late.
func (c canceler) Cancel() { c.timer.Stop() }
