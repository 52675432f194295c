// Package keyed finds timers by key: a session by its number, a request by its name. It is a map
// from keys to pending timers of a [timerwheel.Wheel], one at most for each key, and calls one
// function with the key of each timer that fires.
//
// A hand-written map of timers has a race: a firing that has begun, and is about to remove its
// key from the map, removes a timer that was set for the key in between. Here the firing that
// has been overtaken by a Set, a Move or a Delete does nothing.
//
// Each method of one key costs a look-up in a map, under one of several locks, and what the
// timer's own method costs. A Set of a key that has neither a timer pending nor its function
// running allocates an entry and a timer.
//
// All methods may be called by several goroutines at once, and by the function itself.
package keyed

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"runtime"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/own"
)

// Timers are timers that are found by key. Make them with [New].
type Timers[K comparable] struct {
	w      *timerwheel.Wheel
	f      func(K)
	seed   maphash.Seed
	shards []shard[K] // their number is a power of two
}

// A shard has the entries of some of the keys.
type shard[K comparable] struct {
	mu      sync.Mutex // locked before those of the wheel
	entries map[K]*entry[K]
	armed   int // entries that are armed
}

// An entry is a key that has something pending, or whose function runs. Its shard's lock
// guards it. While it is in the map its timer lives, if the wheel is not closed. The wheel calls
// its Fire, and leaves it to the entry to tell the host of a Manual wheel (Armed), as it is armed
// under a lock.
type entry[K comparable] struct {
	own.Firing
	of      *Timers[K]
	key     K
	timer   timerwheel.Timer
	armed   bool // set, and not fired or deleted since
	running bool // the function runs
}

// New returns timers of w by key, without any. When one fires, f is called with its key, in a
// goroutine of the wheel and as a handler of it: it counts towards Options.MaxWorkers. For one
// key f never runs twice at once. New panics if w or f is nil.
func New[K comparable](w *timerwheel.Wheel, f func(K)) *Timers[K] {
	if w == nil || f == nil {
		panic("keyed: New with a nil wheel or function")
	}
	n := 1
	for n < 4*runtime.GOMAXPROCS(0) {
		n *= 2
	}
	t := &Timers[K]{w: w, f: f, seed: maphash.MakeSeed(), shards: make([]shard[K], n)}
	for i := range t.shards {
		t.shards[i].entries = make(map[K]*entry[K])
	}
	return t
}

func (t *Timers[K]) shardOf(key K) *shard[K] {
	if len(t.shards) == 0 {
		panic("keyed: the zero Timers is not usable: call New")
	}
	return &t.shards[maphash.Comparable(t.seed, key)&uint64(len(t.shards)-1)]
}

// Set arms the key's timer, as [timerwheel.Timer.Register] does, or moves it if it is pending:
// the function is called for the last Set of a key only. While the function runs for the key,
// Set arms it to run once more afterwards.
//
// It returns ErrClosed if the wheel is closed, and ErrDeleting while a DeleteSync of the key
// waits for the function. It panics if the key is not equal to itself (NaN).
func (t *Timers[K]) Set(key K, d time.Duration) error {
	if key != key {
		panic("keyed: Set of a key that is not equal to itself")
	}
	sh := t.shardOf(key)
	sh.mu.Lock()
	e, err := t.set(sh, key, d)
	sh.mu.Unlock()
	if err == nil {
		e.Armed(t.w)
	}
	return err
}

// Move moves the key's timer, if it is pending, and reports whether it was. Where Set would be
// refused it is false: while a DeleteSync of the key waits, and on a closed wheel.
func (t *Timers[K]) Move(key K, d time.Duration) bool {
	sh := t.shardOf(key)
	sh.mu.Lock()
	e := sh.move(key, d)
	sh.mu.Unlock()
	if e == nil {
		return false
	}
	e.Armed(t.w)
	return true
}

// Delete deletes the key's timer. It does not wait for the function: Found says whether there
// was something pending, and whether the function runs for the key.
func (t *Timers[K]) Delete(key K) timerwheel.Found {
	sh := t.shardOf(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.entries[key]
	if e == nil {
		return timerwheel.Found{}
	}
	e.timer.Del()
	return sh.deleted(e)
}

// DeleteSync deletes the key's timer as Delete does, and waits for the function if it runs for
// the key, as [timerwheel.Timer.DelSync] does. While the function runs and DeleteSync waits, no
// Set of the key succeeds (ErrDeleting). In the function, called for the same key, it returns
// ErrDeadlock. Do not call it while holding a lock that the function wants.
func (t *Timers[K]) DeleteSync(key K) (timerwheel.Found, error) {
	timer, found, err := t.beginDeleteSync(key)
	if errors.Is(err, context.Canceled) {
		_, err = timer.DelSync()
	}
	return found, err
}

// beginDeleteSync deletes the key's timer. The error is that of a context that has ended if
// there is something to wait for. From here on, and not only from the wait on, the wheel refuses
// to register the timer: so the wait removes no firing of a later Set.
func (t *Timers[K]) beginDeleteSync(key K) (timer timerwheel.Timer, found timerwheel.Found, err error) {
	sh := t.shardOf(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.entries[key]
	if e == nil {
		return timer, found, nil
	}
	_, err = e.timer.DelSyncContext(ended)
	return e.timer, sh.deleted(e), err
}

// ended is a context that has ended.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Len returns the number of keys that have a timer pending. What the wheel's Close has dropped
// counts until it is deleted.
func (t *Timers[K]) Len() (n int) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		n += sh.armed
		sh.mu.Unlock()
	}
	return n
}

