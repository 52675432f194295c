// Package model describes what a package does with timers and locks: which timers
// it makes, with which handlers, where it stores their handles, which locks its
// functions take, and what they wait for and signal.
//
// It works on the SSA form of one package at a time. The order is: find the calls
// that make timers (site.go, funcvalue.go, resolve.go), find where their handles are stored
// (storage.go), summarise each function (summary.go, summarise.go), and describe
// the handlers (handler.go). Facts (fact.go) carry the result to the packages that
// import this one.
package model

import (
	"fmt"
	"go/token"
	"go/types"
	"path"
	"path/filepath"

	"github.com/seed76848005/timerwheel/vet/internal/location"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// A Model holds what is known of a package.
type Model struct {
	Pass     *analysis.Pass
	program  *ssa.Program
	Funcs    []*ssa.Function
	Sites    []*Site
	Handlers []*Handler // all that are known, also those of other packages

	callers map[*ssa.Function][]ssa.CallInstruction // of the package's own functions
	users   map[*ssa.Function][]*ssa.Function       // the functions that call a function, or pass it on

	siteOf map[ssa.CallInstruction][]*Site
	stored map[string][]*Site  // by the key of the location that stores the handle
	copies map[string][]string // from key to key
	owners map[string]string   // of wheels and groups: from one name to the next name of the same

	calledFuncs   map[*ssa.CallCommon]FuncValue // what calls call, as far as it was asked
	argumentFuncs map[ssa.Value][]FuncValue     // what arguments may be, as far as it was asked
	funcsStored   map[string][]ssa.Value        // by the key of the location
	steps         map[*ssa.Function][]ssa.Instruction
	summaries     map[*ssa.Function]*Summary
	importers     map[string]importedFunc // other packages' functions, by full name
	imported      map[string]*Summary     // of them, as far as it was asked

	implementations map[*types.Named]types.Type // of interfaces, as far as it was asked

	locks        *table[Lock, Lock]
	locksByKey   map[string][]int
	signals      *table[Signal, Signal]
	signalsAt    map[Position][]int
	signalsByKey map[string][]int
	waits        *table[string, Wait]
	stores       *table[string, string]

	taken   map[*ssa.Function]map[ssa.Instruction]Set // before a step, as far as it was asked
	answers map[question]map[*ssa.Function]*Lock      // as far as it was asked

	bySite        map[*Site][]*Handler
	isHandler     map[*ssa.Function]bool
	importedByKey map[string][]*Handler // other packages', by the key of the location that stores the handle
}

// Build builds the model of a package from its SSA form and the facts of the
// packages that it imports, and exports the fact of this package.
func Build(pass *analysis.Pass) *Model {
	m := newModel(pass)
	m.importFacts()
	m.findStoredFuncs()
	m.sortFuncs()
	m.findSites()
	m.findStorage()
	m.summarise()
	m.findHandlers()
	m.exportFact()
	return m
}

func newModel(pass *analysis.Pass) *Model {
	built := pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA)
	m := &Model{
		Pass:            pass,
		program:         built.Pkg.Prog,
		callers:         map[*ssa.Function][]ssa.CallInstruction{},
		users:           map[*ssa.Function][]*ssa.Function{},
		siteOf:          map[ssa.CallInstruction][]*Site{},
		stored:          map[string][]*Site{},
		copies:          map[string][]string{},
		owners:          map[string]string{},
		calledFuncs:     map[*ssa.CallCommon]FuncValue{},
		argumentFuncs:   map[ssa.Value][]FuncValue{},
		funcsStored:     map[string][]ssa.Value{},
		steps:           map[*ssa.Function][]ssa.Instruction{},
		summaries:       map[*ssa.Function]*Summary{},
		importers:       map[string]importedFunc{},
		imported:        map[string]*Summary{},
		implementations: map[*types.Named]types.Type{},
		locks:           newTable[Lock, Lock](),
		locksByKey:      map[string][]int{},
		signals:         newTable[Signal, Signal](),
		signalsAt:       map[Position][]int{},
		signalsByKey:    map[string][]int{},
		waits:           newTable[string, Wait](),
		stores:          newTable[string, string](),
		taken:           map[*ssa.Function]map[ssa.Instruction]Set{},
		isHandler:       map[*ssa.Function]bool{},
		answers:         map[question]map[*ssa.Function]*Lock{},
		bySite:          map[*Site][]*Handler{},
		importedByKey:   map[string][]*Handler{},
	}
	known := map[*ssa.Function]bool{}
	for _, fn := range built.SrcFuncs {
		m.add(fn, known)
	}
	if init := built.Pkg.Func("init"); init != nil {
		m.add(init, known) // sets package variables
	}
	return m
}

