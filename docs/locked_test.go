package docs

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// This file holds those recipes of migrating.md whose timers are bound to a lock, a test for each,
// and beside it the recipe that looks as good and is wrong, with what it does wrong.

// Leases call a function when they expire, without the lock.
type leases struct {
	wheel   *timerwheel.Wheel
	mu      sync.Mutex
	entries map[string]*lease
}

type lease struct{ expiry timerwheel.Timer }

func (l *leases) add(key string, ttl time.Duration, expired func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries[key] != nil {
		return false
	}
	e := &lease{}
	e.expiry = l.wheel.AfterFuncLocked(&l.mu, ttl, func() {
		delete(l.entries, key)
		_ = e.expiry.ReleaseLock() // from here on mu is free
		expired()                  // it may call add and remove
	})
	l.entries[key] = e
	return true
}

// remove ends a lease. If it returns true, expired is not called.
func (l *leases) remove(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[key]
	if e != nil {
		e.expiry.Del() // final: mu is held
		delete(l.entries, key)
	}
	return e != nil
}

func TestLeases(t *testing.T) {
	w, advance := manualWheel(t)
	l := &leases{wheel: w, entries: map[string]*lease{}}
	expired := 0
	require.True(t, l.add("a", time.Minute, func() {
		expired++
		requireFree(t, &l.mu)
		assert.False(t, l.remove("a"), "the entry is gone")
		assert.True(t, l.add("a", time.Minute, func() { expired++ }), "and the lock is free")
	}))
	require.False(t, l.add("a", time.Minute, nil))
	require.True(t, l.add("b", time.Minute, func() { t.Error("b was removed") }))
	require.True(t, l.remove("b"))
	advance(time.Minute)
	require.Equal(t, 1, expired)
	advance(2 * time.Minute)
	require.Equal(t, 2, expired)
	require.Empty(t, l.entries)
	require.Zero(t, w.Stats().Live, "nothing has to be freed")
}

// A lease is removed while its firing waits for the lock: it does not expire.
func TestALeaseThatIsRemovedInTime(t *testing.T) {
	w := newWheel(t)
	l := &leases{wheel: w, entries: map[string]*lease{}}
	l.add("a", time.Hour, func() { t.Error("a was removed") })
	l.mu.Lock()
	_ = l.entries["a"].expiry.Register(0) // the hour is over
	awaitHeld(t, w, &l.mu)
	l.entries["a"].expiry.Del() // what remove does
	delete(l.entries, "a")
	l.mu.Unlock()
	awaitIdle(t, w)
	require.Zero(t, w.Stats().Fired)
}

// Wrong: as the cache of pattern 1, with the function of the user in the handler. The lock is held
// while the function runs, so a function that calls the cache hangs.
func TestWrongACallbackUnderTheLock(t *testing.T) {
	w, advance := manualWheel(t)
	l := &leases{wheel: w, entries: map[string]*lease{}}
	called := false
	expired := func() {
		called = true
		require.False(t, l.mu.TryLock(), "a call of add or remove would hang here")
	}
	w.AfterFuncLocked(&l.mu, time.Minute, func() {
		delete(l.entries, "a")
		expired()
	})
	advance(time.Minute)
	require.True(t, called)
}

// Wrong: a plain timer, whose handler locks. A removal that is first at the lock is not final.
func TestWrongALeaseThatExpiresAfterItsRemoval(t *testing.T) {
	w, advance := manualWheel(t)
	l := &leases{wheel: w, entries: map[string]*lease{"a": {}}}
	expired := false
	l.entries["a"].expiry = w.AfterFunc(time.Minute, func() {
		l.remove("a") // another goroutine is first at the lock
		l.mu.Lock()
		delete(l.entries, "a")
		l.mu.Unlock()
		expired = true
	})
	advance(time.Minute)
	require.True(t, expired, "although it was removed")
}

// A deadline closes a channel when its time has come, as that of a net.Conn.
type deadline struct {
	wheel *timerwheel.Wheel
	mu    sync.Mutex
	timer timerwheel.Timer
	over  bool
	done  chan struct{}
}

func newDeadline(w *timerwheel.Wheel) *deadline {
	d := &deadline{wheel: w, done: make(chan struct{})}
	d.timer = w.AllocLocked(&d.mu, func(timerwheel.Timer) { d.expire() })
	return d
}

// set sets the deadline; the zero time means none.
func (d *deadline) set(when time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		d.over, d.done = false, make(chan struct{})
	}
	switch {
	case when.After(d.wheel.Now()):
		_ = d.timer.RegisterAt(when) // moves it; the deadline before does not fire any more
	case when.IsZero():
		d.timer.Del()
	default:
		d.timer.Del()
		d.expire()
	}
}

// expire needs mu, which the timer's handler holds too.
func (d *deadline) expire() {
	d.over = true
	close(d.done)
}

func (d *deadline) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer.Shutdown() // a set that comes later arms nothing
	_ = d.timer.Free()
}

// passed reports whether a caller that waits for the deadline goes on.
func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

