package main

import (
	"fmt"
	"time"
)

// An op is what a user asked of a key, and what came of it.
type op struct {
	set  bool // else a cancel
	d    deadline
	had  bool // the answer: there was a deadline, which has not fired
	lost bool // there was no answer: it may have been executed, or not. It is the last op of its key
}

// A verdict counts what happened to the deadlines of all keys.
type verdict struct {
	sets, cancels, unanswered int // commands
	fired                     int // deadlines that fired
	replaced, cancelled       int // deadlines that had not fired, and must not

	lost    int // must have fired, and did not
	doubled int // fired twice
	revoked int // fired, though the answer said that it was replaced or cancelled
	early   int
	strange int // of no deadline that was set, or with another time

	again    int // firings outside of the store beyond the first of each deadline
	unheard  int // deadlines that fired in the store, and not outside of it
	examples []string
}

// judge compares what the users were told with what the store says has fired, and with what was done
// outside of the store.
func judge(histories map[string][]op, fired []firing, outside map[string]int) *verdict {
	v := &verdict{}
	times := map[string]int{} // by deadline.ID
	known := map[string]deadline{}
	for _, ops := range histories {
		for _, o := range ops {
			if o.set {
				known[o.d.ID] = o.d
			}
		}
	}
	for _, f := range fired {
		times[f.ID]++
		if d, ok := known[f.ID]; !ok || !d.When.Equal(f.When) {
			v.blame(&v.strange, f.Key, f.deadline)
		} else if f.At.Before(d.When) {
			v.blame(&v.early, f.Key, f.deadline)
		}
	}
	for id, n := range times {
		if n > 1 {
			v.blame(&v.doubled, "", known[id])
		}
		if outside[id] == 0 {
			v.blame(&v.unheard, "", known[id])
		}
	}
	v.fired = len(times)
	for _, n := range outside {
		v.again += n
	}
	v.again -= v.fired // what was done outside, and then not in the store, counts as well
	for key, ops := range histories {
		v.follow(key, ops, times)
	}
	return v
}

// follow goes through the ops of a key.
func (v *verdict) follow(key string, ops []op, times map[string]int) {
	var d deadline // the key's last deadline
	open := false  // d's end is not known yet
	for _, o := range ops {
		if o.set {
			v.sets++
		} else {
			v.cancels++
		}
		switch {
		case o.lost:
			v.unanswered++
			// It has replaced or removed d, or not. If nothing has fired, d's end is a
			// cancel that was executed and not answered.
			if open && o.set && times[d.ID]+times[o.d.ID] == 0 {
				v.blame(&v.lost, key, d)
			}
			return
		case o.had && !open, open && !o.had && times[d.ID] == 0:
			v.blame(&v.lost, key, d)
		case o.had:
			if o.set {
				v.replaced++
			} else {
				v.cancelled++
			}
			if times[d.ID] > 0 {
				v.blame(&v.revoked, key, d)
			}
		}
		d, open = o.d, o.set
	}
	if open && times[d.ID] == 0 {
		v.blame(&v.lost, key, d)
	}
}

// blame counts a fault, and keeps some to print.
func (v *verdict) blame(count *int, key string, d deadline) {
	*count++
	if len(v.examples) < 10 {
		what := map[*int]string{&v.lost: "lost", &v.doubled: "doubled", &v.revoked: "revoked", &v.early: "early", &v.strange: "strange", &v.unheard: "unheard"}[count]
		v.examples = append(v.examples, fmt.Sprintf("%s: %s %s, due at %s", what, key, d.ID, d.When.Format(time.RFC3339Nano)))
	}
}
