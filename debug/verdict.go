package debug

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file says in words what is wrong with a wheel. It decides by an Inspection and the samples
// alone. Each condition has a method of judge, a kind, and a row in the test. words.go has the words.

// A Finding is one statement of the verdict on a wheel. The first Finding of a [Report] is the
// worst.
type Finding struct {
	Level  string `json:"level"`            // "red": stuck or late now; "yellow": wrong, or soon may be; "green": as it should be
	Kind   string `json:"kind"`             // for programs: see the list
	Text   string `json:"text"`             // what is
	Advice string `json:"advice,omitempty"` // what is hurt, what to do, and what the wheel does not know
}

// The levels and the kinds of a Finding.
const (
	red    = "red"
	yellow = "yellow"
	green  = "green"

	healthy       = "healthy"        // nothing below was found, except remarks
	saturated     = "saturated"      // all workers are busy, and timers are due
	stuckDeletion = "stuck_deletion" // a deletion has waited for StallAfter or longer: perhaps a deadlock
	late          = "late"           // timers are late although workers are free
	held          = "held"           // timers are due, but are held by their lock or by their own run
	longRun       = "long_run"       // a handler has run for StallAfter or longer
	closed        = "closed"         // the wheel is closed
	leaked        = "leaked"         // a timer had an owner when the wheel was closed
	deadlock      = "deadlock"       // a call returned ErrDeadlock
	misused       = "misused"        // a timer was used after its end, or freed too often
	refused       = "refused"        // registrations were refused
)

const (
	minLate    = 100 * time.Millisecond // a shorter delay passes by itself, as that of a garbage collection
	recent     = 5 * time.Minute        // refusals that are older are forgotten
	manyOf     = 100                    // one refusal of so many registrations is worth a warning
	mostGroups = 3                      // findings of one kind
)

// verdict returns what is wrong with a wheel, the worst first, or that nothing is. It needs the
// samples, the latest of them last, to see what has changed.
func verdict(in *timerwheel.Inspection, samples []Sample) []Finding {
	j := &judge{in: in, samples: samples, told: make(map[uint64]bool)}
	j.saturated()
	j.stuckDeletions()
	j.late()
	j.held()
	j.longRuns()
	j.closed()
	j.leaks()
	j.deadlocks()
	j.misuses()
	j.refusals()
	if !slices.ContainsFunc(j.findings, func(f Finding) bool { return f.Level != green }) {
		j.add(green, healthy, j.health(), "")
		slices.Reverse(j.findings) // what is beside it is a remark
	}
	slices.SortStableFunc(j.findings, func(a, b Finding) int { return severity(b.Level) - severity(a.Level) })
	return j.findings
}

func severity(level string) int { return slices.Index([]string{green, yellow, red}, level) }

// A judge collects findings.
type judge struct {
	in       *timerwheel.Inspection
	samples  []Sample
	told     map[uint64]bool // goroutines of the runs that a finding has named
	findings []Finding
}

func (j *judge) add(level, kind, text, advice string) {
	j.findings = append(j.findings, Finding{level, kind, text, advice})
}

// tell notes that a finding has named some runs.
func (j *judge) tell(named runs) {
	for _, r := range named {
		j.told[r.Goroutine] = true
	}
}

// age returns how long ago something began. It may have begun after Inspect read the time.
func (j *judge) age(since time.Time) time.Duration { return max(0, j.in.Now.Sub(since)) }

// long reports whether something has lasted for StallAfter.
func (j *judge) long(since time.Time) bool { return j.age(since) >= j.in.Options.StallAfter }

// overdue returns for how long the first timer in line has waited for a worker, if that is not so short
// that it passes by itself. On a Manual wheel none waits: the host decides when they fire.
func (j *judge) overdue() (d time.Duration, ok bool) {
	if j.in.DueSince.IsZero() || j.in.Options.Manual {
		return 0, false
	}
	d = j.age(j.in.DueSince)
	return d, d >= j.shortestDelay()
}

// shortestDelay returns the delay from which on timers are late.
func (j *judge) shortestDelay() time.Duration { return max(minLate, 2*j.in.Options.Tick) }

func (j *judge) allBusy() bool { return j.in.Stats.Running >= j.in.Options.MaxWorkers }

