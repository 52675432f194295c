package netstack_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/netstack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// A job does work under a lock. It can be scheduled, and the holder of the lock can cancel
// it. tcpip.Job is one.
type job interface {
	Schedule(d time.Duration)
	Cancel()
}

// A lockedJob is a tcpip.Job made of a lock-bound timer. It has no flag for a cancelled job,
// and no instances that separate the flags of one scheduling from those of the next.
type lockedJob struct{ timer timerwheel.Timer }

func newLockedJob(w *timerwheel.Wheel, l sync.Locker, f func()) lockedJob {
	return lockedJob{w.AllocLocked(l, func(timerwheel.Timer) { f() })}
}

func (j lockedJob) Schedule(d time.Duration) { _ = j.timer.Register(d) }
func (j lockedJob) Cancel()                  { j.timer.Del() }

// A watchedLock is a lock that knows how many wait for it.
type watchedLock struct {
	sync.Mutex
	waiting atomic.Int32
}

func (l *watchedLock) Lock() {
	l.waiting.Add(1)
	l.Mutex.Lock()
	l.waiting.Add(-1)
}

// TestJob tests the case for which tcpip.Job has instances: a job expires and is cancelled
// and scheduled again, several times, while the caller holds the lock that it wants. It is
// scheduled four times and cancelled three times, so it does its work once.
func TestJob(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(w *timerwheel.Wheel, l sync.Locker, f func()) job
		want int32 // how many workers wait for the lock, at most
	}{
		{
			"tcpip.Job", func(w *timerwheel.Wheel, l sync.Locker, f func()) job {
				return tcpip.NewJob(netstack.NewClock(w), l, f)
			},
			4,
		},
		{
			"AllocLocked", func(w *timerwheel.Wheel, l sync.Locker, f func()) job { return newLockedJob(w, l, f) },
			1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{})
			var mu watchedLock
			work := 0
			j := c.make(w, &mu, func() { work++ })
			mu.Lock()
			for n := range 4 {
				j.Cancel()
				j.Schedule(0)
				eventually(t, "the job has expired and waits for the lock", func() bool { return mu.waiting.Load() >= min(int32(n)+1, c.want) })
			}
			assert.Zero(t, work)
			mu.Unlock()
			eventually(t, "no job is pending or runs", func() bool { s := w.Stats(); return s.Pending == 0 && s.Running == 0 && s.Workers == 0 })
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, 1, work)
		})
	}
}
