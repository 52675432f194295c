package timerwheel

import (
	"fmt"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
)

// This file refuses calls that come from the wrong bubble of testing/synctest.
//
// A wheel's time, its runtime timer and its channels belong to the bubble in which the wheel
// was made, or to no bubble. A goroutine of another bubble, or of none, reads another clock: the
// alarm that it would set rings decades late, or never. And the runtime ends the program, with
// an error that cannot be recovered, when such a goroutine stops that timer or uses such a channel.
// So each verb that could come to that panics before it changes anything.
//
// A bubble's clock begins in the year 2000. So a wheel that was made in no bubble, in which nearly
// every verb has read the clock anyway, need only compare what it has read (misplaced): in a
// bubble that lies before the wheel's base. Two bubbles have clocks that look alike. Only the
// runtime's name for the caller's bubble tells them apart (gostack.Bubble), and costs more than a
// microsecond; but a wheel that was made in a bubble is part of a test.

// plausible is a time that few wheels live to see, ns. A time outside of [0, plausible) need not
// mean a bubble: it asks for a better look.
const plausible = int64(366 * 24 * time.Hour)

// bubbleOf returns the number of the bubble in which a goroutine runs that has read now; 0, if
// it runs in none. Inside a bubble, and only there, a time has no monotonic reading.
func bubbleOf(now time.Time) uint64 {
	if now != now.Round(0) {
		return 0
	}
	return gostack.Bubble()
}

// locate records where the wheel is made.
func (w *Wheel) locate() {
	w.madeAt = time.Now()
	w.bubble = bubbleOf(w.madeAt)
	if w.bubble == 0 && !w.manual {
		w.plausible = plausible
	}
}

// misplaced reports whether a call that is made at now, by the wheel's time, needs a better look
// at where it comes from. On a wheel that was made in a bubble, and on a Manual one, all do: the
// one's time is like that of other bubbles, and the other's is the host's.
func (w *Wheel) misplaced(now int64) bool { return uint64(now) >= uint64(w.plausible) }

// isHome reports whether the caller runs in the bubble in which the wheel was made.
func (w *Wheel) isHome() bool {
	if w.bubble == 0 && uint64(time.Since(w.madeAt)) < uint64(plausible) {
		return true
	}
	return bubbleOf(time.Now()) == w.bubble
}

// checkBubble panics if the caller does not run in the bubble in which the wheel was made. The
// caller holds no lock, and has changed nothing yet.
func (w *Wheel) checkBubble() {
	if !w.isHome() {
		w.refuseBubble()
	}
}

// isForeign reports whether a call that has read now, and that was let pass without a look at the
// clock, comes from a bubble. That concerns wheels that were made in none.
func (w *Wheel) isForeign(now int64) bool {
	return w.plausible > 0 && w.misplaced(now) && !w.isHome()
}

// checkDeletion is checkBubble for a verb that only removes firings. From a wheel that was made in
// no bubble, any goroutine can: it leaves the alarm alone.
func (w *Wheel) checkDeletion() {
	if w.bubble != 0 {
		w.checkBubble()
	}
}

// refuseBubble panics because the caller runs in another bubble than the wheel was made in.
func (w *Wheel) refuseBubble() {
	reject(fmt.Sprintf("timerwheel: a wheel that was made %s is used %s: make the wheel in the bubble that uses it",
		bubbleName(w.bubble), bubbleName(bubbleOf(time.Now()))))
}

func bubbleName(n uint64) string {
	if n == 0 {
		return "outside of all testing/synctest bubbles"
	}
	return fmt.Sprintf("in testing/synctest bubble %d", n)
}