// add adds a function, what it calls and what it passes on. Methods that are bound
// to their receivers are functions, too.
func (m *Model) add(fn *ssa.Function, known map[*ssa.Function]bool) {
	if known[fn] || len(fn.Blocks) == 0 {
		return
	}
	known[fn] = true
	m.Funcs = append(m.Funcs, fn)
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			if call, ok := in.(ssa.CallInstruction); ok && !call.Common().IsInvoke() {
				if callee := call.Common().StaticCallee(); callee != nil {
					callee = generic(callee)
					m.callers[callee] = append(m.callers[callee], call)
				}
			}
			for _, v := range in.Operands(nil) {
				if f, ok := (*v).(*ssa.Function); ok {
					m.addUser(generic(f), fn)
					if f.Synthetic != "" && f.Origin() == nil {
						m.add(f, known)
					}
				}
			}
		}
	}
}

// addUser records that a function uses another.
func (m *Model) addUser(f, user *ssa.Function) {
	if all := m.users[f]; len(all) == 0 || all[len(all)-1] != user {
		m.users[f] = append(all, user)
	}
}

// sortFuncs sorts functions behind those that they call, as far as possible, so
// that the summaries of the callees exist when they are needed.
func (m *Model) sortFuncs() {
	left := map[*ssa.Function]bool{}
	for _, fn := range m.Funcs {
		left[fn] = true
	}
	var sorted []*ssa.Function
	var add func(fn *ssa.Function)
	add = func(fn *ssa.Function) {
		if !left[fn] {
			return
		}
		delete(left, fn)
		for _, anon := range fn.AnonFuncs {
			add(anon)
		}
		Calls(fn, func(c ssa.CallInstruction) {
			if callee := m.calledFunc(c.Common()).Func; callee != nil {
				callee = generic(callee)
				m.addUser(callee, fn)
				add(callee)
			}
		})
		sorted = append(sorted, fn)
	}
	for _, fn := range m.Funcs {
		add(fn)
	}
	m.Funcs = sorted
}

// Calls calls visit with each call in a function, also those of defer and go
// statements.
func Calls(fn *ssa.Function, visit func(ssa.CallInstruction)) {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			if call, ok := in.(ssa.CallInstruction); ok {
				visit(call)
			}
		}
	}
}

// generic returns the generic function of an instance. Any other function it
// returns unchanged.
func generic(fn *ssa.Function) *ssa.Function {
	if o := fn.Origin(); o != nil {
		return o
	}
	return fn
}

// fullName names a function in all packages.
func fullName(fn *ssa.Function) string {
	if f, ok := fn.Object().(*types.Func); ok {
		return f.Origin().FullName()
	}
	return fn.String()
}

// A Position is a position in the source, for the tools and for people.
type Position struct {
	Pos  token.Pos // valid only in this package
	Text string    // "conn.go:12"
}

// Position returns a position of this package.
func (m *Model) Position(pos token.Pos) Position {
	if !pos.IsValid() {
		return Position{}
	}
	p := m.Pass.Fset.Position(pos)
	return Position{pos, fmt.Sprintf("%s:%d", filepath.Base(p.Filename), p.Line)}
}

// textElsewhere returns the text of a position as other packages show it.
func (m *Model) textElsewhere(p Position) string {
	if p.Pos == token.NoPos {
		return p.Text
	}
	return path.Join(path.Base(location.PackagePath(m.Pass.Pkg)), p.Text)
}