// levelOf returns red for what has lasted for StallAfter.
func (j *judge) levelOf(d time.Duration) string {
	if d >= j.in.Options.StallAfter {
		return red
	}
	return yellow
}

// saturated: timers wait because every worker is busy.
func (j *judge) saturated() {
	overdue, ok := j.overdue()
	if !ok || !j.allBusy() {
		return
	}
	text := allWorkers(j.in.Options.MaxWorkers)
	if busy, ok := j.busyFor(); ok {
		text += " for " + span(busy)
	}
	text += fmt.Sprintf("; %s due, the first for %s.", count(j.in.Stats.Due, "timer is", "timers are"), span(overdue))
	hurt := fmt.Sprintf("No timer fires until a handler ends: the delay is %s.", j.threshold(overdue))
	advice := fmt.Sprintf("Raise Options.MaxWorkers (%s) if so many handlers may block at once.", number(j.in.Options.MaxWorkers))
	if groups := group(j.in.Runs, func(timerwheel.RunInfo) bool { return true }); len(groups) > 0 {
		most := slices.MaxFunc(groups, func(a, b runs) int { return len(a) - len(b) })
		text += " " + j.majority(most)
		advice = fmt.Sprintf("Find out what %s waits for: %s. %s", most.function(), stack(most[0].Goroutine), advice)
		j.tell(most)
	}
	j.add(j.levelOf(overdue), saturated, text, hurt+" "+advice)
}

// busyFor returns for how long all workers have been busy at least: since the youngest handler
// began, if all are known.
func (j *judge) busyFor() (d time.Duration, ok bool) {
	n := len(j.in.Runs)
	if n == 0 || n < j.in.Stats.Running {
		return 0, false
	}
	return j.age(j.in.Runs[n-1].Since), true
}

// majority says which handlers keep the workers busy.
func (j *judge) majority(most runs) string {
	of := ""
	if known := len(j.in.Runs); known < j.in.Stats.Running {
		of = fmt.Sprintf(" of the oldest %s", number(known))
	}
	return fmt.Sprintf("%s%s %s %s.", count(len(most), "handler", "handlers"), of, plural(len(most), "is", "are"), most.place())
}

// stuckDeletions: a goroutine has waited long for a handler that waits for no other handler. What
// waits for a handler that waits in turn is not named: it goes on when that one does.
func (j *judge) stuckDeletions() {
	groups := group(j.in.Runs, func(r timerwheel.RunInfo) bool {
		_, stuck := j.stuckWait(r)
		return stuck && !j.waitsForAnother(r)
	})
	for k, g := range groups {
		j.tell(g)
		if k < mostGroups {
			j.stuckDeletion(g)
		}
	}
}

// stuckDeletion reports the deletions that wait for handlers of one function.
func (j *judge) stuckDeletion(g runs) {
	wait, _ := j.stuckWait(g[0])
	others := -1
	for _, r := range g {
		others += r.Waiters
	}
	waiter, verb := placeOf(wait.At), "waits"
	if others > 0 {
		waiter, verb = fmt.Sprintf("%s and %s", waiter, count(others, "other deletion", "other deletions")), "wait"
	}
	text := fmt.Sprintf("%s %s for %s, which has run for %s.", waiter, verb, g.place(), span(j.age(g[0].Since)))
	if len(g) > 1 {
		text = fmt.Sprintf("%s %s for %s handlers %s; the oldest has run for %s.", waiter, verb, number(len(g)), g.place(), span(j.age(g[0].Since)))
	}
	hurt := fmt.Sprintf("Goroutine %d has been blocked for longer than %s.%s ", wait.Goroutine, j.stallAfter(), j.otherTimers())
	j.add(red, stuckDeletion, text, hurt+fmt.Sprintf("Perhaps a deadlock: does %s hold a lock that %s wants? The wheel cannot see locks. Compare goroutines %d and %d at %s. Unlock before the deletion, or delete with Del, which does not wait.",
		functionOf(wait.At), g.function(), wait.Goroutine, g[0].Goroutine, stacks)+j.unknown(g))
}

