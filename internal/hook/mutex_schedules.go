//go:build schedules

package hook

import "sync"

// A Mutex guards a shard, or a wheel. This one asks the Scheduler before it locks.
type Mutex struct{ sync.Mutex }

// Lock asks the Scheduler, and locks.
func (m *Mutex) Lock() {
	if Scheduled != nil {
		Scheduled.Lock(m)
	}
	m.Mutex.Lock()
}

// TryLock always locks: it waits until the Scheduler lets it, as if it had been
// called later.
func (m *Mutex) TryLock() bool {
	m.Lock()
	return true
}

// Unlock unlocks, and tells the Scheduler.
func (m *Mutex) Unlock() {
	m.Mutex.Unlock()
	if Scheduled != nil {
		Scheduled.Unlocked(m)
	}
}
