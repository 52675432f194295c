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

// A Visitor receives what happens on the paths through a function. It receives nothing of
// a kind whose function is nil.
type Visitor struct {
	Lock      func(l Lock, held []Lock, in ssa.Instruction) // also in a called function
	Wait      func(w Wait, held []Lock, in ssa.Instruction)
	SameWaits func(of Set)            // those of a called function that mean the same in this one; if nil, Wait receives them
	Unlock    func(location.Location) // of a lock that the function does not hold itself
	ParamCall func(ParamCall)
	Return    func(held []Lock, released []location.Location)
}

// Follow follows the paths through a function that is called with locks held, and
// calls the visitor with what happens.
func (m *Model) Follow(fn *ssa.Function, held []Lock, v Visitor) { m.follow(fn, nil, held, v) }

// FollowHandler does what Follow does with a handler of a site.
func (m *Model) FollowHandler(s *Site, fn *ssa.Function, held []Lock, v Visitor) {
	m.follow(fn, s, held, v)
}

func (m *Model) follow(fn *ssa.Function, site *Site, held []Lock, v Visitor) {
	f := &follower{m: m, fn: fn, site: site, visitor: v}
	paths.Walk(fn, &lockState{held: held}, f.visit, f.branch)
}

// A lockState is what is known of locks at one point of a path.
type lockState struct {
	held     []Lock
	released []location.Location // the caller's
}

// Clone returns a copy for another path.
func (l *lockState) Clone() *lockState {
	return &lockState{slices.Clip(l.held), slices.Clip(l.released)}
}

// Key identifies what is known.
func (l *lockState) Key() string {
	if len(l.held)+len(l.released) == 0 {
		return ""
	}
	var b strings.Builder
	for _, x := range l.held {
		b.WriteString(x.Location.ID())
		b.WriteByte(" r"[x.Mode])
	}
	b.WriteByte(';')
	for _, x := range l.released {
		b.WriteString(x.ID())
	}
	return b.String()
}

// Absorb adds nothing: states with one key are the same.
func (l *lockState) Absorb(*lockState) bool { return false }

func (l *lockState) lock(x Lock) {
	if !contains(l.held, x.Location) {
		l.held = append(slices.Clip(l.held), x)
	}
	l.released = slices.DeleteFunc(slices.Clone(l.released), func(y location.Location) bool { return y == x.Location })
}

// unlock unlocks a lock. It reports whether that may be one of the caller's.
func (l *lockState) unlock(at location.Location) (ofCaller bool) {
	i := slices.IndexFunc(l.held, func(x Lock) bool { return x.Location == at || x.ByWheel && at == theWheels })
	if i < 0 {
		i = l.lastAlias(at)
		ofCaller = true
	}
	if i >= 0 {
		l.held = slices.Delete(slices.Clone(l.held), i, i+1)
	}
	if ofCaller {
		l.released = appendNew(slices.Clip(l.released), at)
	}
	return ofCaller
}

// lastAlias returns the index of the lock that was locked last among those that may be the
// one at a location, or -1.
func (l *lockState) lastAlias(at location.Location) int {
	for i, x := range slices.Backward(l.held) {
		if location.MayAlias(x.Location, at) && !location.SurelyDiffer(x.Location, at) {
			return i
		}
	}
	return -1
}

type follower struct {
	m       *Model
	fn      *ssa.Function
	site    *Site // whose handler fn is, or nil
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
	case *ssa.Select:
		if receives(in) {
			f.receive(l, in, in.States[0].Chan)
		}
	case *ssa.Return:
		if f.visitor.Return != nil {
			f.visitor.Return(l.held, l.released)
		}
	}
}

// branch takes the lock of a TryLock that succeeded.
func (f *follower) branch(l *lockState, cond ssa.Value, value bool) {
	c, ok := cond.(*ssa.Call)
	if !ok || !value {
		return
	}
	if o := api.OpOf(c.Common()); o == api.TryLock || o == api.TryRLock {
		l.lock(f.m.lockOf(o, c))
	}
}

func (f *follower) call(l *lockState, in ssa.CallInstruction, c *ssa.CallCommon) {
	o := api.OpOf(c)
	switch {
	case o == api.Lock || o == api.RLock:
		x := f.m.lockOf(o, in)
		if f.visitor.Lock != nil {
			f.visitor.Lock(x, l.held, in)
		}
		l.lock(x)
	case o == api.Unlock || o == api.RUnlock:
		f.unlock(l, location.Of(api.Receiver(c)))
	case o == api.ReleaseLock:
		f.unlock(l, theWheels)
	case o.WaitsForTimer():
		f.wait(l, in, o, f.m.Origins(api.Receiver(c)), api.Bounded(o, c))
	case o.Waits(), o.WaitsForSignal():
		f.wait(l, in, o, []Origin{{Location: location.Of(api.Receiver(c))}}, api.Bounded(o, c))
	case o == api.Other || o == api.OnceDo:
		f.callOther(l, in, c)
	}
}

func (f *follower) unlock(l *lockState, at location.Location) {
	if l.unlock(at) && f.visitor.Unlock != nil {
		f.visitor.Unlock(at)
	}
}

// wait reports a wait to the visitor.
func (f *follower) wait(l *lockState, in ssa.Instruction, o api.Op, targets []Origin, bounded bool) {
	if f.visitor.Wait == nil {
		return
	}
	w := Wait{Op: o, Targets: targets, At: f.m.Position(in.Pos()), Released: l.released, Bounded: bounded}
	if o == api.KeyedDeleteSync {
		w.Key = location.Of(in.(ssa.CallInstruction).Common().Args[1])
	}
	if v, ok := in.(ssa.Value); ok && o.Waits() {
		w.Expected = api.ComparesError(v, "ErrDeadlock")
	}
	f.visitor.Wait(w, l.held, in)
}

// receive waits for a channel. It ignores a channel that a call has returned (a
// context's Done, time.After): it is not known what signals that one.
func (f *follower) receive(l *lockState, in ssa.Instruction, ch ssa.Value) {
	at := location.Of(ch)
	if _, ok := at.Root.(*ssa.Call); !ok {
		f.wait(l, in, api.Receive, []Origin{{Location: at}}, false)
	}
}