func TestDeadline(t *testing.T) {
	w, advance := manualWheel(t)
	start, d := w.Now(), newDeadline(w)
	d.set(start.Add(time.Minute))
	advance(time.Minute - time.Second)
	d.set(start.Add(time.Hour))
	advance(time.Hour - time.Second)
	require.False(t, d.passed(), "extended")
	advance(time.Hour)
	require.True(t, d.passed())
	d.set(start.Add(2 * time.Hour))
	require.False(t, d.passed(), "set anew")
	d.set(time.Time{})
	advance(3 * time.Hour)
	require.False(t, d.passed(), "none")
	d.set(start)
	require.True(t, d.passed(), "at once")
	d.close()
	d.set(start.Add(4 * time.Hour))
	advance(5 * time.Hour)
	require.False(t, d.passed(), "closed")
	require.Zero(t, w.Stats().Live, "the timer was freed")
}

// The deadline is extended while its firing waits for the lock: it does not fire.
func TestADeadlineThatIsExtendedInTime(t *testing.T) {
	w := newWheel(t)
	d := newDeadline(w)
	defer d.close()
	d.set(time.Now().Add(time.Hour))
	d.mu.Lock()
	_ = d.timer.Register(0) // the hour is over
	awaitHeld(t, w, &d.mu)
	_ = d.timer.RegisterAt(time.Now().Add(time.Hour)) // what set does
	d.mu.Unlock()
	awaitIdle(t, w)
	require.False(t, d.passed())
	require.Zero(t, w.Stats().Fired)
}

// In either order, a deadline that set has just set to an hour does not pass.
func TestDeadlinesThatAreExtendedAllTheTime(t *testing.T) {
	w := newWheel(t)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			d := newDeadline(w)
			defer d.close()
			for i := range 100 {
				d.set(time.Now().Add(time.Millisecond))
				time.Sleep(time.Millisecond + time.Duration(g*100+i)*time.Microsecond)
				d.set(time.Now().Add(time.Hour))
				time.Sleep(50 * time.Microsecond)
				if d.passed() {
					t.Error("a deadline of an hour has passed")
				}
			}
		})
	}
	all.Wait()
}

// move takes the place of RegisterAt in a deadline that has no close. It needs mu.
func (d *deadline) move(after time.Duration) {
	if !d.timer.Move(after) {
		d.timer = d.wheel.AfterFuncLocked(&d.mu, after, d.expire)
	}
}

func TestADeadlineWithoutAClose(t *testing.T) {
	w := newWheel(t)
	d := &deadline{wheel: w, done: make(chan struct{})}
	d.mu.Lock()
	d.move(0)
	awaitHeld(t, w, &d.mu)
	d.move(time.Hour)
	d.mu.Unlock()
	awaitIdle(t, w)
	require.False(t, d.passed(), "extended in time")
	d.set(time.Time{})
	require.Zero(t, w.Stats().Live, "nothing has to be freed")

	d.mu.Lock()
	d.move(time.Millisecond) // the timer before is gone
	done := d.done
	d.mu.Unlock()
	<-done
	awaitIdle(t, w)
	require.Zero(t, w.Stats().Live)
}

// Wrong: a plain timer, whose handler locks. A set that is first at the lock extends the deadline
// in time, and the handler that waits for the lock closes the new channel all the same.
func TestWrongADeadlineThatFiresThoughItWasExtended(t *testing.T) {
	w, advance := manualWheel(t)
	start, d := w.Now(), &deadline{wheel: w, done: make(chan struct{})}
	d.timer = w.Alloc(func(timerwheel.Timer) {
		d.set(start.Add(time.Hour)) // another goroutine is first at the lock
		d.mu.Lock()
		defer d.mu.Unlock()
		d.expire()
	})
	d.set(start.Add(time.Minute))
	advance(time.Minute)
	require.True(t, d.passed(), "an hour early")
}

// A retransmission sends again and again, at twice the distance each time.
type retransmission struct {
	mu    sync.Mutex
	timer timerwheel.Timer
	after time.Duration
}

func newRetransmission(w *timerwheel.Wheel, send func()) *retransmission {
	r := &retransmission{}
	r.timer = w.AllocLocked(&r.mu, func(t timerwheel.Timer) {
		r.after *= 2
		_ = t.Register(r.after) // before the release: a stop that comes later finds it
		_ = t.ReleaseLock()
		send() // it may call start and stop
	})
	return r
}

func (r *retransmission) start(after time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.after = after
	return r.timer.Register(after)
}

// stop prevents the sends that have not begun.
func (r *retransmission) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer.Del()
}

// close also waits for a send in flight: so the lock must not be held.
func (r *retransmission) close() error {
	_, err := r.timer.ShutdownSync()
	_ = r.timer.Free()
	return err
}

func TestRetransmission(t *testing.T) {
	w, advance := manualWheel(t)
	var sent []time.Duration
	start := w.Now()
	var r *retransmission
	r = newRetransmission(w, func() {
		requireFree(t, &r.mu)
		sent = append(sent, w.Now().Sub(start))
		if len(sent) == 3 {
			r.stop()
		}
	})
	require.NoError(t, r.start(time.Second))
	for s := time.Second; s <= time.Minute; s += time.Second {
		advance(s)
	}
	require.Equal(t, []time.Duration{time.Second, 3 * time.Second, 7 * time.Second}, sent, "the fourth was stopped")
	require.NoError(t, r.start(time.Second))
	require.NoError(t, r.close())
	require.ErrorIs(t, r.start(time.Second), timerwheel.ErrStale)
	require.Zero(t, w.Stats().Live, "the timer was freed")
}