// stuckWait returns the oldest wait of a goroutine for a run, if it is long. A DelAsync keeps no
// goroutine.
func (j *judge) stuckWait(r timerwheel.RunInfo) (timerwheel.WaitInfo, bool) {
	for _, wait := range r.Waits {
		if !wait.Async {
			return wait, j.long(wait.Since)
		}
	}
	return timerwheel.WaitInfo{}, false
}

// waitsForAnother reports whether a run waits in a deletion for another run that is known.
func (j *judge) waitsForAnother(r timerwheel.RunInfo) bool {
	return r.Waiting != nil && slices.ContainsFunc(j.in.Runs, func(other timerwheel.RunInfo) bool {
		return slices.Contains(r.WaitsFor, other.Goroutine)
	})
}

// longRuns: handlers that no finding has named yet have run for long.
func (j *judge) longRuns() {
	groups := group(j.in.Runs, func(r timerwheel.RunInfo) bool {
		return j.long(r.Since) && !j.waitsForAnother(r) && !j.told[r.Goroutine]
	})
	others := ""
	if len(j.told) > 0 {
		others = "other "
	}
	for _, g := range groups[:min(len(groups), mostGroups)] {
		text, which := fmt.Sprintf("%s has run for %s.", g.place(), span(j.age(g[0].Since))), "it"
		if len(g) > 1 {
			text = fmt.Sprintf("%s %shandlers have run for long, the oldest for %s: %s.", number(len(g)), others, span(j.age(g[0].Since)), g.place())
			which = "the oldest"
		}
		hurt := fmt.Sprintf("That is longer than %s.%s", j.stallAfter(), j.otherTimers())
		j.add(yellow, longRun, text, hurt+" See where "+which+" is: "+stack(g[0].Goroutine)+". A deletion of its timer has to wait for it."+j.unknown(g))
	}
}

// unknown says what a report lacks, and how to get it.
func (j *judge) unknown(g runs) string {
	switch {
	case lineOf(g[0].Handler) != "" || g[0].AllocatedAt != "":
		return ""
	case j.in.Options.Debug:
		return " Its line is not known: Options.DebugEvery remembers only some timers."
	default:
		return " Its line is not known: allocate with Options.Debug to see where."
	}
}

// late: timers wait although workers are free.
func (j *judge) late() {
	overdue, ok := j.overdue()
	if !ok || j.allBusy() {
		return
	}
	s := &j.in.Stats
	hurt := fmt.Sprintf("Timers fire late: the delay is %s.", j.threshold(overdue))
	due := fmt.Sprintf("%s due, the first for %s", count(s.Due, "timer is", "timers are"), span(overdue))
	if s.Workers >= j.in.Options.MaxWorkers {
		j.add(j.levelOf(overdue), late, fmt.Sprintf("%s. Only %s of %s workers run a handler.", due, number(s.Running), number(j.in.Options.MaxWorkers)),
			hurt+" The others wait for locks that timers are bound to (AllocLocked). OnStall reports which.")
		return
	}
	j.add(j.levelOf(overdue), late, fmt.Sprintf("%s, although only %s.", due, j.busy()),
		hurt+" The processors are busy, or the process stood still. Look at the load of the machine, its CPU limits and /debug/pprof/profile.")
}

// held: at every look something was due, and nothing has begun.
func (j *judge) held() {
	if j.in.Held == 0 || !j.in.DueSince.IsZero() || j.in.Options.Manual {
		return
	}
	var quiet time.Duration
	for _, s := range slices.Backward(j.samples) {
		if s.Due == 0 || s.Fired != j.in.Stats.Fired {
			break
		}
		quiet = j.sampleAge(s)
	}
	if quiet < max(interval, j.in.Options.StallAfter) {
		return
	}
	j.add(yellow, held, fmt.Sprintf("%s due but held, and no handler has begun for %s.", count(j.in.Held, "timer is", "timers are"), span(quiet)),
		fmt.Sprintf("They do not fire, for longer than %s.", j.stallAfter())+" They wait for the lock that they are bound to (AllocLocked), or for their own last run. Options.OnStall reports such waits.")
}

// sampleAge returns how old a sample is, by the latest one: the times of samples are those of
// the process, not of the wheel.
func (j *judge) sampleAge(s Sample) time.Duration {
	return j.samples[len(j.samples)-1].At.Sub(s.At)
}

