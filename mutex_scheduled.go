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

// TryLock may wait where the Scheduler wants it to: then it has come later.
func (m *mutex) TryLock() bool {
	m.Lock()
	return true
}

func (m *mutex) Unlock() {
	m.Mutex.Unlock()
	if Scheduled != nil {
		Scheduled.Unlocked(m)
	}
}
