package timerwheel

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/seed76848005/timerwheel/internal/slab"
	"github.com/stretchr/testify/require"
)

// breakages break an invariant, so that the library panics in the function that is named, while it
// holds a lock, and then do what would hang: they wait for the wheel, or recover and go on.
var breakages = []struct {
	name, where string
	do          func()
}{
	{"before a handler begins", "(*shard).prefetch", func() {
		w, _ := New(Options{})
		defer w.Close()
		t := w.AfterFunc(time.Hour, func() {}) // on a busy machine a short time may be over before the break
		breakDue(t)
		t.Reset(0)
		select {}
	}},
	{"when a handler ends", "(*worker).finish", func() {
		w, _ := New(Options{})
		var t Timer
		t = w.Alloc(func(Timer) { breakRun(t) })
		_ = t.Register(time.Millisecond)
		select {}
	}},
	{"when a handler has panicked", "(*worker).rescue.func1", func() {
		w, _ := New(Options{OnPanic: func(HandlerPanic) {}})
		var t Timer
		t = w.Alloc(func(Timer) { breakRun(t); panic("the handler's own") })
		_ = t.Register(time.Millisecond)
		select {}
	}},
	{"in a verb that a handler calls", "(*shard).move", func() {
		w, _ := New(Options{OnPanic: func(HandlerPanic) {}})
		var t Timer
		t = w.Alloc(func(Timer) { breakLevels(t); _ = t.Register(time.Hour) })
		_ = t.Register(time.Millisecond)
		select {}
	}},
	{"in a verb whose caller closes the wheel", "(*shard).move", func() {
		w, _ := New(Options{})
		defer w.Close()
		t := w.Alloc(func(Timer) {})
		breakLevels(t)
		_ = t.Register(time.Hour)
	}},
	{"in Alloc, whose caller recovers", "(*Wheel).newOwned", func() {
		defer func() { _ = recover(); select {} }()
		w, _ := New(Options{Manual: true})
		breakAnnexes(w.Alloc(func(Timer) {}))
		w.Alloc(func(Timer) {})
	}},
	{"in AfterFunc, whose caller recovers", "(*shard).move", func() {
		recovering(func(w *Wheel) { breakLevels(w.Alloc(func(Timer) {})); w.AfterFunc(time.Hour, func() {}) })
	}},
	{"in Register, whose caller recovers", "Timer.register", func() {
		recovering(func(w *Wheel) { t := w.Alloc(func(Timer) {}); breakLevels(t); _ = t.Register(time.Hour) })
	}},
	{"in RegisterAt, whose caller recovers", "Timer.RegisterAt", func() {
		recovering(func(w *Wheel) { t := w.Alloc(func(Timer) {}); breakLevels(t); _ = t.RegisterAt(w.Now().Add(time.Hour)) })
	}},
	{"in RegisterIdle, whose caller recovers", "Timer.RegisterIdle", func() {
		recovering(func(w *Wheel) { t := w.Alloc(func(Timer) {}); breakLevels(t); _ = t.RegisterIdle(time.Hour) })
	}},
	{"in Move, whose caller recovers", "Timer.Move", func() {
		recovering(func(w *Wheel) { t := w.AfterFunc(time.Hour, func() {}); breakLevels(t); t.Move(time.Minute) })
	}},
	{"in Free, whose caller recovers", "Timer.Free", func() {
		recovering(func(w *Wheel) { t := w.Alloc(func(Timer) {}); breakAnnexes(t); _ = t.Free() })
	}},
	{"in Del, whose caller recovers", "Timer.del", func() {
		recovering(func(w *Wheel) { t := w.AfterFunc(time.Hour, func() {}); breakLevels(t); t.Del() })
	}},
	{"in DelSync, whose caller recovers", "Timer.delSync", func() {
		recovering(func(w *Wheel) { t := w.AfterFunc(time.Hour, func() {}); breakLevels(t); _, _ = t.DelSync() })
	}},
	{"in DelAsync, whose caller recovers", "Timer.delAsync", func() {
		recovering(func(w *Wheel) { t := w.AfterFunc(time.Hour, func() {}); breakLevels(t); t.DelAsync(func() {}) })
	}},
	{"in Group.Del, whose caller recovers", "(*Group).Del", func() {
		recovering(func(w *Wheel) { g := w.NewGroup(); breakLevels(g.AfterFunc(time.Hour, func() {})); g.Del() })
	}},
	{"in Group.Shutdown, whose caller recovers", "(*Group).Shutdown", func() {
		recovering(func(w *Wheel) { g := w.NewGroup(); breakLevels(g.AfterFunc(time.Hour, func() {})); g.Shutdown() })
	}},
	{"in Group.DelSync, whose caller recovers", "(*Group).delSync", func() {
		recovering(func(w *Wheel) {
			g := w.NewGroup()
			breakLevels(g.AfterFunc(time.Hour, func() {}))
			_, _ = g.DelSync()
		})
	}},
	{"in a handler that recovers", "Timer.del", func() {
		w, _ := New(Options{})
		other := w.AfterFunc(time.Hour, func() {})
		w.AfterFunc(0, func() {
			defer func() { _ = recover() }()
			breakLevels(other)
			other.Del()
		})
		select {}
	}},
	{"in OnPanic", "Timer.register", func() {
		var x Timer
		w, _ := New(Options{OnPanic: func(HandlerPanic) { breakLevels(x); _ = x.Register(time.Hour) }})
		x = w.Alloc(func(Timer) { panic("the handler's own") })
		_ = x.Register(time.Millisecond)
		select {}
	}},
	{"in the Lock of a timer's lock", "Timer.register", func() {
		w, _ := New(Options{})
		x := w.Alloc(func(Timer) {})
		w.AfterFuncLocked(&lockFunc{func() { breakLevels(x); _ = x.Register(time.Hour) }}, time.Millisecond, func() {})
		select {}
	}},
	{"in Close, whose caller recovers", "(*shard).close", func() {
		w, _ := New(Options{})
		defer func() { _ = recover(); _ = w.Close() }()
		breakAnnexes(w.AfterFunc(time.Hour, func() {}))
		_ = w.Close()
	}},
	{"in Advance, whose caller recovers", "(*shard).prefetch", func() {
		w, _ := New(Options{Manual: true})
		defer func() { _ = recover(); _ = w.Close() }()
		breakDue(w.AfterFunc(time.Millisecond, func() {}))
		_, _ = w.Advance(w.Now().Add(time.Second))
	}},
	{"in a call of crash, whose caller recovers", "crash", func() {
		defer func() { _ = recover(); select {} }()
		crash("timerwheel: broken")
	}},
}

