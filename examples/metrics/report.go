package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A record is a line of the log.
type record struct {
	Level, Msg, Kind, Handler, Value, Stack string
	For                                     time.Duration
}

func (r record) String() string {
	switch {
	case r.Value != "":
		return fmt.Sprintf("%s %q %q", r.Level, r.Msg, r.Value)
	case r.Kind == timerwheel.StalledDeletion.String():
		return fmt.Sprintf("%s %q: a deletion has waited %v for %s", r.Level, r.Msg, r.For.Round(time.Millisecond), r.Handler)
	default:
		return fmt.Sprintf("%s %q: for %v in %s", r.Level, r.Msg, r.For.Round(time.Millisecond), r.Handler)
	}
}

func read(log io.Reader) (records []record, err error) {
	for d := json.NewDecoder(log); ; {
		var r record
		if err := d.Decode(&r); err == io.EOF {
			return records, nil
		} else if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
}

// stalls counts the records of a handler that runs for too long, or of a
// deletion that waits for it. On a busy machine others may be slow as well.
func stalls(records []record, kind timerwheel.StallKind) (n int) {
	for _, r := range records {
		if r.Level == "WARN" && r.Kind == kind.String() && r.For >= stallAfter && strings.Contains(r.Stack, "main.sleepTooLong") {
			n++
		}
	}
	return n
}

func crashes(records []record) (n int) {
	for _, r := range records {
		if r.Level == "ERROR" && r.Value == "no such session" && strings.Contains(r.Stack, "main.panics") {
			n++
		}
	}
	return n
}

func report(f *findings, records []record, s timerwheel.Stats) error {
	mean := s.SumLate / time.Duration(max(1, s.Fired))
	fmt.Printf("metrics: %d scrapes; %d registered, %d fired, %d removed, %d refused, %d deletions waited\n",
		f.scrapes, f.last.Registered, f.last.Fired, f.last.Removed, f.last.Refused, f.last.SyncWaits)
	fmt.Printf("         handlers began %v late on average, %v at worst; the longest ran for %v\n",
		mean.Round(time.Microsecond), s.MaxLate.Round(time.Microsecond), s.MaxRun.Round(time.Microsecond))
	for _, r := range records {
		fmt.Println("         logged:", r)
	}
	fmt.Println()

	failed := 0
	that := func(ok bool, what string) {
		result := "ok    "
		if !ok {
			result = "FAILED"
			failed++
		}
		fmt.Printf("  %s  %s\n", result, what)
	}
	that(f.unbalanced == 0, "in each scrape, Registered = Fired + Removed + Pending")
	that(f.uncounted == 0, "in each scrape, there is a lateness for each handler begun")
	that(f.elsewhen == 0, "each scrape is of the time at which it was made")
	that(f.last == s && s.Fired > 0 && s.Removed > 0 && s.Refused > 0, "the last scrape is all that the wheel has done")
	that(s.MaxRun >= tooLong, "the longest run is that of the handler that stalled")
	that(stalls(records, timerwheel.StalledHandler) == 1 && stalls(records, timerwheel.StalledDeletion) == 1, "its stall was logged, once, and so was that of the deletion that waited for it")
	that(crashes(records) == 1, "the panic was logged, once, and the program goes on")
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}
