//go:build schedules

package schedules

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// Touch, which takes no lock, against whatever begins, ends or looks at an idle timeout.
var idleTimeouts = []scenario{
	{name: "Touch against the begin", ticks: 1, sees: []string{"touched", "too late"}, setUp: touchAgainstBegin},
	{name: "Touch against a look", ticks: 1, sees: []string{"touched"}, setUp: touchAgainstLook},
	{name: "Touch against calls that look", sees: []string{"touched"}, setUp: touchAgainstWhen},
	{name: "Touch against RegisterIdle", ticks: 1, sees: []string{"touched"}, setUp: touchAgainstRegisterIdle},
	{name: "Touch against Register", ticks: 1, sees: []string{"touched", "too late"}, setUp: touchAgainstRegister},
	{name: "Touch against the next tenant", ticks: 1, sees: []string{"touched", "too late", "replaced"}, setUp: touchAgainstTenant},
	{name: "Touch against a chunk that is given back", sees: []string{"touched", "too late"}, setUp: touchAgainstGiveBack},
	{name: "Touch against Close", sees: []string{"touched", "too late", "ran", "dropped"}, setUp: touchAgainstClose},
	{name: "Touch in line for a lock", ticks: 1, sees: []string{"touched", "too late"}, setUp: touchInLine},
	{name: "Touch in line for a run", sees: []string{"touched"}, setUp: touchInLineForRun},
	{name: "Touch against Advance", options: manual, sees: []string{"touched", "too late", "put off"}, setUp: touchAgainstAdvance},
}

// An idleProbe is the probe of an idle timeout.
type idleProbe struct {
	*probe
	d      time.Duration
	script func()    // of the handler; may be nil
	last   time.Time // the latest begin of a RegisterIdle, or of a Touch that was true
	before int       // runs that had begun before the last RegisterIdle
	begins int       // calls of Touch that have begun
	trues  int       // those that have returned true
	falses int       // those that have returned false
	enders int       // calls so far that may end the idle timeout
	over   bool      // one of them has returned
}

// idle makes an idle timeout with one owner, and arms it.
func (x *world) idle(d time.Duration) *idleProbe {
	p, handler := x.idleProbe(d)
	p.t = x.w.Alloc(handler)
	p.registerIdle()
	return p
}

// idleProbe returns an idleProbe for a timer that the caller makes, and the handler for it.
func (x *world) idleProbe(d time.Duration) (*idleProbe, func(timerwheel.Timer)) {
	p := &idleProbe{d: d}
	var handler func(timerwheel.Timer)
	p.probe, handler = x.probe("the idle timer", func(*probe) {
		x.check(p.over || p.begun == p.before || !p.at.Before(p.last.Add(d)), "it began at %v, and the last touch was at %v", p.at, p.last)
		if p.script != nil {
			p.script()
		}
	})
	return p, handler
}

func (p *idleProbe) registerIdle() {
	now := p.w.Now()
	p.before = p.begun
	err := p.t.RegisterIdle(p.d)
	p.check(err == nil, "RegisterIdle: %v", err)
	p.touchedAt(now)
}

func (p *idleProbe) touchedAt(now time.Time) {
	if now.After(p.last) {
		p.last = now
	}
}

// touch checks what Touch returns. If it takes effect, it returns in the same step.
func (p *idleProbe) touch() bool {
	now := p.w.Now()
	p.begins++
	if p.t.Touch() {
		p.trues++
		p.saw("touched")
		p.check(!p.over && p.begun == p.before, "a Touch is true, and the handler has begun, or it is no idle timeout")
		p.touchedAt(now)
		return true
	}
	p.falses++
	p.saw("too late")
	p.check(p.enders > 0 || !p.t.Pending(), "a Touch is false, and the timer is pending")
	return false
}

// end makes a call that ends the idle timeout, if it reports true.
func (p *idleProbe) end(call func() bool) {
	p.enders++
	p.over = call()
}

// toucher adds an actor that touches the timer a few times.
func (p *idleProbe) toucher(times int) {
	p.actor("the toucher", func() {
		for range times {
			p.touch()
		}
	})
}

// mustFireInTime checks at the end that the timer has run once, and no later than it must. The clock
// may have moved by some ticks while a goroutine could go on.
func (p *idleProbe) mustFireInTime(ticks int) {
	latest := p.d + max(p.d/8, tick) + time.Duration(2+ticks)*tick
	p.atEnd(func() {
		p.check(p.begun == 1, "it ran %d times", p.begun)
		p.check(!p.at.After(p.last.Add(latest)), "it began at %v, and the last touch was at %v", p.at, p.last)
	})
}

// Two actors touch a timer whose time has come.
func touchAgainstBegin(x *world) {
	p := x.idle(tick)
	x.sleep()
	p.toucher(1)
	p.toucher(1)
	p.mustFireInTime(1)
}

// The wheel looks at a timer long before it is due. It was touched since the last look.
func touchAgainstLook(x *world) {
	p := x.idle(3 * tick)
	p.touch()
	x.sleep()
	p.toucher(2)
	p.mustFireInTime(1)
}

