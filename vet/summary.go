package vet

import (
	"go/token"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// A summary is what a call of a function does that matters to its caller: what
// the function does itself, and what the functions do that it calls. Places are
// in the words of the function; frame.out translates them.
type summary struct {
	locks    []lockEvent   // that it takes, waiting for them if it must
	waits    []waitEvent   // for handlers, or for what handlers may signal
	signals  []signalEvent // of what others may wait for
	acquires []hold        // locks that it returns with
	releases []place       // locks of its caller that it lets go of
	calls    []callEvent   // of functions that it is given
	stores   []string      // keys of the places that it sets
}

// A mode is how a lock is held: to write, or to read with others.
type mode int

const (
	writing mode = iota
	reading
)

// excludes reports whether a lock that is held keeps out who wants it. That two
// readers wait for each other needs a writer between them: that is not reported.
func (m mode) excludes(wanted mode) bool { return m == writing || wanted == writing }

// A point is a place in the source: for the tools, if it is in this package; and
// for people.
type point struct {
	pos  token.Pos
	text string // "conn.go:12"
}

type lockEvent struct {
	place place
	mode  mode
	at    point
}

type waitEvent struct {
	op       op
	targets  []origin // what is waited for
	at       point
	via      string  // the functions that lead there
	released []place // the caller's locks that are released before
	bounded  bool    // it ends by itself
	expected bool    // the code looks at the result for ErrDeadlock
	used     bool    // the code looks at the error
}

type signalEvent struct {
	place place
	after []hold // locks that were taken before, whether still held or not
	at    point
}

type callEvent struct {
	param int // as in place
	held  []hold
}

// A hold is a lock that is held.
type hold struct {
	place place
	mode  mode
	at    point
}

// size measures a summary, which only ever grows.
func (s *summary) size() int {
	n := len(s.locks) + len(s.waits) + len(s.signals) + len(s.acquires) + len(s.releases) + len(s.calls) + len(s.stores)
	for _, e := range s.signals {
		n += len(e.after)
	}
	return n
}

// maxEvents bounds the events of one kind in a summary.
const maxEvents = 100

func (s *summary) addLock(e lockEvent) {
	for _, x := range s.locks {
		if x.mode == e.mode && x.place == e.place {
			return
		}
	}
	if len(s.locks) < maxEvents {
		s.locks = append(s.locks, e)
	}
}

func (s *summary) addWait(e waitEvent) {
	for _, x := range s.waits {
		if x.op == e.op && x.at == e.at && slices.Equal(x.targets, e.targets) && slices.Equal(x.released, e.released) {
			return
		}
	}
	if len(s.waits) < maxEvents {
		s.waits = append(s.waits, e)
	}
}

func (s *summary) addSignal(e signalEvent) {
	for i, x := range s.signals {
		if x.place == e.place && x.at == e.at {
			s.signals[i].after = union(x.after, e.after)
			return
		}
	}
	if len(s.signals) < maxEvents {
		s.signals = append(s.signals, e)
	}
}

func (s *summary) addCall(e callEvent) {
	for _, x := range s.calls {
		if x.param == e.param && slices.Equal(x.held, e.held) {
			return
		}
	}
	if len(s.calls) < maxEvents {
		s.calls = append(s.calls, e)
	}
}

// union returns the holds of both, each lock once.
func union(a, b []hold) []hold {
	a = slices.Clip(a)
	for _, h := range b {
		if !holds(a, h.place) && len(a) < maxEvents {
			a = append(a, h)
		}
	}
	return a
}

// summarise computes the summaries of all functions, again and again until those
// that call each other agree.
func (m *model) summarise() {
	for range 8 {
		changed := false
		for _, fn := range m.funcs {
			old := m.summaries[fn]
			if old != nil && !m.stale[fn] {
				continue
			}
			m.stale[fn] = false
			s := m.summaryOf(fn)
			m.summaries[fn] = s
			if old == nil && s.size() == 0 || old != nil && s.size() == old.size() {
				continue
			}
			changed = true
			for _, call := range m.callers[fn] {
				m.stale[call.Parent()] = true
			}
			for _, user := range m.users[fn] {
				m.stale[user] = true
			}
		}
		if !changed {
			return
		}
	}
}

// summaryOf computes the summary of one function from those of the functions
// that it calls.
func (m *model) summaryOf(fn *ssa.Function) *summary {
	s := &summary{}
	if !m.matters(fn) {
		return s
	}
	ends := 0
	m.follow(fn, nil, tracer{
		lock:   func(e lockEvent) { e.place = e.place.in(fn); s.addLock(e) },
		signal: func(e signalEvent) { e.place, e.after = e.place.in(fn), holdsIn(e.after, fn); s.addSignal(e) },
		wait: func(e waitEvent, _ []hold, _ ssa.Instruction) {
			e.targets = originsIn(e.targets, fn)
			e.released = placesIn(e.released, fn)
			s.addWait(e)
		},
		call: func(e callEvent) { e.held = holdsIn(e.held, fn); s.addCall(e) },
		end: func(held []hold, released []place) {
			held, released = holdsIn(held, fn), placesIn(released, fn)
			if ends++; ends == 1 {
				s.acquires = held
			} else {
				s.acquires = slices.DeleteFunc(s.acquires, func(h hold) bool { return !holds(held, h.place) })
			}
			for _, p := range released {
				s.releases = appendNew(s.releases, p)
			}
		},
	})
	s.stores = m.storesOf(fn)
	return s
}

func holds(all []hold, p place) bool {
	return slices.ContainsFunc(all, func(h hold) bool { return h.place == p })
}

func placesIn(ps []place, fn *ssa.Function) []place {
	out := make([]place, len(ps))
	for i, p := range ps {
		out[i] = p.in(fn)
	}
	return out
}

func holdsIn(hs []hold, fn *ssa.Function) []hold {
	out := slices.Clone(hs)
	for i := range out {
		out[i].place = out[i].place.in(fn)
	}
	return out
}

func originsIn(os []origin, fn *ssa.Function) []origin {
	out := slices.Clone(os)
	for i := range out {
		out[i].place = out[i].place.in(fn)
	}
	return out
}

// storesOf returns the keys of the handles that a function sets.
func (m *model) storesOf(fn *ssa.Function) (keys []string) {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			switch in := in.(type) {
			case *ssa.Store:
				if k := placeOf(in.Addr).key; k != "" && isType(in.Val.Type(), "Timer") {
					keys = appendNew(keys, k)
				}
			case ssa.CallInstruction:
				if s, _ := m.summaryAt(in.Common()); s != nil {
					for _, k := range s.stores {
						keys = appendNew(keys, k)
					}
				}
			}
		}
	}
	return keys
}

