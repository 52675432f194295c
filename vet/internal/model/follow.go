package model

import (
	"go/token"
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/location"
	"github.com/seed76848005/timerwheel/vet/internal/paths"
	"golang.org/x/tools/go/ssa"
)

// A Visitor receives what happens on the paths through a function.
type Visitor struct {
	Lock      func(Lock)
	Wait      func(w Wait, held []Lock, in ssa.Instruction)
	Signal    func(Signal)
	ParamCall func(ParamCall)
	Return    func(held []Lock, released []location.Location)
}

// Follow follows the paths through a function that is called with locks held, and
// calls the visitor with what happens.
func (m *Model) Follow(fn *ssa.Function, held []Lock, v Visitor) {
	f := &follower{m: m, fn: fn, visitor: v}
	paths.Walk(fn, &lockState{held: held, taken: held, signals: m.signals(fn)}, f.visit, f.branch)
}

// A lockState is what is known of locks at one point of a path.
type lockState struct {
	held     []Lock
	released []location.Location // the caller's
	taken    []Lock              // every lock taken so far, if the function signals
	signals  bool
}

// Clone returns a copy for another path.
func (l *lockState) Clone() *lockState {
	return &lockState{slices.Clip(l.held), slices.Clip(l.released), slices.Clip(l.taken), l.signals}
}

// Key identifies what is known.
func (l *lockState) Key() string {
	var b strings.Builder
	for _, x := range l.held {
		b.WriteString(x.Location.ID())
		b.WriteByte(" r"[x.Mode])
	}
	b.WriteByte(';')
	for _, x := range l.released {
		b.WriteString(x.ID())
	}
	b.WriteByte(';')
	for _, x := range l.taken {
		b.WriteString(x.Location.ID())
	}
	return b.String()
}

func (l *lockState) lock(x Lock) {
	if !contains(l.held, x.Location) {
		l.held = append(slices.Clip(l.held), x)
	}
	l.recordTaken(x)
	l.released = slices.DeleteFunc(slices.Clone(l.released), func(y location.Location) bool { return y == x.Location })
}

// recordTaken records that a lock has been taken.
func (l *lockState) recordTaken(x Lock) {
	if l.signals && !contains(l.taken, x.Location) {
		l.taken = append(slices.Clip(l.taken), x)
	}
}

// unlock unlocks a lock that this function holds. A lock that it does not hold is
// one of the caller's.
func (l *lockState) unlock(at location.Location) {
	i := slices.IndexFunc(l.held, func(x Lock) bool { return x.Location == at })
	if i < 0 {
		i = slices.IndexFunc(l.held, func(x Lock) bool {
			return location.MayAlias(x.Location, at) && !location.OfDifferentObjects(x.Location, at)
		})
	}
	if i >= 0 {
		l.held = slices.Delete(slices.Clone(l.held), i, i+1)
		return
	}
	l.released = appendNew(slices.Clip(l.released), at)
}

type follower struct {
	m       *Model
	fn      *ssa.Function
	visitor Visitor
}

func (f *follower) visit(l *lockState, in ssa.Instruction) {
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
		f.visitor.Return(l.held, l.released)
	}
}

// branch takes the lock of a TryLock that succeeded.
func (f *follower) branch(l *lockState, cond ssa.Value, value bool) {
	c, ok := cond.(*ssa.Call)
	if !ok || !value {
		return
	}
	switch api.OpOf(c.Common()) {
	case api.TryLock:
		l.lock(Lock{location.Of(api.Receiver(c.Common())), Writing, f.m.Position(c.Pos())})
	case api.TryRLock:
		l.lock(Lock{location.Of(api.Receiver(c.Common())), Reading, f.m.Position(c.Pos())})
	}
}

func (f *follower) call(l *lockState, in ssa.CallInstruction, c *ssa.CallCommon) {
	o := api.OpOf(c)
	switch {
	case o == api.Lock || o == api.RLock:
		x := Lock{location.Of(api.Receiver(c)), Writing, f.m.Position(in.Pos())}
		if o == api.RLock {
			x.Mode = Reading
		}
		f.visitor.Lock(x)
		l.lock(x)
	case o == api.Unlock || o == api.RUnlock:
		l.unlock(location.Of(api.Receiver(c)))
	case o.WaitsForTimer():
		f.wait(l, in, o, f.m.Origins(api.Receiver(c)), api.Bounded(o, c))
	case o.Waits(), o == api.WaitGroupWait, o == api.CondWait:
		f.wait(l, in, o, []Origin{{Location: location.Of(api.Receiver(c))}}, api.Bounded(o, c))
	case o == api.WaitGroupDone, o == api.CondSignal, o == api.CloseChan:
		f.signal(l, in, c.Args[0])
	case o == api.OnceDo:
		f.callArgument(l, in, c.Args[1], nil)
	case o == api.Other:
		f.callOther(l, in, c)
	}
}

// wait reports a wait to the visitor.
func (f *follower) wait(l *lockState, in ssa.Instruction, o api.Op, targets []Origin, bounded bool) {
	w := Wait{Op: o, Targets: targets, At: f.m.Position(in.Pos()), Released: l.released, Bounded: bounded}
	if v, ok := in.(ssa.Value); ok && o.Waits() {
		w.Expected = api.ComparesError(v, "ErrDeadlock")
	}
	f.visitor.Wait(w, l.held, in)
}

func (f *follower) signal(l *lockState, in ssa.Instruction, v ssa.Value) {
	f.visitor.Signal(Signal{location.Of(v), l.taken, f.m.Position(in.Pos())})
}

// receive waits for a channel. It ignores a channel that a call has returned (a
// context's Done, time.After): it is not known what signals that one.
func (f *follower) receive(l *lockState, in ssa.Instruction, ch ssa.Value) {
	at := location.Of(ch)
	if _, ok := at.Root.(*ssa.Call); !ok {
		f.wait(l, in, api.Receive, []Origin{{Location: at}}, false)
	}
}

// selects handles a select. What it may send is a signal. What it may receive is a
// wait only if there is no other case.
func (f *follower) selects(l *lockState, in *ssa.Select) {
	for _, s := range in.States {
		if s.Send != nil {
			f.signal(l, in, s.Chan)
		} else if in.Blocking && len(in.States) == 1 {
			f.receive(l, in, s.Chan)
		}
	}
}