// close waits for a send in flight, and a stop beside it does not.
func TestCloseOfARetransmissionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(t)
		begun, ended := make(chan struct{}), false
		r := newRetransmission(w, func() {
			close(begun)
			time.Sleep(time.Minute)
			ended = true
		})
		require.NoError(t, r.start(time.Hour))
		<-begun
		before := time.Now()
		requireFree(t, &r.mu)
		r.stop()
		require.Equal(t, before, time.Now())
		require.NoError(t, r.close())
		require.True(t, ended)
	})
}

// Wrong: the handler arms its timer after the call, so a stop in between has no effect.
func TestWrongARetransmissionThatIsArmedAfterItsStop(t *testing.T) {
	w, advance := manualWheel(t)
	r := &retransmission{}
	r.timer = w.AllocLocked(&r.mu, func(t timerwheel.Timer) {
		_ = t.ReleaseLock()
		r.stop() // send does, or another goroutine at this moment
		_ = r.start(2 * time.Second)
	})
	require.NoError(t, r.start(time.Second))
	advance(time.Second)
	require.True(t, r.timer.Pending(), "although it was stopped")
}

// A pinger pings when nothing was heard for a while.
type pinger struct {
	mu   sync.Mutex
	ping timerwheel.Timer
}

const pingEvery = time.Minute

func newPinger(w *timerwheel.Wheel, send func()) *pinger {
	p := &pinger{}
	p.ping = w.AllocLocked(&p.mu, func(t timerwheel.Timer) {
		send()
		_ = t.Register(pingEvery)
	})
	return p
}

func (p *pinger) heard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.ping.Register(pingEvery) // the first time, and each time: there is one timer
}

func (p *pinger) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ping.Shutdown()
	_ = p.ping.Free()
}

func TestPinger(t *testing.T) {
	w, advance := manualWheel(t)
	pings := 0
	p := newPinger(w, func() { pings++ })
	p.heard()
	for m := 1; m <= 60; m++ {
		advance(time.Duration(m) * time.Minute)
	}
	require.Equal(t, 60, pings)
	p.close()
	p.heard()
	advance(2 * time.Hour)
	require.Equal(t, 60, pings)
	require.Zero(t, w.Stats().Live, "the timer was freed")
}

// Something is heard while the firing waits for the lock: there is still one timer.
func TestAPingerThatHearsInTime(t *testing.T) {
	w := newWheel(t)
	p := newPinger(w, func() { t.Error("a ping") })
	defer p.close()
	p.mu.Lock()
	_ = p.ping.Register(0)
	awaitHeld(t, w, &p.mu)
	_ = p.ping.Register(pingEvery) // what heard does
	p.mu.Unlock()
	awaitIdle(t, w)
	require.Equal(t, 1, w.Stats().Pending)
}

// Wrong, with package time: nil says that there is no timer. What is heard while the callback waits
// for the lock arms the timer that has fired, and the callback makes a second one: from then on each
// of the two pings.
func TestWrongAPingTimerThatMultiplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var timer *time.Timer
		start := time.Now()
		var arm, expire func()
		pings := 0
		arm = func() { // needs mu
			if timer == nil {
				timer = time.AfterFunc(pingEvery, func() { expire() })
			} else {
				timer.Reset(pingEvery)
			}
		}
		heard := sync.OnceFunc(func() {
			mu.Lock()
			defer mu.Unlock()
			arm()
		})
		expire = func() {
			heard() // another goroutine is first at the lock
			mu.Lock()
			defer mu.Unlock()
			timer = nil
			if pings++; time.Since(start) < 10*pingEvery {
				arm()
			}
		}
		mu.Lock()
		arm()
		mu.Unlock()
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, 19, pings, "in ten minutes")
	})
}

// newWheel makes a wheel that is closed with the test.
func newWheel(t *testing.T) *timerwheel.Wheel {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

// awaitHeld returns when a timer that is due waits for mu, which the caller has locked.
func awaitHeld(t *testing.T, w *timerwheel.Wheel, mu *sync.Mutex) {
	for w.Inspect().Held == 0 {
		if w.Stats().Fired > 0 {
			mu.Unlock() // for which the handler may wait, and Close for the handler
			t.Fatal("the handler has begun without the lock")
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// awaitIdle returns when no goroutine of the wheel is left: what was due has begun, or will not.
func awaitIdle(t *testing.T, w *timerwheel.Wheel) {
	require.Eventually(t, func() bool { return w.Stats().Workers == 0 }, time.Minute, time.Millisecond)
}

// requireFree fails if mu is locked: what the caller calls next would hang.
func requireFree(t *testing.T, mu *sync.Mutex) {
	require.True(t, mu.TryLock(), "the handler holds the lock while it calls out")
	mu.Unlock()
}
