package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A logLine is a line of the log.
type logLine struct {
	Level, Msg, Kind, Handler, Value, Stack string
	For                                     time.Duration
}

func (r logLine) String() string {
	switch {
	case r.Value != "":
		return fmt.Sprintf("%s %q %q", r.Level, r.Msg, r.Value)
	case r.Kind == timerwheel.StalledDeletion.String():
		return fmt.Sprintf("%s %q: a deletion has waited %v for %s", r.Level, r.Msg, r.For.Round(time.Millisecond), r.Handler)
	default:
		return fmt.Sprintf("%s %q: for %v in %s", r.Level, r.Msg, r.For.Round(time.Millisecond), r.Handler)
	}
}

func read(log io.Reader) (lines []logLine, err error) {
	for d := json.NewDecoder(log); ; {
		var r logLine
		if err := d.Decode(&r); err == io.EOF {
			return lines, nil
		} else if err != nil {
			return nil, err
		}
		lines = append(lines, r)
	}
}

// stalls counts the lines about the handler that sleeps too long, or about the deletion
// that waits for it. On a busy machine other handlers may be slow as well.
func stalls(lines []logLine, kind timerwheel.StallKind) (n int) {
	for _, r := range lines {
		if r.Level == "WARN" && r.Kind == kind.String() && r.For >= stallAfter && strings.Contains(r.Stack, "main.sleepTooLong") {
			n++
		}
	}
	return n
}

func crashes(lines []logLine) (n int) {
	for _, r := range lines {
		if r.Level == "ERROR" && r.Value == "no such session" && strings.Contains(r.Stack, "main.panics") {
			n++
		}
	}
	return n
}

func report(f *findings, lines []logLine, s timerwheel.Stats) error {
	mean := s.SumLate / time.Duration(max(1, s.Fired))
	fmt.Printf("         %d scrapes; %d registered, %d fired, %d removed, %d refused, %d deletions waited\n",
		f.scrapes, f.last.Registered, f.last.Fired, f.last.Removed, f.last.Refused, f.last.SyncWaits)
	fmt.Printf("         handlers began %v late on average, %v at worst; the longest ran for %v\n",
		mean.Round(time.Microsecond), s.MaxLate.Round(time.Microsecond), s.MaxRun.Round(time.Microsecond))
	for _, r := range lines {
		fmt.Println("         logged:", r)
	}
	fmt.Println()

	failed := 0
	expect := func(ok bool, what string) {
		result := "ok    "
		if !ok {
			result = "FAILED"
			failed++
		}
		fmt.Printf("  %s  %s\n", result, what)
	}
	expect(f.unbalanced == 0, "in each scrape, Registered = Fired + Removed + Pending")
	expect(f.uncounted == 0, "in each scrape, each handler that began has a lateness")
	expect(f.outdated == 0, "each scrape is taken during its request")
	expect(f.last == s && s.Fired > 0 && s.Removed > 0 && s.Refused > 0, "the last scrape equals the final Stats of the wheel")
	expect(s.MaxRun >= tooLong, "the longest run is that of the handler that stalled")
	expect(stalls(lines, timerwheel.StalledHandler) == 1 && stalls(lines, timerwheel.StalledDeletion) == 1, "its stall was logged once, and that of the deletion that waited for it once")
	expect(crashes(lines) == 1, "the panic was logged once, and the program continued")
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}
