package debug

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel"
)

// This file has the words of the verdict: numbers, times, functions and lines.

// stacks is where the stacks of a program are that serves net/http/pprof.
const stacks = "/debug/pprof/goroutine?debug=2"

// stack says where to find the stack of a goroutine.
func stack(goroutine uint64) string { return fmt.Sprintf("goroutine %d at %s", goroutine, stacks) }

// number formats a number with thousands separators.
func number[T int | uint64](n T) string {
	digits := strconv.FormatUint(uint64(n), 10)
	for k := len(digits) - 3; k > 0; k -= 3 {
		digits = digits[:k] + "," + digits[k:]
	}
	return digits
}

// count formats a number and what is counted.
func count[T int | uint64](n T, one, many string) string {
	return number(n) + " " + plural(n, one, many)
}

func plural[T int | uint64](n T, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// allWorkers is the beginning of a sentence.
func allWorkers(n int) string {
	if n == 1 {
		return "The only worker is busy"
	}
	return fmt.Sprintf("All %s workers are busy", number(n))
}

func succeeded(n uint64) string {
	if n == 0 {
		return "none succeeded"
	}
	return number(n) + " succeeded"
}

const (
	day  = 24 * time.Hour
	year = 8766 * time.Hour
)

// span formats a time in the unit that fits, with a second one from minutes on.
func span(d time.Duration) string {
	switch {
	case d >= 10*year:
		return number(uint64(d/year)) + " years"
	case d >= 100*day:
		return number(uint64(d/day)) + " days"
	case d >= day:
		return twoUnits(d, day, "d", time.Hour, "h")
	case d >= time.Hour:
		return twoUnits(d, time.Hour, "h", time.Minute, "min")
	case d >= time.Minute:
		return twoUnits(d, time.Minute, "min", time.Second, "s")
	case d >= 9950*time.Millisecond:
		return oneUnit(d, time.Second, "s")
	case d >= time.Second:
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + " s"
	case d >= time.Millisecond:
		return oneUnit(d, time.Millisecond, "ms")
	case d >= time.Microsecond:
		return oneUnit(d, time.Microsecond, "µs")
	default:
		return oneUnit(d, time.Nanosecond, "ns")
	}
}

func oneUnit(d, unit time.Duration, name string) string {
	return fmt.Sprintf("%d %s", min(d.Round(unit)/unit, 999), name)
}

func twoUnits(d, unit time.Duration, name string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/unit, name)
	if rest := d % unit / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// functionOf and lineOf split "function file:line", and shorten both: without the directories.
func functionOf(place string) string {
	function, _, _ := strings.Cut(place, " ")
	if function == "" {
		return "a deletion"
	}
	return path.Base(function)
}

func lineOf(place string) string {
	_, line, found := strings.Cut(place, " ")
	if !found {
		return ""
	}
	return base(line)
}

// base returns a file's name without its directories.
func base(file string) string { return file[strings.LastIndexAny(file, `/\`)+1:] }

// placeOf formats "function file:line" as "function (file:line)".
func placeOf(place string) string {
	if line := lineOf(place); line != "" {
		return fmt.Sprintf("%s (%s)", functionOf(place), line)
	}
	return functionOf(place)
}

// cause returns the text of an error of the wheel, without the name of the package.
func cause(err error) string { return strings.TrimPrefix(err.Error(), "timerwheel: ") }

// shortCause returns it without the directories of files and functions.
func shortCause(err error) string {
	words := strings.Split(cause(err), " ")
	for k, word := range words {
		words[k] = base(word)
	}
	return strings.Join(words, " ")
}

// runs are runs of one handler, the oldest first. There is at least one.
type runs []timerwheel.RunInfo

func (g runs) function() string { return functionOf(g[0].Handler) }

// place returns the function, and its line. Where that is not known, as of a method, it returns the
// line at which the timer was allocated, if that is.
func (g runs) place() string {
	if lineOf(g[0].Handler) == "" && g[0].AllocatedAt != "" {
		return fmt.Sprintf("%s (allocated at %s)", g.function(), base(g[0].AllocatedAt))
	}
	return placeOf(g[0].Handler)
}

// group returns the wanted runs by their handlers, the group of the oldest first.
func group(all []timerwheel.RunInfo, wanted func(timerwheel.RunInfo) bool) (groups []runs) {
	for _, r := range all {
		if !wanted(r) {
			continue
		}
		k := slices.IndexFunc(groups, func(g runs) bool { return g[0].Handler == r.Handler })
		if k < 0 {
			k = len(groups)
			groups = append(groups, nil)
		}
		groups[k] = append(groups[k], r)
	}
	return groups
}

// health says that nothing is wrong, with the figures that matter.
func (j *judge) health() string {
	s := &j.in.Stats
	text := "Healthy: no timer is pending; "
	if s.Pending > 0 {
		text = fmt.Sprintf("Healthy: %s pending, the next %s; ", count(s.Pending, "timer is", "timers are"), j.next())
	}
	text += j.busy() + "."
	switch {
	case s.Fired > 0:
		text += " " + j.lateness()
	case s.Running == 0 && s.Due == 0:
		text += " Nothing was due yet."
	}
	return text
}

// busy says how many workers run a handler.
func (j *judge) busy() string {
	n := j.in.Stats.Running
	return fmt.Sprintf("%s of %s %s busy", number(n), count(j.in.Options.MaxWorkers, "worker", "workers"), plural(n, "is", "are"))
}

// otherTimers says, once in a verdict, whether the timers that no finding is about fire on time.
func (j *judge) otherTimers() string {
	if len(j.findings) > 0 || j.in.Closed || j.in.Options.Manual || j.in.Held > 0 {
		return ""
	}
	if _, late := j.overdue(); late {
		return " Other timers fire late, too."
	}
	if j.allBusy() {
		return " All workers are busy: a timer that becomes due now fires late."
	}
	return fmt.Sprintf(" Other timers still fire on time: %s, none is due late.", j.busy())
}

// stallAfter names the threshold of what lasts for long.
func (j *judge) stallAfter() string { return "StallAfter, " + span(j.in.Options.StallAfter) }

// threshold says which threshold a delay has crossed.
func (j *judge) threshold(delay time.Duration) string {
	if delay >= j.in.Options.StallAfter {
		return "longer than " + j.stallAfter()
	}
	return "longer than " + span(j.shortestDelay())
}

// next says when the next timer fires, as far as the wheel knows, and no finer than the tick.
func (j *judge) next() string {
	switch d := j.in.Next.Sub(j.in.Now); {
	case d <= 0:
		return "is due now"
	case d < j.in.Options.Tick:
		return "fires within " + span(j.in.Options.Tick)
	case d < time.Minute, d >= day:
		return fmt.Sprintf("fires no earlier than in %s", span(d))
	default:
		return fmt.Sprintf("fires no earlier than %s (in %s)", j.in.Next.Format("15:04:05 MST"), span(d))
	}
}

// lateness says how late handlers have begun, no finer than the tick.
func (j *judge) lateness() string {
	worst := max(j.in.Options.Tick, j.in.Stats.MaxLate)
	if most := max(j.in.Options.Tick, upperBound(&j.in.Stats.Lateness, .99)); most < worst {
		return fmt.Sprintf("99 %% of handlers began less than %s late, the worst %s.", span(most), span(worst))
	}
	return fmt.Sprintf("Handlers began at most %s late.", span(worst))
}

// upperBound returns a time that a share of what a histogram counts does not reach.
func upperBound(buckets *[25]uint64, share float64) time.Duration {
	total := uint64(0)
	for _, n := range buckets {
		total += n
	}
	wanted, sum := uint64(math.Ceil(float64(total)*share)), uint64(0)
	for k, n := range buckets[:len(buckets)-1] {
		if sum += n; sum >= wanted {
			return time.Microsecond << k
		}
	}
	return math.MaxInt64
}
