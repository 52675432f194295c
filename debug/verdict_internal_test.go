package debug

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

var now = time.Date(2000, 1, 1, 3, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// inspection returns that of a wheel of four workers that is well, after some changes.
func inspection(changes ...func(*timerwheel.Inspection)) *timerwheel.Inspection {
	in := &timerwheel.Inspection{
		Options: timerwheel.Options{Tick: time.Millisecond, MaxWorkers: 4, StallAfter: time.Second},
		Start:   ago(time.Hour),
		Now:     now,
	}
	for _, change := range changes {
		change(in)
	}
	return in
}

// running adds handlers in flight.
func running(runs ...timerwheel.RunInfo) func(*timerwheel.Inspection) {
	return func(in *timerwheel.Inspection) {
		in.Runs = append(in.Runs, runs...)
		in.Stats.Running += len(runs)
		in.Stats.Workers += len(runs)
	}
}

func run(handler string, goroutine uint64, age time.Duration, waits ...timerwheel.WaitInfo) timerwheel.RunInfo {
	return timerwheel.RunInfo{
		RunningHandler: timerwheel.RunningHandler{Since: ago(age), Waiters: len(waits)},
		Handler:        handler,
		Goroutine:      goroutine,
		Waits:          waits,
	}
}

func wait(at string, goroutine uint64, age time.Duration) timerwheel.WaitInfo {
	return timerwheel.WaitInfo{At: at, Goroutine: goroutine, Since: ago(age)}
}

// due makes timers wait for a worker.
func due(n int, since time.Duration) func(*timerwheel.Inspection) {
	return func(in *timerwheel.Inspection) { in.Stats.Due, in.Due, in.DueSince = n, n, ago(since) }
}

func misuses(all ...timerwheel.MisuseInfo) func(*timerwheel.Inspection) {
	return func(in *timerwheel.Inspection) {
		in.Options.Debug = true
		in.Misuses = all
		for _, m := range all {
			in.Stats.Misuses += uint64(m.Timers)
		}
	}
}

const (
	expire = "example.com/chat/main.(*session).expire"
	slow   = "example.com/chat/main.slowBackend /src/chat/main.go:25"
	other  = "example.com/chat/main.other /src/chat/other.go:7"
	closer = "example.com/chat/main.(*session).close /src/chat/session.go:44"
)

// Each condition has its words.
func TestVerdict(t *testing.T) {
	const see = "at /debug/pprof/goroutine?debug=2"
	for name, row := range map[string]struct {
		in      *timerwheel.Inspection
		samples []Sample
		want    []Finding
	}{
		"new": {
			in:   inspection(),
			want: []Finding{{green, healthy, "Healthy: no timer is pending; 0 of 4 workers are busy. Nothing was due yet.", ""}},
		},
		"healthy": {
			in: inspection(running(run(slow, 1, time.Millisecond)), func(in *timerwheel.Inspection) {
				in.Next = now.Add(2300 * time.Millisecond)
				in.Stats.Pending, in.Stats.Fired, in.Stats.MaxLate = 1_000_000, 200, 23*time.Second
				in.Stats.Lateness[3], in.Stats.Lateness[12], in.Stats.Lateness[24] = 150, 48, 2
			}),
			want: []Finding{{green, healthy, "Healthy: 1,000,000 timers are pending, the next fires no earlier than in 2.3 s; 1 of 4 workers is busy. 99 % of handlers began less than 4 ms late, the worst 23 s.", ""}},
		},
		"the next firing is far away": {
			in:   inspection(func(in *timerwheel.Inspection) { in.Next, in.Stats.Pending = now.Add(114*time.Second), 2 }),
			want: []Finding{{green, healthy, "Healthy: 2 timers are pending, the next fires no earlier than 03:01:54 UTC (in 1 min 54 s); 0 of 4 workers are busy. Nothing was due yet.", ""}},
		},
		"the next firing is days away": {
			in:   inspection(func(in *timerwheel.Inspection) { in.Next, in.Stats.Pending = now.Add(76*time.Hour), 1 }),
			want: []Finding{{green, healthy, "Healthy: 1 timer is pending, the next fires no earlier than in 3 d 4 h; 0 of 4 workers are busy. Nothing was due yet.", ""}},
		},
		"healthy, nothing finer than the tick": {
			in: inspection(func(in *timerwheel.Inspection) {
				in.Next = now.Add(time.Microsecond)
				in.Stats.Pending, in.Stats.Fired, in.Stats.MaxLate = 1, 100, 3*time.Microsecond
				in.Stats.Lateness[2] = 100
			}),
			want: []Finding{{green, healthy, "Healthy: 1 timer is pending, the next fires within 1 ms; 0 of 4 workers are busy. Handlers began at most 1 ms late.", ""}},
		},
		"saturated": {
			in: inspection(running(run(other, 1, 9*time.Second), run(slow, 2, 3*time.Second), run(slow, 3, 3*time.Second), run(slow, 4, 2300*time.Millisecond)), due(4744, 2100*time.Millisecond)),
			want: []Finding{
				{red, saturated, "All 4 workers are busy for 2.3 s; 4,744 timers are due, the first for 2.1 s. 3 handlers are main.slowBackend (main.go:25).",
					"No timer fires until a handler ends: the delay is longer than StallAfter, 1 s. Find out what main.slowBackend waits for: goroutine 2 " + see + ". Raise Options.MaxWorkers (4) if so many handlers may block at once."},
				{yellow, longRun, "main.other (other.go:7) has run for 9 s.", "That is longer than StallAfter, 1 s. See where it is: goroutine 1 " + see + ". A deletion of its timer has to wait for it."},
			},
		},
		"saturated, and others run for long": {
			in: inspection(running(run(other, 1, 9*time.Second), run(other, 2, 9*time.Second), run(slow, 3, 3*time.Second), run(slow, 4, 3*time.Second), run(slow, 5, 3*time.Second)), due(1, 2*time.Second)),
			want: []Finding{
				{red, saturated, "All 4 workers are busy for 3 s; 1 timer is due, the first for 2 s. 3 handlers are main.slowBackend (main.go:25).",
					"No timer fires until a handler ends: the delay is longer than StallAfter, 1 s. Find out what main.slowBackend waits for: goroutine 3 " + see + ". Raise Options.MaxWorkers (4) if so many handlers may block at once."},
				{yellow, longRun, "2 other handlers have run for long, the oldest for 9 s: main.other (other.go:7).",
					"That is longer than StallAfter, 1 s. See where the oldest is: goroutine 1 " + see + ". A deletion of its timer has to wait for it."},
			},
		},
		"a deletion that is stuck, and other timers are late": {
			in: inspection(running(run(slow, 1, time.Minute, wait(closer, 2, time.Minute))), due(1, 2*time.Second)),
			want: []Finding{
				{red, stuckDeletion, "main.(*session).close (session.go:44) waits for main.slowBackend (main.go:25), which has run for 1 min.",
					"Goroutine 2 has been blocked for longer than StallAfter, 1 s. Other timers fire late, too. Perhaps a deadlock: does main.(*session).close hold a lock that main.slowBackend wants? The wheel cannot see locks. Compare goroutines 2 and 1 " + see +
						". Unlock before the deletion, or delete with Del, which does not wait."},
				{red, late, "1 timer is due, the first for 2 s, although only 1 of 4 workers is busy.",
					"Timers fire late: the delay is longer than StallAfter, 1 s. The processors are busy, or the process stood still. Look at the load of the machine, its CPU limits and /debug/pprof/profile."},
			},
		},
		"saturated, for a short time": {
			in: inspection(func(in *timerwheel.Inspection) { in.Options.MaxWorkers = 1 }, running(run(slow, 2, time.Millisecond)), due(1, 150*time.Millisecond)),
			want: []Finding{{yellow, saturated, "The only worker is busy for 1 ms; 1 timer is due, the first for 150 ms. 1 handler is main.slowBackend (main.go:25).",
				"No timer fires until a handler ends: the delay is longer than 100 ms. Find out what main.slowBackend waits for: goroutine 2 " + see + ". Raise Options.MaxWorkers (1) if so many handlers may block at once."}},
		},
		"saturated, with more handlers than are known": {
			in: inspection(running(run(slow, 2, time.Millisecond)), due(1, 5*time.Second), func(in *timerwheel.Inspection) { in.Stats.Running = 4 }),
			want: []Finding{{red, saturated, "All 4 workers are busy; 1 timer is due, the first for 5 s. 1 handler of the oldest 1 is main.slowBackend (main.go:25).",
				"No timer fires until a handler ends: the delay is longer than StallAfter, 1 s. Find out what main.slowBackend waits for: goroutine 2 " + see + ". Raise Options.MaxWorkers (4) if so many handlers may block at once."}},
		},
		"all workers are busy, and nothing is due": {
			in:   inspection(running(run(slow, 1, 0), run(slow, 2, 0), run(slow, 3, 0), run(slow, 4, 0))),
			want: []Finding{{green, healthy, "Healthy: no timer is pending; 4 of 4 workers are busy.", ""}},
		},
		"a host decides when the timers of a Manual wheel fire": {
			in:   inspection(due(3, time.Hour), func(in *timerwheel.Inspection) { in.Options.Manual = true }),
			want: []Finding{{green, healthy, "Healthy: no timer is pending; 0 of 4 workers are busy.", ""}},
		},
		"a deletion that is stuck": {
			in: inspection(running(run(expire, 12, 58*time.Second, wait(closer, 34, 57*time.Second)))),
			want: []Finding{{red, stuckDeletion, "main.(*session).close (session.go:44) waits for main.(*session).expire, which has run for 58 s.",
				"Goroutine 34 has been blocked for longer than StallAfter, 1 s. Other timers still fire on time: 1 of 4 workers is busy, none is due late. Perhaps a deadlock: does main.(*session).close hold a lock that main.(*session).expire wants? The wheel cannot see locks. Compare goroutines 34 and 12 " + see +
					". Unlock before the deletion, or delete with Del, which does not wait. Its line is not known: allocate with Options.Debug to see where."}},
		},
		"deletions that are stuck": {
			in: inspection(running(run(slow, 12, 61*time.Second, wait(closer, 34, 57*time.Second), wait(closer, 35, 0)), run(slow, 13, 50*time.Second, wait(closer, 36, 40*time.Second)), run(slow, 14, 2*time.Second))),
			want: []Finding{
				{red, stuckDeletion, "main.(*session).close (session.go:44) and 2 other deletions wait for 2 handlers main.slowBackend (main.go:25); the oldest has run for 1 min 1 s.",
					"Goroutine 34 has been blocked for longer than StallAfter, 1 s. Other timers still fire on time: 3 of 4 workers are busy, none is due late. Perhaps a deadlock: does main.(*session).close hold a lock that main.slowBackend wants? The wheel cannot see locks. Compare goroutines 34 and 12 " + see + ". Unlock before the deletion, or delete with Del, which does not wait."},
				{yellow, longRun, "main.slowBackend (main.go:25) has run for 2 s.", "That is longer than StallAfter, 1 s. See where it is: goroutine 14 " + see + ". A deletion of its timer has to wait for it."},
			},
		},
		"a deletion that waits, but not for long": {
			in:   inspection(running(run(slow, 1, 900*time.Millisecond, wait(closer, 2, 900*time.Millisecond)))),
			want: []Finding{{green, healthy, "Healthy: no timer is pending; 1 of 4 workers is busy.", ""}},
		},
		"the end of a chain is not known": {
			in: inspection(running(waiting(run(slow, 2, 8*time.Second, wait(closer, 3, 7*time.Second)), 99))),
			want: []Finding{{red, stuckDeletion, "main.(*session).close (session.go:44) waits for main.slowBackend (main.go:25), which has run for 8 s.",
				"Goroutine 3 has been blocked for longer than StallAfter, 1 s. Other timers still fire on time: 1 of 4 workers is busy, none is due late. Perhaps a deadlock: does main.(*session).close hold a lock that main.slowBackend wants? The wheel cannot see locks. Compare goroutines 3 and 2 " + see + ". Unlock before the deletion, or delete with Del, which does not wait."}},
		},
		"a chain is reported once, at its end": {
			in: inspection(running(
				run(other, 1, 9*time.Second, wait(slow, 2, 8*time.Second)),
				waiting(run(slow, 2, 8*time.Second, wait(closer, 3, 7*time.Second)), 1))),
			want: []Finding{{red, stuckDeletion, "main.slowBackend (main.go:25) waits for main.other (other.go:7), which has run for 9 s.",
				"Goroutine 2 has been blocked for longer than StallAfter, 1 s. Other timers still fire on time: 2 of 4 workers are busy, none is due late. Perhaps a deadlock: does main.slowBackend hold a lock that main.other wants? The wheel cannot see locks. Compare goroutines 2 and 1 " + see + ". Unlock before the deletion, or delete with Del, which does not wait."}},
		},
		"a DelAsync blocks no goroutine": {
			in:   inspection(running(run(slow, 1, 100*time.Millisecond, timerwheel.WaitInfo{At: closer, Async: true, Since: ago(time.Minute)}))),
			want: []Finding{{green, healthy, "Healthy: no timer is pending; 1 of 4 workers is busy.", ""}},
		},
		"a handler that runs for long": {
			in:   inspection(running(allocated(run(other, 7, time.Second), "/src/chat/main.go:9"), run(slow, 1, 999*time.Millisecond))),
			want: []Finding{{yellow, longRun, "main.other (other.go:7) has run for 1 s.", "That is longer than StallAfter, 1 s. Other timers still fire on time: 2 of 4 workers are busy, none is due late. See where it is: goroutine 7 " + see + ". A deletion of its timer has to wait for it."}},
		},
		"handlers that run for long, and Debug": {
			in: inspection(running(allocated(run(expire, 1, 2*time.Hour), "/src/chat/session.go:24"), allocated(run(expire, 2, time.Minute), ""))),
			want: []Finding{{yellow, longRun, "2 handlers have run for long, the oldest for 2 h: main.(*session).expire (allocated at session.go:24).",
				"That is longer than StallAfter, 1 s. Other timers still fire on time: 2 of 4 workers are busy, none is due late. See where the oldest is: goroutine 1 " + see + ". A deletion of its timer has to wait for it."}},
		},
		"a handler of which Debug remembers nothing": {
			in: inspection(running(run(expire, 1, time.Minute)), func(in *timerwheel.Inspection) { in.Options.Debug, in.Options.DebugEvery = true, 100 }),
			want: []Finding{{yellow, longRun, "main.(*session).expire has run for 1 min.",
				"That is longer than StallAfter, 1 s. Other timers still fire on time: 1 of 4 workers is busy, none is due late. See where it is: goroutine 1 " + see + ". A deletion of its timer has to wait for it. Its line is not known: Options.DebugEvery remembers only some timers."}},
		},
		"late, though workers are free": {
			in: inspection(running(run(slow, 1, 0)), due(17, 2*time.Second)),
			want: []Finding{{red, late, "17 timers are due, the first for 2 s, although only 1 of 4 workers is busy.",
				"Timers fire late: the delay is longer than StallAfter, 1 s. The processors are busy, or the process stood still. Look at the load of the machine, its CPU limits and /debug/pprof/profile."}},
		},
		"late, as workers wait for locks": {
			in: inspection(running(run(slow, 1, 0)), due(17, 200*time.Millisecond), func(in *timerwheel.Inspection) { in.Stats.Workers = 4 }),
			want: []Finding{{yellow, late, "17 timers are due, the first for 200 ms. Only 1 of 4 workers run a handler.",
				"Timers fire late: the delay is longer than 100 ms. The others wait for locks that timers are bound to (AllocLocked). OnStall reports which."}},
		},
		"saturated for a moment, which passes by itself": {
			in:   inspection(func(in *timerwheel.Inspection) { in.Options.MaxWorkers = 1 }, running(run(slow, 2, time.Millisecond)), due(1, 99*time.Millisecond)),
			want: []Finding{{green, healthy, "Healthy: no timer is pending; 1 of 1 worker is busy.", ""}},
		},
		"a delay that passes by itself": {
			in:   inspection(due(17, 99*time.Millisecond)),
			want: []Finding{{green, healthy, "Healthy: no timer is pending; 0 of 4 workers are busy.", ""}},
		},
		"held": {
			in:      inspection(func(in *timerwheel.Inspection) { in.Stats.Due, in.Held, in.Stats.Fired = 2, 2, 5 }),
			samples: []Sample{{At: ago(9 * time.Second), Fired: 4, Due: 2}, {At: ago(8 * time.Second), Fired: 5, Due: 2}, {At: now, Fired: 5, Due: 2}},
			want: []Finding{{yellow, held, "2 timers are due but held, and no handler has begun for 8 s.",
				"They do not fire, for longer than StallAfter, 1 s. They wait for the lock that they are bound to (AllocLocked), or for their own last run. Options.OnStall reports such waits."}},
		},
		"due, and neither held nor in line, as a firing of stdtime": {
			in:      inspection(func(in *timerwheel.Inspection) { in.Stats.Due, in.Stats.Fired = 2, 5 }),
			samples: []Sample{{At: ago(8 * time.Second), Fired: 5, Due: 2}, {At: now, Fired: 5, Due: 2}},
			want:    []Finding{{green, healthy, "Healthy: no timer is pending; 0 of 4 workers are busy. Handlers began at most 1 ms late.", ""}},
		},
		"leaks": {
			in: inspection(misuses(
				timerwheel.MisuseInfo{Err: timerwheel.ErrLeaked, Timers: 1200, AllocatedAt: "/src/chat/a.go:1"},
				timerwheel.MisuseInfo{Err: timerwheel.ErrLeaked, Timers: 3, AllocatedAt: "/src/chat/b.go:2"},
				timerwheel.MisuseInfo{Err: timerwheel.ErrLeaked, Timers: 2},
				timerwheel.MisuseInfo{Err: timerwheel.ErrLeaked, Timers: 1, AllocatedAt: "/src/chat/c.go:3"}),
				func(in *timerwheel.Inspection) { in.Closed = true }),
			want: []Finding{
				{yellow, closed, "The wheel is closed: no timer fires any more.", "That is normal if the program ends."},
				{yellow, leaked, "1,206 timers leaked, allocated at a.go:1, at b.go:2, at a place that is not remembered and 1 other place.",
					"Nothing else is hurt. They still had an owner when the wheel was closed. Each owner must call Free, which gives it back."},
			},
		},
		"deadlocks that were refused": {
			in: inspection(misuses(timerwheel.MisuseInfo{At: ago(3 * time.Minute), Err: fmt.Errorf("%w: handler main.a, at chat/a.go:1", timerwheel.ErrDeadlock)})),
			want: []Finding{{yellow, deadlock, "1 call returned ErrDeadlock, the last 3 min ago: would wait for itself: handler main.a, at a.go:1.",
				"The call did not wait, so the handler may still run after it. In a handler, delete with Del, which does not wait, or DelAsync, which calls back."}},
		},
		"misuses": {
			in: inspection(misuses(
				timerwheel.MisuseInfo{At: ago(3 * time.Second), Err: fmt.Errorf("%w: Timer(1.2#3) of example.com/chat/main.f, allocated at chat/f.go:3", timerwheel.ErrStale), Timers: 1},
				timerwheel.MisuseInfo{At: ago(time.Hour), Err: timerwheel.ErrFreed, Timers: 1}),
				func(in *timerwheel.Inspection) { in.Stats.Misuses = 40 }),
			want: []Finding{{yellow, misused, "A timer was used after its end, or freed too often (40 times). The last, 3 s ago: stale timer: Timer(1.2#3) of main.f, allocated at f.go:3.",
				"The call had no effect. Find the owner that goes on after its Free."}},
		},
		"misuses without Debug": {
			in:   inspection(func(in *timerwheel.Inspection) { in.Stats.Misuses = 1 }),
			want: []Finding{{yellow, misused, "A timer was used after its end, or freed too often (1 time).", "Where is not known: allocate with Options.Debug to see lines."}},
		},
		"refused": {
			in:      inspection(func(in *timerwheel.Inspection) { in.Stats.Refused, in.Stats.Registered = 15, 1290 }),
			samples: []Sample{{At: ago(time.Hour), Refused: 1}, {At: ago(45 * time.Second), Refused: 2, Registered: 3}, {At: now, Refused: 15, Registered: 1290}},
			want: []Finding{{yellow, refused, "13 registrations were refused in the last 45 s; 1,287 succeeded.",
				"A refused registration fires nothing. The timers were being deleted, shut down or stale, or the wheel was closed. The error of Register says which."}},
		},
		"refused, as often happens": {
			in:      inspection(func(in *timerwheel.Inspection) { in.Stats.Refused, in.Stats.Registered = 3, 1290 }),
			samples: []Sample{{At: ago(45 * time.Second), Refused: 2}, {At: now, Refused: 3, Registered: 1290}},
			want: []Finding{
				{green, healthy, "Healthy: no timer is pending; 0 of 4 workers are busy. Nothing was due yet.", ""},
				{green, refused, "1 registration was refused in the last 45 s; 1,290 succeeded.",
					"A refused registration fires nothing. The timers were being deleted, shut down or stale, or the wheel was closed. The error of Register says which."},
			},
		},
		"refused long ago": {
			in:      inspection(func(in *timerwheel.Inspection) { in.Stats.Refused = 3 }),
			samples: []Sample{{At: ago(time.Hour), Refused: 2}, {At: now, Refused: 3}},
			want:    []Finding{{green, healthy, "Healthy: no timer is pending; 0 of 4 workers are busy. Nothing was due yet.", ""}},
		},
		"closed, and handlers run": {
			in:   inspection(running(run(slow, 1, 0)), func(in *timerwheel.Inspection) { in.Closed = true }),
			want: []Finding{{yellow, closed, "The wheel is closed, and 1 handler still runs.", "Close waits for them. No timer fires any more."}},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, verdict(row.in, row.samples)) })
	}
}