// matters reports whether a function does anything that its summary would name.
func (m *model) matters(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			switch in := in.(type) {
			case ssa.CallInstruction:
				c := in.Common()
				if opOf(c) != other || m.isParam(c.Value, fn) {
					return true
				}
				if s, _ := m.summaryAt(c); s != nil && s.size() > 0 {
					return true
				}
			case *ssa.Store:
				if isType(in.Val.Type(), "Timer") {
					return true
				}
			case *ssa.Send:
				return true
			case *ssa.UnOp:
				if in.Op == token.ARROW {
					return true
				}
			case *ssa.Select:
				return true
			}
		}
	}
	return false
}

// signals reports whether a function does anything that others may wait for.
func (m *model) signals(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			switch in := in.(type) {
			case *ssa.Send, *ssa.Select:
				return true
			case ssa.CallInstruction:
				c := in.Common()
				switch opOf(c) {
				case wgDone, condSignal, closeChan, onceDo:
					return true
				}
				if s, _ := m.summaryAt(c); s != nil && len(s.signals)+len(s.calls) > 0 {
					return true
				}
			}
		}
	}
	return false
}

// isParam reports whether a function value is one that fn is given.
func (m *model) isParam(v ssa.Value, fn *ssa.Function) bool { return placeOf(v).of(fn).param != 0 }

// summaryAt returns the summary of what a call calls, and the frame of that
// call; nil if it is not known what that is.
func (m *model) summaryAt(c *ssa.CallCommon) (*summary, frame) {
	if c.IsInvoke() {
		return nil, nil
	}
	f, ok := m.called[c]
	if !ok {
		f = m.calledFunction(c)
		m.called[c] = f
	}
	if f.fn == nil {
		return nil, nil
	}
	return m.summaryFor(f.fn), f.frame
}

// calledFunction returns the function that a call calls, in the frame of that
// call; none, if it is not known which.
func (m *model) calledFunction(c *ssa.CallCommon) function {
	if fn := c.StaticCallee(); fn != nil {
		return function{fn: fn, frame: frameOf(c.Value, c.Args)}
	}
	fs := m.functions(c.Value, 4)
	if len(fs) != 1 || fs[0].shift > 0 {
		return function{}
	}
	fr := frameOf(nil, c.Args)
	maps.Copy(fr, fs[0].frame)
	return function{fn: fs[0].fn, frame: fr}
}

// passed returns the functions that a value may be which is passed on.
func (m *model) passed(v ssa.Value) []function {
	fs, ok := m.passes[v]
	if !ok {
		fs = m.functions(v, 0)
		m.passes[v] = fs
	}
	return fs
}

