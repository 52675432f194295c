package timerwheel_test

import (
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file is what docs/testing.md quotes: how to test a program that uses a
// wheel. It uses no helper of the other tests, so that it can be copied.

// A session hangs up when nothing has been heard of its peer for a minute.
type session struct {
	idle   timerwheel.Timer
	hungUp time.Time
}

const idleTimeout = time.Minute

func newSession(w *timerwheel.Wheel) *session {
	s := &session{}
	s.idle = w.Alloc(func(timerwheel.Timer) { s.hungUp = w.Now() })
	_ = s.heard()
	return s
}

// heard is called for each message of the peer.
func (s *session) heard() error { return s.idle.Register(idleTimeout) }

// close ends the session: it does not hang up any more, whatever is heard.
func (s *session) close() {
	_, _ = s.idle.ShutdownSync()
	_ = s.idle.Free()
}

func TestAnHourOfIdleTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()

		start := time.Now()
		sessions := make([]*session, 1000)
		for i := range sessions {
			s := newSession(w)
			sessions[i] = s
			go func() { // the peer, which falls silent after a while
				for range i % 60 {
					time.Sleep(50 * time.Second)
					_ = s.heard()
				}
			}()
		}

		time.Sleep(time.Hour)
		synctest.Wait()
		for i, s := range sessions {
			due := start.Add(time.Duration(i%60)*50*time.Second + idleTimeout)
			if late := s.hungUp.Sub(due); late < 0 || late > 2*time.Millisecond {
				t.Errorf("session %d hung up %v after it should have", i, late)
			}
			s.close()
		}
		if s := w.Stats(); s.Fired != 1000 || s.Live != 0 {
			t.Errorf("%d sessions hung up, %d timers were not freed", s.Fired, s.Live)
		}
	})
}

func TestDelSyncWaitsForASleepingHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()

		written := false
		flush := w.Alloc(func(timerwheel.Timer) {
			time.Sleep(5 * time.Second) // a slow disk
			written = true
		})
		defer flush.Free()

		_ = flush.Register(time.Second)
		time.Sleep(2 * time.Second) // the handler began a second ago
		start := time.Now()
		found, err := flush.DelSync()
		if err != nil || !found.Running {
			t.Fatalf("DelSync: %+v, %v", found, err)
		}
		if !written {
			t.Error("DelSync has returned, and the handler had not")
		}
		if waited := time.Since(start); waited < 4*time.Second || waited > 4*time.Second+2*time.Millisecond {
			t.Errorf("DelSync waited %v for a handler that had 4s to go", waited)
		}
	})
}

func TestWhatIsHeardDuringACloseIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()

		s := &session{}
		s.idle = w.Alloc(func(timerwheel.Timer) { time.Sleep(5 * time.Second) })
		_ = s.idle.Register(0)
		time.Sleep(time.Second) // the handler is asleep
		closed := false
		go func() { s.close(); closed = true }()
		synctest.Wait() // the close waits for it
		if closed {
			t.Error("the close did not wait")
		}
		if err := s.heard(); !errors.Is(err, timerwheel.ErrShutdown) {
			t.Errorf("during the close: %v", err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !closed {
			t.Error("the close still waits")
		}
		if err := s.heard(); !errors.Is(err, timerwheel.ErrStale) {
			t.Errorf("after the close: %v", err)
		}
	})
}

func TestASessionHangsUpAfterAMinute(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	start := w.Now()
	s := newSession(w)
	defer s.close()

	walk := func(d time.Duration) int {
		fired, err := w.AdvanceThrough(start.Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return fired
	}
	walk(59 * time.Second)
	_ = s.heard() // at 0:59, so the end is at 1:59
	end := 2*time.Minute - time.Second
	if fired := walk(end - 1); fired != 0 {
		t.Error("hung up early")
	}
	if fired := walk(time.Hour); fired != 1 {
		t.Errorf("hung up %d times", fired)
	}
	if late := s.hungUp.Sub(start.Add(end)); late < 0 || late >= time.Millisecond {
		t.Errorf("hung up %v after it should have", late)
	}
}

// A packet is sent again, ever more slowly, until the link lets it through.
func ExampleWheel_AdvanceThrough_simulation() {
	midnight := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: midnight})
	if err != nil {
		log.Fatal(err)
	}

	up := midnight.Add(time.Hour) // the link
	backoff := time.Second
	resend := w.Alloc(func(t timerwheel.Timer) {
		if w.Now().After(up) {
			fmt.Println("through after", w.Now().Sub(midnight))
			_ = t.Free()
			return
		}
		backoff *= 2
		_ = t.Register(backoff)
	})
	_ = resend.Register(backoff)

	steps, err := w.AdvanceThrough(midnight.Add(24 * time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(steps, "steps,", w.Stats().Live, "timers left")
	// Output:
	// through after 1h8m15s
	// 12 steps, 0 timers left
}

// simulate lets a hundred timers arm each other, and returns what fired when.
func simulate(t *testing.T, seed uint64) (fired []string) {
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	timers := make([]timerwheel.Timer, 100)
	armAny := func() { _ = timers[rng.IntN(100)].Register(time.Duration(rng.Int64N(int64(time.Hour)))) }
	for i := range timers {
		timers[i] = w.Alloc(func(timerwheel.Timer) {
			fired = append(fired, fmt.Sprint(i, " at ", w.Now().UnixNano()))
			armAny()
		})
	}
	for range timers {
		armAny()
	}
	for when, ok := w.Next(); ok && len(fired) < 2_000; when, ok = w.Next() {
		if _, err := w.Advance(when); err != nil {
			t.Fatal(err)
		}
	}
	return fired
}

func TestASimulationRepeatsItself(t *testing.T) {
	first, second := simulate(t, 1), simulate(t, 1)
	if len(first) < 2_000 || !slices.Equal(first, second) {
		t.Errorf("two runs of the same seed differ (%d and %d firings)", len(first), len(second))
	}
	if slices.Equal(first, simulate(t, 2)) {
		t.Error("the seed does not matter")
	}
}
