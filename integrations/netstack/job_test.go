package netstack_test

import (
	"sync"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/netstack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// A job is work under a lock that can be scheduled, and cancelled by who holds the lock:
// what tcpip.Job is.
type job interface {
	Schedule(d time.Duration)
	Cancel()
}

// A lockedJob is a tcpip.Job made of a lock-bound timer. There is no flag in it that says
// whether it has been cancelled, and no instance to keep the flags of one scheduling and
// the next apart.
type lockedJob struct{ timer timerwheel.Timer }

func newLockedJob(w *timerwheel.Wheel, l sync.Locker, f func()) lockedJob {
	return lockedJob{w.AllocLocked(l, func(timerwheel.Timer) { f() })}
}

func (j lockedJob) Schedule(d time.Duration) { _ = j.timer.Register(d) }
func (j lockedJob) Cancel()                  { j.timer.Del() }

// TestJob is the case that tcpip.Job's instances are there for: a job that expires, and is
// cancelled and scheduled anew, several times, while somebody holds the lock that it wants.
// Of the four it does its work once, as it was cancelled three times.
func TestJob(t *testing.T) {
	for _, c := range []struct {
		name    string
		make    func(w *timerwheel.Wheel, l sync.Locker, f func()) job
		waiting func(s timerwheel.Stats) int // the workers that wait for the lock
		want    int
	}{
		{
			"tcpip.Job", func(w *timerwheel.Wheel, l sync.Locker, f func()) job {
				return tcpip.NewJob(netstack.NewClock(w), l, f)
			},
			func(s timerwheel.Stats) int { return s.Running }, 4,
		},
		{
			"AllocLocked", func(w *timerwheel.Wheel, l sync.Locker, f func()) job { return newLockedJob(w, l, f) },
			func(s timerwheel.Stats) int { return s.Workers }, 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{})
			var mu sync.Mutex
			work := 0
			j := c.make(w, &mu, func() { work++ })
			mu.Lock()
			for n := range 4 {
				j.Cancel()
				j.Schedule(0)
				eventually(t, "the job has expired, and waits for the lock", func() bool { return c.waiting(w.Stats()) >= min(n+1, c.want) })
			}
			assert.Zero(t, work)
			mu.Unlock()
			eventually(t, "all is done", func() bool { s := w.Stats(); return s.Pending == 0 && s.Running == 0 && s.Workers == 0 })
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, 1, work)
		})
	}
}