// summaryFor returns the summary of a function of this package or another.
func (m *model) summaryFor(fn *ssa.Function) *summary {
	fn = original(fn)
	if s := m.summaries[fn]; s != nil {
		return s
	}
	if fn.Object() != nil && len(fn.Blocks) == 0 {
		return m.imported[fullName(fn)]
	}
	return nil
}

// A tracer is told what happens on the paths through a function.
type tracer struct {
	lock   func(lockEvent)
	wait   func(waitEvent, []hold, ssa.Instruction)
	signal func(signalEvent)
	call   func(callEvent)
	end    func(held []hold, released []place)
}

// locks is what is known of locks at one point of a path.
type locks struct {
	held     []hold
	released []place
	past     []hold // every lock taken so far, if the function signals
	signals  bool
}

func (l *locks) clone() *locks {
	return &locks{slices.Clip(l.held), slices.Clip(l.released), slices.Clip(l.past), l.signals}
}

func (l *locks) key() string {
	var b strings.Builder
	for _, h := range l.held {
		b.WriteString(h.place.id())
		b.WriteByte(" r"[h.mode])
	}
	b.WriteByte(';')
	for _, p := range l.released {
		b.WriteString(p.id())
	}
	b.WriteByte(';')
	for _, h := range l.past {
		b.WriteString(h.place.id())
	}
	return b.String()
}

func (l *locks) take(h hold) {
	if !slices.ContainsFunc(l.held, func(x hold) bool { return x.place == h.place }) {
		l.held = append(slices.Clip(l.held), h)
	}
	l.remember(h)
	l.released = slices.DeleteFunc(slices.Clone(l.released), func(p place) bool { return p == h.place })
}

// remember notes that a lock has been taken.
func (l *locks) remember(h hold) {
	if l.signals && !holds(l.past, h.place) {
		l.past = append(slices.Clip(l.past), h)
	}
}

// letGo ends a hold; one of the caller's, if it is none of ours.
func (l *locks) letGo(p place) {
	i := slices.IndexFunc(l.held, func(h hold) bool { return h.place == p })
	if i < 0 {
		i = slices.IndexFunc(l.held, func(h hold) bool { return same(h.place, p) && !apart(h.place, p) })
	}
	if i >= 0 {
		l.held = slices.Delete(slices.Clone(l.held), i, i+1)
		return
	}
	l.released = appendNew(slices.Clip(l.released), p)
}

// follow follows the paths through a function, which is called with locks held,
// and tells the tracer what happens.
func (m *model) follow(fn *ssa.Function, held []hold, t tracer) {
	f := &follower{m: m, fn: fn, t: t}
	walk(fn, &locks{held: held, past: held, signals: m.signals(fn)}, f.visit, f.branch)
}

type follower struct {
	m  *model
	fn *ssa.Function
	t  tracer
}

func (f *follower) visit(l *locks, in ssa.Instruction) {
	switch in := in.(type) {
	case *ssa.Call:
		f.call(l, in, in.Common())
	case *ssa.Defer:
		f.call(l, in, in.Common())
	case *ssa.UnOp:
		if in.Op == token.ARROW {
			f.receive(l, in, in.X)
		}
	case *ssa.Send:
		f.signal(l, in, in.Chan)
	case *ssa.Select:
		f.selects(l, in)
	case *ssa.Return:
		f.t.end(l.held, l.released)
	}
}

// branch takes the lock of a TryLock that succeeded.
func (f *follower) branch(l *locks, cond ssa.Value, is bool) {
	c, ok := cond.(*ssa.Call)
	if !ok || !is {
		return
	}
	switch opOf(c.Common()) {
	case tryLock:
		l.take(hold{placeOf(receiver(c.Common())), writing, f.m.point(c.Pos())})
	case tryRLock:
		l.take(hold{placeOf(receiver(c.Common())), reading, f.m.point(c.Pos())})
	}
}

func (f *follower) call(l *locks, in ssa.CallInstruction, c *ssa.CallCommon) {
	o := opOf(c)
	switch {
	case o == lock || o == rlock:
		h := hold{placeOf(receiver(c)), writing, f.m.point(in.Pos())}
		if o == rlock {
			h.mode = reading
		}
		f.t.lock(lockEvent(h))
		l.take(h)
	case o == unlock || o == runlock:
		l.letGo(placeOf(receiver(c)))
	case o.ofTimer():
		f.wait(l, in, o, f.m.origins(receiver(c)), bounded(o, c))
	case o.waits(), o == wgWait, o == condWait:
		f.wait(l, in, o, []origin{{place: placeOf(receiver(c))}}, bounded(o, c))
	case o == wgDone, o == condSignal, o == closeChan:
		f.signal(l, in, c.Args[0])
	case o == onceDo:
		f.given(l, in, c.Args[1], nil)
	case o == other:
		f.enter(l, in, c)
	}
}