// recovering calls f, recovers, and goes on with the wheel. It is a Manual one, on which no worker
// comes upon what is broken first.
func recovering(f func(w *Wheel)) {
	w, _ := New(Options{Manual: true})
	defer func() {
		_ = recover()
		for range w.Timers() {
		}
		w.AfterFunc(0, func() {})
		select {}
	}()
	f(w)
}

// breakDue takes the function of a pending timer away.
func breakDue(t Timer) {
	sh := t.shard()
	sh.mu.Lock()
	i, _ := sh.lookup(t)
	sh.annex(i).funcs[i%chunkLen] = nil
	sh.mu.Unlock()
}

// breakRun makes the running slot of a timer name one that does not exist.
func breakRun(t Timer) {
	sh := t.shard()
	sh.mu.Lock()
	sh.running.At(0).i = 1 << 20
	sh.mu.Unlock()
}

// breakLevels makes the levels of a timer's shard unusable.
func breakLevels(t Timer) {
	sh := t.shard()
	sh.mu.Lock()
	sh.levels = levels.Levels{}
	sh.mu.Unlock()
}

// breakAnnexes makes a shard forget where the functions of its timers are.
func breakAnnexes(t Timer) {
	sh := t.shard()
	sh.mu.Lock()
	sh.annexes = slab.Table[*annex]{}
	sh.mu.Unlock()
}

// Promise 11: a panic of the library's own ends the program, with its trace, also where a caller would
// recover, and where a deferred function would wait for the lock that it left held.
func TestABrokenInvariantEndsTheProgram(t *testing.T) {
	const key = "TIMERWHEEL_BREAK"
	if name, child := os.LookupEnv(key); child {
		for _, b := range breakages {
			if b.name == name {
				go b.do()
				time.Sleep(patience)
				os.Exit(0)
			}
		}
	}
	for _, b := range breakages {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestABrokenInvariantEndsTheProgram$")
			cmd.Env = append(os.Environ(), key+"="+b.name)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "it has not ended:\n%s", out)
			require.Equal(t, 2, exit.ExitCode(), "%s", out)
			require.Contains(t, string(out), "in timerwheel itself")
			if !checkInvariants { // with it, a check may see what is broken before it does harm
				require.Contains(t, string(out), b.where+"(")
			}
		})
	}
}
