package main

import (
	"fmt"
	"time"
)

// A history is what is known of a worker after its end.
type history struct {
	killed  bool
	entries []entry
}

// A verdict counts what happened to the deadlines.
type verdict struct {
	fired    int // deadlines
	lost     int // did not fire
	twice    int // fired twice, as the engine has it
	early    int
	strange  int // were not scheduled
	attempts int // entries "fire"

	doubled   int // attempts beyond the first of each deadline
	sameClaim int // of these, with a claim that had fired before
	unacked   int // attempts of killed workers that they had not acknowledged
	claimed   int // claims that killed workers held
	lapsed    int // claims that live workers lost to others
	late      int // times that a live worker was held up, so that claims may have lapsed
	workers   map[string]int
	examples  []string
}

// judge compares what was scheduled with the engine's effects and with the workers' journals.
func judge(scheduled map[string]time.Time, effects []effect, workers []history) *verdict {
	v := &verdict{workers: map[string]int{}}
	times := map[string]int{}
	for _, f := range effects {
		times[f.ID]++
		v.workers[f.Worker]++
		when, ok := scheduled[f.ID]
		switch {
		case !ok:
			v.blame(&v.strange, "strange", f.ID)
		case f.At.Before(when):
			v.blame(&v.early, "early", f.ID)
		}
		if times[f.ID] == 2 {
			v.blame(&v.twice, "twice", f.ID)
		}
	}
	v.fired = len(times)
	for id := range scheduled {
		if times[id] == 0 {
			v.blame(&v.lost, "lost", id)
		}
	}
	v.read(workers)
	return v
}

// read goes through the journals.
func (v *verdict) read(workers []history) {
	type claim struct {
		id       string
		delivery uint64
	}
	fired := map[claim]int{}
	attempts := map[string]int{}
	claims := map[string]int{} // by live workers
	for _, w := range workers {
		if w.killed {
			claimed, unacked := held(w.entries)
			v.claimed += claimed
			v.unacked += unacked
		}
		for _, e := range w.entries {
			switch e.what {
			case "claim":
				if !w.killed {
					claims[e.id]++
				}
			case "late":
				v.late++
			case "fire":
				v.attempts++
				attempts[e.id]++
				if attempts[e.id] > 1 {
					v.doubled++
				}
				if c := (claim{e.id, e.delivery}); fired[c] > 0 {
					v.blame(&v.sameClaim, "twice by one claim", e.id)
				} else {
					fired[c]++
				}
			}
		}
	}
	for _, n := range claims {
		v.lapsed += n - 1
	}
}

// blame counts a fault, and keeps some to print.
func (v *verdict) blame(count *int, what, id string) {
	*count++
	if len(v.examples) < 10 {
		v.examples = append(v.examples, fmt.Sprintf("%s: %s", what, id))
	}
}