// Clear deletes all timers, and returns their number. It does not wait for the functions that
// run. What is set while Clear runs may be deleted or not.
func (t *Timers[K]) Clear() (n int) {
	for i := range t.shards {
		for _, p := range t.shards[i].pending() {
			if t.Delete(p.key).Pending {
				n++
			}
		}
	}
	return n
}

// All returns an iterator over the keys that have a timer pending, and its deadline, in no
// order. It holds no lock while the loop's body runs: the body may call anything. A key whose
// timer is pending from the begin of the iteration to its end is yielded, once, with the
// deadline that it had when it was seen.
func (t *Timers[K]) All() iter.Seq2[K, time.Time] {
	return func(yield func(K, time.Time) bool) {
		for i := range t.shards {
			for _, p := range t.shards[i].pending() {
				if p.timed && !yield(p.key, p.when) {
					return
				}
			}
		}
	}
}

// A pending is a key that has something pending.
type pending[K comparable] struct {
	key   K
	when  time.Time
	timed bool // it has a deadline: its firing has not begun, and the wheel is not closed
}

func (sh *shard[K]) pending() []pending[K] {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	all := make([]pending[K], 0, sh.armed)
	for key, e := range sh.entries {
		if e.armed {
			when, ok := e.timer.When()
			all = append(all, pending[K]{key, when, ok})
		}
	}
	return all
}

// The methods that follow require that the shard's lock is held.

func (t *Timers[K]) set(sh *shard[K], key K, d time.Duration) (*entry[K], error) {
	if e := sh.entries[key]; e != nil && e.timer.Valid() { // it is not, after the wheel's Close
		if err := e.timer.Register(d); err != nil {
			return nil, err
		}
		sh.arm(e)
		return e, nil
	}
	e := &entry[K]{of: t, key: key}
	e.Firing = own.Firing{Owner: e, User: t.f}
	e.timer = t.w.AfterFuncArg(d, own.Fire, &e.Firing)
	if e.timer == (timerwheel.Timer{}) {
		return nil, timerwheel.ErrClosed
	}
	sh.entries[key] = e
	sh.arm(e)
	return e, nil
}

// move registers the timer, as it need not be pending any more: its firing may have begun, and
// wait for the lock. It returns nil if nothing was to be moved.
func (sh *shard[K]) move(key K, d time.Duration) *entry[K] {
	e := sh.entries[key]
	if e == nil || !e.armed || !e.timer.Valid() || e.timer.Register(d) != nil {
		return nil
	}
	return e
}

func (sh *shard[K]) arm(e *entry[K]) {
	if !e.armed {
		e.armed = true
		sh.armed++
	}
}

func (sh *shard[K]) disarm(e *entry[K]) {
	if e.armed {
		e.armed = false
		sh.armed--
	}
}

// deleted records that an entry's firing was removed, and returns what there was. A firing that
// has begun, and waits for the lock, counts as pending: it will find that it has been overtaken.
func (sh *shard[K]) deleted(e *entry[K]) timerwheel.Found {
	found := timerwheel.Found{Pending: e.armed, Running: e.running}
	sh.disarm(e)
	sh.drop(e)
	return found
}

// drop takes an entry off the map if it is not needed any more.
func (sh *shard[K]) drop(e *entry[K]) {
	if !e.armed && !e.running {
		delete(sh.entries, e.key)
	}
}

// Fire calls the function. A worker calls it.
func (e *entry[K]) Fire() {
	sh := e.of.shardOf(e.key)
	if !sh.begin(e) {
		return
	}
	defer sh.end(e) // however the function ends
	e.of.f(e.key)
}

// HandOver drops what was pending when the wheel was closed.
func (e *entry[K]) HandOver(time.Duration, bool) {}

// begin begins a run of the function, unless the firing has been overtaken: by a deletion, or by
// a Set or a Move, which has made the timer pending again.
func (sh *shard[K]) begin(e *entry[K]) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !e.armed || e.timer.Pending() {
		return false
	}
	sh.disarm(e)
	e.running = true
	return true
}

func (sh *shard[K]) end(e *entry[K]) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e.running = false
	sh.drop(e)
}
