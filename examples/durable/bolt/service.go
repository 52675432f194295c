package main

import (
	"log"
	"os"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
)

// A service keeps deadlines by key. What set has returned survives a kill of the process: the store
// says what is to fire, and the wheel says when.
//
// The order is always the same. set stores first and arms then, fire does its work first and removes
// from the store then. So a deadline that is in the store and has no timer is possible, after a
// crash: start and sweep arm it. A timer without its deadline in the store does nothing.
type service struct {
	store  *store
	wheel  *timerwheel.Wheel
	timers *keyed.Timers[string]
	cache  *cache
	outbox *os.File // what the deadlines do outside of the store: a line each

	mu sync.RWMutex // sweep excludes set and cancel, which change store and timers one after the other

	beforeCommit func(key string) // for tests; between the effect outside and the transaction
}

// handlers is how many deadlines may fire at the same time. So many may have done their work, and not
// yet removed their deadline, when the process is killed.
const handlers = 16

// retry is how long a firing waits that the store has refused.
const retry = time.Second

// start opens the store, and arms all that is in it. What was missed fires at once.
func start(file string, sweepEvery time.Duration) (s *service, armed int, err error) {
	s = &service{}
	if s.store, err = openStore(file); err != nil {
		return nil, 0, err
	}
	if s.outbox, err = os.OpenFile(file+".outbox", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, 0, err
	}
	if s.wheel, err = timerwheel.New(timerwheel.Options{MaxWorkers: handlers}); err != nil {
		return nil, 0, err
	}
	s.timers = keyed.New(s.wheel, s.fire)
	s.cache = newCache(s.wheel)
	entries, err := s.store.takeCache()
	if err != nil {
		return nil, 0, err
	}
	s.cache.restore(entries)
	if armed, err = s.sweep(); err != nil {
		return nil, 0, err
	}
	s.wheel.Every(sweepEvery, func(timerwheel.Timer) {
		if _, err := s.sweep(); err != nil {
			log.Print("bolt: ", err)
		}
	})
	return s, armed, nil
}

// stop ends the service. Deadlines need no farewell: they are in the store. The cache does.
func (s *service) stop() error {
	entries := s.cache.snapshot()
	if err := s.wheel.Close(); err != nil { // waits for the firings in flight
		return err
	}
	if err := s.store.saveCache(entries); err != nil {
		return err
	}
	return s.store.close()
}

// set stores the key's deadline, arms it, and reports whether it replaced one. If so, the one that it
// replaced has not fired and will not; if not, the one before has fired, or was cancelled.
func (s *service) set(key string, d deadline) (replaced bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	// A firing in flight ends before the deadline is replaced. Otherwise it might do its work for
	// a deadline that set says has not fired.
	if _, err := s.timers.DeleteSync(key); err != nil {
		return false, err
	}
	if replaced, err = s.store.put(key, d); err != nil {
		return false, err // sweep arms what is in the store
	}
	return replaced, s.timers.Set(key, time.Until(d.When))
}

// cancel removes the key's deadline, and reports whether there was one. If so, it has not fired, and
// will not.
func (s *service) cancel(key string) (found bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, err := s.timers.DeleteSync(key); err != nil {
		return false, err
	}
	return s.store.remove(key)
}

// fire is the handler of the key's timer.
func (s *service) fire(key string) {
	d, found, err := s.store.get(key)
	if err != nil {
		s.again(key, retry, err)
		return
	}
	if !found {
		return
	}
	// The timer goes by the monotonic clock, the deadline by the wall clock. If that was set back,
	// the deadline is still to come.
	now := time.Now()
	if wait := d.When.Sub(now); wait > 0 {
		s.again(key, wait, nil)
		return
	}
	// What is done outside of the store is done before the deadline is removed. A crash between the
	// two lets it be done again: the receiver knows it by its ID.
	if _, err := s.outbox.WriteString(key + " " + d.ID + "\n"); err != nil {
		s.again(key, retry, err)
		return
	}
	if s.beforeCommit != nil {
		s.beforeCommit(key)
	}
	// What is done in the store is done once: the same transaction removes the deadline.
	if err := s.store.fire(key, d, now); err != nil {
		s.again(key, retry, err)
	}
}

// again arms a deadline that has not fired. If the timer is being deleted, or the wheel has been
// closed, it is refused, and need not succeed.
func (s *service) again(key string, wait time.Duration, because error) {
	if because != nil {
		log.Printf("bolt: %s: %v", key, because)
	}
	_ = s.timers.Set(key, wait)
}

// sweep arms what is in the store as the wall clock says now, and drops timers that the store knows
// nothing of. It returns the number of deadlines in the store.
//
// It repairs what a clock that was set forward, a machine that was suspended or a store that has
// refused something leave behind.
func (s *service) sweep() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.store.deadlines()
	if err != nil {
		return 0, err
	}
	for key, d := range stored {
		if err := s.timers.Set(key, time.Until(d.When)); err != nil {
			return 0, err
		}
	}
	for key := range s.timers.All() {
		if _, ok := stored[key]; !ok {
			s.timers.Delete(key)
		}
	}
	return len(stored), nil
}
