//go:build schedules

package schedules

import (
	"errors"
	"strings"

	"github.com/seed76848005/timerwheel"
)

// References, and the next tenants of records.
var references = []scenario{
	{name: "free and reuse during DelSync", ticks: 1, brief: true, sees: []string{"waited", "replaced"}, setUp: freeAndReuse},
	{name: "Register against the last Free", ticks: 1, sees: []string{"stale", "registered"}, setUp: registerAgainstLastFree},
	{name: "Retain against the last Free", sees: []string{"stale", "retained"}, setUp: retainAgainstLastFree},
	{name: "a handler that frees itself", sees: []string{"stale", "waited"}, setUp: freesItself},
	{name: "a tenant while a worker waits for its lock", ticks: 1, sees: []string{"replaced"}, setUp: tenantBehindLock},
}

// replaced reports whether two timers have had the same record.
func replaced(t, tenant timerwheel.Timer) bool {
	record, _, _ := strings.Cut(t.String(), "#")
	return strings.HasPrefix(tenant.String(), record+"#")
}

// The timer that a deletion waits for is recycled when its handler returns, and its record
// gets a new tenant, whose handler runs until the deletion has returned. The deletion must
// neither wait for the tenant nor touch it.
func freeAndReuse(x *world) {
	freed, deleted := false, false
	p := x.timer("the timer", func(p *probe) {
		freed = p.t.Free() == nil
		x.At("the rest of the handler")
	})
	p.register(0)
	x.until("the last Free", func() bool { return freed })
	x.actor("the deleter", func() {
		p.delSync()
		deleted = true
	})
	tenant, handler := x.probe("the tenant", func(*probe) {
		x.Until("the end of the deletion", func() bool { return deleted })
	})
	x.actor("the next", func() {
		tenant.t = x.w.AfterFunc(0, func() { handler(tenant.t) })
		if replaced(p.t, tenant.t) {
			x.saw("replaced")
			x.aside(func() { x.check(errors.Is(p.t.Register(0), timerwheel.ErrStale), "the old handle reaches the tenant") })
		}
	})
	x.atEnd(func() { x.check(tenant.ended == 1, "the tenant ran %d times", tenant.ended) })
}

// The result of Register says whether the timer fires.
func registerAgainstLastFree(x *world) {
	p := x.timer("the timer", nil)
	x.actor("the registerer", func() {
		if err := p.register(0); err == nil {
			x.saw("registered")
		} else {
			x.check(errors.Is(err, timerwheel.ErrStale), "Register: %v", err)
		}
	})
	x.actor("the owner", func() { x.check(p.t.Free() == nil, "Free") })
	x.atEnd(func() {
		x.check(p.ended == p.armed, "registered %d times, ran %d times", p.armed, p.ended)
		x.check(!p.t.Valid() && x.w.Stats().Live == 0, "it still lives")
	})
}

// The result of Retain says whether the timer lives.
func retainAgainstLastFree(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.actor("the retainer", func() {
		err := p.t.Retain()
		if err != nil {
			x.saw("stale")
			x.check(errors.Is(err, timerwheel.ErrStale), "Retain: %v", err)
			return
		}
		x.saw("retained")
		x.check(p.t.Valid(), "retained, and stale")
		x.check(p.t.Free() == nil, "Free of what was retained")
	})
	x.actor("the owner", func() { x.check(p.t.Free() == nil, "Free") })
	x.atEnd(func() { x.check(!p.t.Valid() && x.w.Stats().Live == 0, "it still lives") })
}

// In the handler its own handle is valid, even after the handler's Free.
func freesItself(x *world) {
	p := x.timer("the timer", func(p *probe) {
		if p.begun == 1 {
			x.check(p.t.Free() == nil, "Free")
		}
		x.check(p.t.Valid(), "stale in its own handler")
	})
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.actor("the deleter", func() { p.delSync() })
	x.actor("the re-adder", func() { p.register(0) })
	x.atEnd(func() { x.check(x.w.Stats().Live == 0, "it still lives") })
}

// While the worker waits for the timer's lock the timer is deleted, and its record gets a
// tenant with the same lock, which is not due.
func tenantBehindLock(x *world) {
	l := &mutex{director: x.director}
	p, handler := x.probe("the timer", nil)
	p.t = x.w.AllocLocked(l, handler)
	p.register(0)
	x.sleep()
	tenant, handler := x.probe("the tenant", nil)
	x.actor("the owner of the lock", func() {
		l.Lock()
		x.check(p.t.Free() == nil, "Free")
		found := p.t.Del()
		now := x.w.Now()
		tenant.t = x.w.AllocLocked(l, handler)
		tenant.register(2 * tick)
		if found.Pending && replaced(p.t, tenant.t) {
			x.saw("replaced")
		}
		l.Unlock()
		x.atEnd(func() {
			x.check(tenant.ended == 1 && !tenant.at.Before(now.Add(2*tick)), "the tenant ran in the place of its predecessor")
		})
	})
}