// leaks: timers were not freed before the wheel was closed.
func (j *judge) leaks() {
	var places []string
	total := 0
	for _, m := range j.misusesOf(timerwheel.ErrLeaked) {
		total += m.Timers
		place := "at a place that is not remembered"
		if m.AllocatedAt != "" {
			place = "at " + base(m.AllocatedAt)
		}
		places = append(places, place)
	}
	if total == 0 {
		return
	}
	listed := strings.Join(places[:min(len(places), mostGroups)], ", ")
	if n := len(places) - mostGroups; n > 0 {
		listed += fmt.Sprintf(" and %s", count(n, "other place", "other places"))
	}
	j.add(yellow, leaked, fmt.Sprintf("%s leaked, allocated %s.", count(total, "timer", "timers"), listed),
		"Nothing else is hurt. They still had an owner when the wheel was closed. Each owner must call Free, which gives it back.")
}

// deadlocks: calls were refused because they would have waited for themselves.
func (j *judge) deadlocks() {
	all := j.misusesOf(timerwheel.ErrDeadlock)
	if len(all) == 0 {
		return
	}
	j.add(yellow, deadlock, fmt.Sprintf("%s ErrDeadlock, the last %s ago: %s.", count(len(all), "call returned", "calls returned"), span(j.age(all[0].At)), shortCause(all[0].Err)),
		"The call did not wait, so the handler may still run after it. In a handler, delete with Del, which does not wait, or DelAsync, which calls back.")
}

// misuses: timers were used after their end, or freed too often.
func (j *judge) misuses() {
	all := j.misusesOf(timerwheel.ErrStale, timerwheel.ErrFreed)
	total := max(len(all), int(j.in.Stats.Misuses)-j.leakedTimers())
	if total == 0 {
		return
	}
	text := fmt.Sprintf("A timer was used after its end, or freed too often (%s).", count(total, "time", "times"))
	if len(all) == 0 {
		j.add(yellow, misused, text, "Where is not known: allocate with Options.Debug to see lines.")
		return
	}
	j.add(yellow, misused, fmt.Sprintf("%s The last, %s ago: %s.", text, span(j.age(all[0].At)), shortCause(all[0].Err)),
		"The call had no effect. Find the owner that goes on after its Free.")
}

// misusesOf returns the misuses of some kinds, the latest first.
func (j *judge) misusesOf(kinds ...error) (all []timerwheel.MisuseInfo) {
	for _, m := range j.in.Misuses {
		if slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(m.Err, kind) }) {
			all = append(all, m)
		}
	}
	return all
}

// leakedTimers returns the number of timers that are known to have leaked. Stats counts them as misuses.
func (j *judge) leakedTimers() (n int) {
	for _, m := range j.misusesOf(timerwheel.ErrLeaked) {
		n += m.Timers
	}
	return n
}

// refusals: registrations were refused while somebody looked. Some refusals are ordinary, as
// that of a handler that registers its timer while that is deleted.
func (j *judge) refusals() {
	k := slices.IndexFunc(j.samples, func(s Sample) bool { return j.sampleAge(s) <= recent })
	if k < 0 {
		return
	}
	s, first := &j.in.Stats, j.samples[k]
	refusals, registered := s.Refused-first.Refused, s.Registered-first.Registered
	if refusals == 0 {
		return
	}
	level := green
	if refusals*manyOf >= refusals+registered || j.in.Closed {
		level = yellow
	}
	since := max(interval, j.sampleAge(first))
	j.add(level, refused, fmt.Sprintf("%s refused in the last %s; %s.", count(refusals, "registration was", "registrations were"), span(since), succeeded(registered)),
		"A refused registration fires nothing. The timers were being deleted, shut down or stale, or the wheel was closed. The error of Register says which.")
}

// closed: no timer fires any more.
func (j *judge) closed() {
	switch n := j.in.Stats.Running; {
	case !j.in.Closed:
	case n > 0:
		j.add(yellow, closed, fmt.Sprintf("The wheel is closed, and %s.", count(n, "handler still runs", "handlers still run")), "Close waits for them. No timer fires any more.")
	default:
		j.add(yellow, closed, "The wheel is closed: no timer fires any more.", "That is normal if the program ends.")
	}
}
