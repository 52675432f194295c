package timerwheel

import "math"

// This file tells the host of a Manual wheel, which sleeps until Next, that Next has become
// earlier (Options.OnNext).
//
// alarm.at is the time until which the host may sleep, as far as it knows: what Next was when it
// last asked, or at the end of its last Advance. A Register that finds its timer earlier, and an
// Advance while it is under way, set at to before every time, and so OnNext is not called until
// the host asks again, or the Advance ends. The shard's lock guards at: a Register comes either
// before the host's question, which then sees its timer, or after it, and then sees the answer.

// hostAsked records until when the host may sleep.
func (sh *shard) hostAsked() {
	if sh.w.onNext != nil && !sh.advancing {
		sh.w.alarm.at.Store(sh.nextFiring())
	}
}

// unlockArmed lets go of the shard after timer i was armed, and then tells the host of a Manual
// wheel that this is earlier than it knows, if it is.
func (sh *shard) unlockArmed(i uint32, s *record) {
	if sh.w.onNext == nil {
		sh.unlock()
		return
	}
	sh.unlockAndTell(i, s)
}

// unlockAndTell leaves it to the owner of one of the library's own firings to tell the host: it
// armed the firing under a lock.
func (sh *shard) unlockAndTell(i uint32, s *record) {
	tell := sh.w.untold
	if tell {
		sh.w.untold = false
		sh.w.alarm.at.Store(math.MinInt64)
		if x := sh.firingOf(i, s); x != nil {
			x.Untold.Store(true)
			tell = false
		}
	}
	sh.unlock()
	if tell {
		sh.w.tellHost()
	}
}

// tellHost calls OnNext. Holds no lock.
func (w *Wheel) tellHost() {
	sh := w.shards[0]
	sh.lock()
	next := sh.nextFiring()
	sh.unlock()
	w.onNext(w.notBeforeNow(next))
}