// wait tells of a wait.
func (f *follower) wait(l *locks, in ssa.Instruction, o op, targets []origin, bounded bool) {
	e := waitEvent{op: o, targets: targets, at: f.m.point(in.Pos()), released: l.released, bounded: bounded}
	if v, ok := in.(ssa.Value); ok && o.waits() {
		e.expected = f.m.looksFor(v, "ErrDeadlock")
		e.used = usesError(v)
	}
	f.t.wait(e, l.held, in)
}

func (f *follower) signal(l *locks, in ssa.Instruction, v ssa.Value) {
	f.t.signal(signalEvent{placeOf(v), l.past, f.m.point(in.Pos())})
}

// receive waits for a channel, unless it is what a call has returned (a context's
// Done, time.After): nobody can say who signals that.
func (f *follower) receive(l *locks, in ssa.Instruction, ch ssa.Value) {
	p := placeOf(ch)
	if _, ok := p.root.(*ssa.Call); !ok {
		f.wait(l, in, receive, []origin{{place: p}}, false)
	}
}

// selects looks at a select: what it may send is a signal; what it may receive
// is waited for only if there is nothing else.
func (f *follower) selects(l *locks, in *ssa.Select) {
	for _, s := range in.States {
		if s.Send != nil {
			f.signal(l, in, s.Chan)
		} else if in.Blocking && len(in.States) == 1 {
			f.receive(l, in, s.Chan)
		}
	}
}

// enter does what a called function does.
func (f *follower) enter(l *locks, in ssa.CallInstruction, c *ssa.CallCommon) {
	s, fr := f.m.summaryAt(c)
	if s != nil {
		f.apply(l, in, s, fr, calleeName(c))
		for _, e := range s.calls {
			if i := e.param - 1; i >= 0 && i < len(c.Args) {
				f.given(l, in, c.Args[i], translate(fr, e.held))
			}
		}
		return
	}
	if p := placeOf(c.Value).of(f.fn).param; p != 0 && !c.IsInvoke() {
		f.t.call(callEvent{p, l.held})
	}
}

// given does what a function value does that is called with more locks held.
func (f *follower) given(l *locks, in ssa.CallInstruction, v ssa.Value, held []hold) {
	inside := l.clone()
	for _, h := range held {
		inside.take(h)
	}
	if p := placeOf(v).of(f.fn).param; p != 0 {
		f.t.call(callEvent{p, inside.held})
	}
	for _, g := range f.m.passed(v) {
		if s := f.m.summaryFor(g.fn); s != nil {
			f.apply(inside.clone(), in, s, g.frame, "the function that is passed")
		}
	}
}

// apply does what a summary says, in its frame.
func (f *follower) apply(l *locks, in ssa.CallInstruction, s *summary, fr frame, name string) {
	for _, e := range s.locks {
		e.place = fr.out(e.place)
		f.t.lock(e)
		l.remember(hold(e))
	}
	for _, e := range s.waits {
		f.applyWait(l, in, e, fr, name)
	}
	for _, e := range s.signals {
		e.place = fr.out(e.place)
		e.after = union(l.past, translate(fr, e.after))
		f.t.signal(e)
	}
	for _, p := range s.releases {
		l.letGo(fr.out(p))
	}
	for _, h := range translate(fr, s.acquires) {
		l.take(h)
	}
}

func (f *follower) applyWait(l *locks, in ssa.CallInstruction, e waitEvent, fr frame, name string) {
	inside := l.clone()
	for _, p := range e.released {
		inside.letGo(fr.out(p))
	}
	targets := make([]origin, len(e.targets))
	for i, o := range e.targets {
		targets[i] = origin{o.site, fr.out(o.place)}
		if o.site == nil && e.op.ofTimer() {
			targets[i].site = f.m.siteAt(targets[i].place)
		}
	}
	e.targets = targets
	e.released = inside.released
	if result, ok := in.(ssa.Value); ok && !e.expected && e.op.waits() { // it may be the callee's error, too
		e.expected = f.m.looksFor(result, "ErrDeadlock")
	}
	if strings.Count(e.via, ",") > 8 { // functions that call each other
		return
	}
	if e.at.text == "" { // a method expression has no source
		e.at = f.m.point(in.Pos())
	}
	e.via = strings.TrimSuffix(name+", "+e.via, ", ")
	f.t.wait(e, inside.held, in)
}

func translate(fr frame, hs []hold) []hold {
	out := slices.Clone(hs)
	for i := range out {
		out[i].place = fr.out(out[i].place)
	}
	return out
}

// calleeName names a called function for people.
func calleeName(c *ssa.CallCommon) string {
	if f := calledObject(c); f != nil {
		return f.Name()
	}
	return "a function"
}
