package reference

import (
	"slices"
	"time"
)

// This file is the order in which the timers of one tick of a Manual wheel begin: that of their
// registrations. A move or a deletion may change the place of one other timer. The reference does not
// know of which, but how many they are.

type order struct {
	places  int           // given to registrations
	removed int           // moves and deletions since nothing was pending
	tick    time.Duration // of the timer that began last
	begun   []int         // the places of those of that tick, in the order in which they began
}

// takePlace gives a timer that is registered the last place.
func (w *Wheel) takePlace(t *Timer) {
	if t.Pending {
		w.order.removed++
	} else if !slices.ContainsFunc(w.living, func(other *Timer) bool { return other.Pending }) {
		w.order.removed, w.order.begun = 0, nil
	}
	w.order.places++
	t.place = w.order.places
}

// begin notes that a timer begins.
func (o *order) begin(place int, tick time.Duration) {
	o.begun, o.tick = append(o.before(tick), place), tick
}

// allows reports whether the timer of that place may begin: whether so many moves and deletions
// explain that it does not ascend from those before it.
func (o *order) allows(place int, tick time.Duration) bool {
	places := append(slices.Clone(o.before(tick)), place)
	return len(places)-longestAscent(places) <= o.removed
}

// before returns the places of the timers of a tick that have begun.
func (o *order) before(tick time.Duration) []int {
	if tick != o.tick {
		return nil
	}
	return o.begun
}

// longestAscent returns the most places, of some in a row, that ascend if the others are left out.
func longestAscent(places []int) int {
	var ends []int // by length: the least place that an ascent of that length ends with
	for _, place := range places {
		k, _ := slices.BinarySearch(ends, place)
		if k == len(ends) {
			ends = append(ends, place)
		}
		ends[k] = place
	}
	return len(ends)
}