// Calls look at a timer, too: When, and a Reduce, which would move it to a later time.
func touchAgainstWhen(x *world) {
	p := x.idle(2 * tick)
	p.touch()
	x.sleep()
	p.toucher(1)
	x.actor("the observer", func() {
		last := p.last
		when, ok := p.t.When()
		x.check(!ok || !when.Before(last.Add(p.d)), "When is %v, and the last touch was at %v", when, last)
		x.check(p.begun > 0 || p.t.Reduce(4*tick) == nil, "Reduce")
	})
	p.mustFireInTime(1)
}

// A RegisterIdle of what is an idle timeout makes no Touch false, and forgets none.
func touchAgainstRegisterIdle(x *world) {
	p := x.idle(3 * tick)
	x.actor("the registerer", p.registerIdle)
	p.toucher(2)
	p.mustFireInTime(1)
}

// Register makes it an ordinary timer, which no Touch puts off.
func touchAgainstRegister(x *world) {
	p := x.idle(3 * tick)
	var now time.Time
	x.actor("the registerer", func() {
		now = x.w.Now()
		p.end(func() bool { return p.register(2*tick) == nil })
	})
	p.toucher(2)
	x.atEnd(func() {
		x.check(p.begun == 1 && !p.at.Before(now.Add(2*tick)) && !p.at.After(now.Add(4*tick)), "it ran %d times, at %v, and was registered at %v", p.begun, p.at, now)
	})
}

// The timer is deleted and freed, and its record gets a tenant, which is an idle one, too.
func touchAgainstTenant(x *world) {
	p := x.idle(tick)
	tenant, handler := x.idleProbe(2 * tick)
	x.actor("the owner", func() {
		p.end(func() bool { p.t.Del(); return true })
		x.check(p.t.Free() == nil, "Free")
		tenant.t = x.w.Alloc(handler)
		tenant.registerIdle()
		if replaced(p.t, tenant.t) {
			x.saw("replaced")
		}
	})
	p.toucher(1)
	tenant.mustFireInTime(1)
}

// The storage of some idle timers is given back, and more of them are made. A Touch may still look
// at what was given back.
func touchAgainstGiveBack(x *world) {
	var others []timerwheel.Timer
	make := func(n int) {
		for range n {
			tm := x.w.Alloc(func(timerwheel.Timer) {})
			x.check(tm.RegisterIdle(time.Hour) == nil, "RegisterIdle")
			others = append(others, tm)
		}
	}
	const chunk = 256 // records
	make(2 * chunk)
	p := x.idle(time.Hour)
	x.actor("the owner", func() {
		x.aside(func() {
			p.end(func() bool {
				for _, tm := range append(others, p.t) {
					tm.Del()
					x.check(tm.Free() == nil, "Free")
				}
				return true
			})
			make(4 * chunk)
		})
	})
	p.toucher(1)
	x.atEnd(func() { x.check(p.begun == 0, "it ran") })
}

func touchAgainstClose(x *world) {
	p := x.idle(tick)
	x.sleep()
	p.toucher(2)
	p.enders++
	x.closes(p.probe)
	x.atEnd(func() { x.ranOrDropped(p.probe) })
}

// The worker waits for the lock of the timer when that is touched.
func touchInLine(x *world) {
	l := &mutex{director: x.director}
	p, handler := x.idleProbe(tick)
	p.t = x.w.AllocLocked(l, handler)
	p.registerIdle()
	x.sleep()
	x.actor("the owner of the lock", func() {
		l.Lock()
		p.touch()
		l.Unlock()
	})
	p.toucher(1)
	p.mustFireInTime(1)
}

// The timer runs when it is armed as an idle timeout, and when that is due.
func touchInLineForRun(x *world) {
	due := false
	p, handler := x.idleProbe(tick)
	p.t = x.w.Alloc(handler)
	p.script = func() { x.Until("the timer is due again", func() bool { return due }) }
	p.register(0)
	x.until("the handler's begin", p.runs)
	p.registerIdle()
	x.sleep()
	x.sleep()
	due = true
	p.toucher(1)
	x.atEnd(func() { x.check(p.ended == 2, "it ran %d times", p.ended) })
}

// One Advance passes all looks and the deadline. A Touch that returned before it counts from the
// time before it; one that sees the new time counts from that.
func touchAgainstAdvance(x *world) {
	p := x.idle(2 * tick)
	to := x.w.Now()
	advance := func(d time.Duration) {
		to = to.Add(d)
		returned := p.trues + p.falses
		_, err := x.w.Advance(to)
		x.check(err == nil, "Advance: %v", err)
		x.check(p.begun == 1 || p.begins > returned, "it has not been touched since, and has not begun at %v", to)
	}
	p.toucher(2)
	x.actor("the host", func() {
		advance(2 * tick)
		if p.begun == 0 {
			x.saw("put off")
		}
		advance(5 * tick)
	})
	x.atEnd(func() {
		advance(5 * tick)
		x.check(p.begun == 1, "it ran %d times", p.begun)
	})
}