// The worst comes first, whatever else there is.
func TestTheWorstComesFirst(t *testing.T) {
	in := inspection(
		running(run(expire, 1, time.Minute, wait(closer, 9, time.Minute)), run(slow, 2, time.Minute), run(slow, 3, time.Minute), run(other, 4, time.Minute)),
		due(1, time.Minute),
		misuses(timerwheel.MisuseInfo{Err: timerwheel.ErrStale, Timers: 1}, timerwheel.MisuseInfo{Err: timerwheel.ErrDeadlock}, timerwheel.MisuseInfo{Err: timerwheel.ErrLeaked, Timers: 1}),
		func(in *timerwheel.Inspection) { in.Closed = true; in.Stats.Refused = 1 })
	var kinds []string
	for _, f := range verdict(in, []Sample{{At: ago(time.Second)}, {At: now}}) {
		kinds = append(kinds, f.Kind)
	}
	require.Equal(t, []string{saturated, stuckDeletion, longRun, closed, leaked, deadlock, misused, refused}, kinds)
}

// A verdict names a few handlers of each kind, not hundreds.
func TestVerdictIsShort(t *testing.T) {
	var all []timerwheel.RunInfo
	for k := range 100 {
		all = append(all, run(fmt.Sprintf("main.f%d", k), uint64(k), time.Minute, wait(closer, 1000+uint64(k), time.Minute)))
		all = append(all, run(fmt.Sprintf("main.g%d", k), uint64(100+k), time.Minute))
	}
	in := inspection(running(all...))
	in.Options.MaxWorkers = 1000
	require.Len(t, verdict(in, nil), 2*mostGroups)
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ns", 999: "999 ns", 1500: "2 µs", 999_900: "999 µs", 1_000_000: "1 ms", 999_999_999: "999 ms",
		time.Second: "1 s", 2340 * time.Millisecond: "2.3 s", 9949 * time.Millisecond: "9.9 s", 9960 * time.Millisecond: "10 s", 59900 * time.Millisecond: "60 s",
		time.Minute: "1 min", 74 * time.Second: "1 min 14 s", 125 * time.Minute: "2 h 5 min", 76 * time.Hour: "3 d 4 h", 150 * day: "150 days", 1<<63 - 1: "292 years",
	} {
		require.Equal(t, want, span(d))
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1_234_567: "1,234,567", 1<<64 - 1: "18,446,744,073,709,551,615"} {
		require.Equal(t, want, number(n))
	}
	require.Equal(t, "a deletion", placeOf(""))
	require.Equal(t, "main.f (x.go:1)", placeOf(`main.f C:\src\x.go:1`))
	require.Equal(t, "gone", cause(errors.New("timerwheel: gone")))
}

func allocated(r timerwheel.RunInfo, at string) timerwheel.RunInfo {
	r.AllocatedAt = at
	return r
}

// waiting makes a handler wait in a deletion for another.
func waiting(r timerwheel.RunInfo, goroutine uint64) timerwheel.RunInfo {
	r.Waiting, r.WaitsFor = &timerwheel.WaitInfo{Goroutine: r.Goroutine, Since: r.Since}, []uint64{goroutine}
	return r
}
