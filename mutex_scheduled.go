//go:build schedules

package timerwheel

import "sync"

// A mutex is what guards a shard, and what guards a wheel: here, one that asks
// the Scheduler first.
type mutex struct{ sync.Mutex }

func (m *mutex) Lock() {
	if Scheduled != nil {
		Scheduled.Lock(m)
	}
	m.Mutex.Lock()
}

func (m *mutex) Unlock() {
	m.Mutex.Unlock()
	if Scheduled != nil {
		Scheduled.Unlocked(m)
	}
}
