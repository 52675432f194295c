// Package vet finds misuse of package timerwheel before the program runs: what
// would deadlock, what uses a timer that was freed, and habits that were right
// with time.Timer.
//
// # How it works
//
// Everything is done on the SSA form of one package at a time. First the calls
// are found that make timers (timers.go): which handler each has, and in which
// fields and variables its handle is kept. Then each function is summarised
// (summary.go): which locks it takes, what it waits for and signals, itself and
// through the functions that it calls; with each path through it followed
// (paths.go). The checks follow the paths once more, and compare what is held
// with what the handlers want (deadlock.go, circle.go, handle.go, habit.go).
//
// What a package's functions do, and which handlers its fields hold, is kept as
// a fact for the packages that import it (fact.go).
package vet

import (
	"fmt"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// Analyzer reports misuse of package timerwheel. The Category of a diagnostic is
// lock, wait, self, circle, free, dropped or habit.
var Analyzer = &analysis.Analyzer{
	Name: "timerwheel",
	Doc: `find deadlocks and misuse of timers

It reports
  lock     a deletion that waits for a handler, while a lock is held that the handler wants
  wait     the same of a WaitGroup, a channel or a Cond that a timer's function signals
  self     DelSync or Close in the timer's own handler
  circle   handlers that wait for each other
  free     a handle that is used after its Free; AfterFunc's after its end
  dropped  a timer from Alloc that nobody keeps
  habit    loops and drains that time.Timer once needed

A comment //timerwheelvet:ignore REASON, on the line or above it, silences it.`,
	URL:       "https://" + wheelPath + "/tree/main/vet",
	Requires:  []*analysis.Analyzer{buildssa.Analyzer},
	FactTypes: []analysis.Fact{new(packageFact)},
	Run:       run,
}

// A model is what is known of a package.
type model struct {
	pass  *analysis.Pass
	funcs []*ssa.Function

	callers map[*ssa.Function][]ssa.CallInstruction // of the package's own functions
	users   map[*ssa.Function][]*ssa.Function       // who passes it on as a value

	sites   []*site
	siteOf  map[ssa.CallInstruction]*site
	held    map[string][]*site  // by the key of the place that keeps the handle
	copies  map[string][]string // from key to key
	classes map[string]string   // of wheels and groups: the next name

	called    map[*ssa.CallCommon]function // what calls call, and
	passes    map[ssa.Value][]function     // values may be, as far as it has been asked
	summaries map[*ssa.Function]*summary
	stale     map[*ssa.Function]bool
	imported  map[string]*summary // of other packages' functions, by full name

	handlers []*handler // all that are known, also of other packages
	bySite   map[*site][]*handler
	byKey    map[string][]*handler // other packages', by the key of the place that keeps the handle

	ignored  map[string]map[int]bool // lines, by file
	reported map[string]bool
}

func run(pass *analysis.Pass) (any, error) {
	if standard(pass) {
		return nil, nil
	}
	m := newModel(pass)
	m.importFacts()
	m.findSites()
	m.findHolders()
	m.summarise()
	m.findHandlers()
	m.exportFact()

	m.checkLocks()
	m.checkOwn()
	m.checkCircles()
	m.checkHandles()
	m.checkDropped()
	m.checkHabits()
	return nil, nil
}

// standard reports whether a package is of the standard library, which uses no
// wheel, and whose own locks are its own business.
func standard(pass *analysis.Pass) bool {
	if pass.Module != nil && pass.Module.Path != "" && pass.Module.Path != "std" {
		return false
	}
	first, _, _ := strings.Cut(pass.Pkg.Path(), "/")
	return !strings.Contains(first, ".") && first != "command-line-arguments"
}

func newModel(pass *analysis.Pass) *model {
	m := &model{
		pass:      pass,
		callers:   map[*ssa.Function][]ssa.CallInstruction{},
		users:     map[*ssa.Function][]*ssa.Function{},
		siteOf:    map[ssa.CallInstruction]*site{},
		held:      map[string][]*site{},
		copies:    map[string][]string{},
		classes:   map[string]string{},
		called:    map[*ssa.CallCommon]function{},
		passes:    map[ssa.Value][]function{},
		summaries: map[*ssa.Function]*summary{},
		stale:     map[*ssa.Function]bool{},
		imported:  map[string]*summary{},
		bySite:    map[*site][]*handler{},
		byKey:     map[string][]*handler{},
		ignored:   ignoredLines(pass),
		reported:  map[string]bool{},
	}
	for _, fn := range pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).SrcFuncs {
		m.add(fn)
	}
	if init := pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).Pkg.Func("init"); init != nil {
		m.add(init) // sets package variables
	}
	m.funcs = calleesFirst(m.funcs)
	return m
}

// calleesFirst puts functions behind those that they call, as far as that goes:
// so their summaries are there when they are wanted.
func calleesFirst(funcs []*ssa.Function) (sorted []*ssa.Function) {
	left := map[*ssa.Function]bool{}
	for _, fn := range funcs {
		left[fn] = true
	}
	var put func(fn *ssa.Function)
	put = func(fn *ssa.Function) {
		if !left[fn] {
			return
		}
		delete(left, fn)
		for _, anon := range fn.AnonFuncs {
			put(anon)
		}
		calls(fn, func(c ssa.CallInstruction) {
			if callee := c.Common().StaticCallee(); callee != nil {
				put(original(callee))
			}
		})
		sorted = append(sorted, fn)
	}
	for _, fn := range funcs {
		put(fn)
	}
	return sorted
}

// add adds a function, what it calls and what it passes on: methods bound to
// their receivers are functions, too.
func (m *model) add(fn *ssa.Function) {
	if slices.Contains(m.funcs, fn) || len(fn.Blocks) == 0 {
		return
	}
	m.funcs = append(m.funcs, fn)
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			if call, ok := in.(ssa.CallInstruction); ok && !call.Common().IsInvoke() {
				if callee := call.Common().StaticCallee(); callee != nil {
					callee = original(callee)
					m.callers[callee] = append(m.callers[callee], call)
				}
			}
			for _, v := range in.Operands(nil) {
				f, ok := (*v).(*ssa.Function)
				if !ok {
					continue
				}
				m.users[original(f)] = append(m.users[original(f)], fn)
				if f.Synthetic != "" && f.Origin() == nil {
					m.add(f)
				}
			}
		}
	}
}

// original returns the generic function of an instance.
func original(fn *ssa.Function) *ssa.Function {
	if o := fn.Origin(); o != nil {
		return o
	}
	return fn
}

// fullName names a function for all packages.
func fullName(fn *ssa.Function) string {
	if f, ok := fn.Object().(*types.Func); ok {
		return f.Origin().FullName()
	}
	return fn.String()
}

// point returns a position of this package.
func (m *model) point(pos token.Pos) point {
	if !pos.IsValid() {
		return point{}
	}
	p := m.pass.Fset.Position(pos)
	return point{pos, fmt.Sprintf("%s:%d", filepath.Base(p.Filename), p.Line)}
}

// foreign returns the text of a point for other packages.
func (m *model) foreign(p point) string {
	if p.pos == token.NoPos {
		return p.text
	}
	return path.Join(path.Base(pkgPath(m.pass.Pkg)), p.text)
}
