package api

import (
	"go/types"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

// Every function that the analysis knows by name exists, and takes its handler
// where Handler looks for it. The analysis would no longer see a renamed function,
// and would report nothing.
func TestEveryNameExists(t *testing.T) {
	functions := map[string]*types.Func{}
	for _, p := range load(t, WheelPath, WheelPath+"/stdtime", WheelPath+"/timerctx", KeyedPath, "sync", "time", "context") {
		for _, f := range functionsOf(p.Types.Scope()) {
			functions[f.FullName()] = f
		}
	}
	for name, o := range ops {
		f := functions[name]
		require.NotNil(t, f, "%s does not exist", name)
		if o.MakesTimer() {
			requireHandler(t, f, o)
		}
	}
}

// load loads packages as the module of testdata sees them.
func load(t *testing.T, paths ...string) []*packages.Package {
	mode := packages.NeedTypes | packages.NeedImports | packages.NeedDeps
	pkgs, err := packages.Load(&packages.Config{Mode: mode, Dir: "../../testdata"}, paths...)
	require.NoError(t, err)
	require.Len(t, pkgs, len(paths))
	for _, p := range pkgs {
		require.Empty(t, p.Errors)
	}
	return pkgs
}

func functionsOf(scope *types.Scope) (fs []*types.Func) {
	for _, name := range scope.Names() {
		switch obj := scope.Lookup(name).(type) {
		case *types.Func:
			fs = append(fs, obj)
		case *types.TypeName:
			set := types.NewMethodSet(types.NewPointer(obj.Type()))
			if types.IsInterface(obj.Type()) {
				set = types.NewMethodSet(obj.Type())
			}
			for m := range set.Methods() {
				fs = append(fs, m.Obj().(*types.Func))
			}
		}
	}
	return fs
}

// requireHandler requires that the argument of f which is taken for the handler is
// a function.
func requireHandler(t *testing.T, f *types.Func, o Op) {
	params := f.Signature().Params()
	i := params.Len() - 1
	if o != TimeAfterFunc {
		i = handlerIndex[o]
		if f.Signature().Recv() != nil {
			i--
		}
	}
	_, ok := params.At(i).Type().Underlying().(*types.Signature)
	require.True(t, ok, "%s: argument %d is not a function", f.FullName(), i)
	if o.TakesArg() {
		require.Equal(t, params.Len()-1, i+1, "%s: the argument comes last", f.FullName())
	}
	if o.TakesTimer() {
		handler := params.At(i).Type().(*types.Signature).Params()
		require.True(t, strings.HasSuffix(handler.At(0).Type().String(), "timerwheel.Timer"), f.FullName())
	}
}

// Each exported method of the library either means something to the analysis, or is
// listed here as harmless. A new method fails the test until it is one or the other.
func TestEveryMethodIsKnownOrHarmless(t *testing.T) {
	for _, p := range load(t, WheelPath, KeyedPath) {
		for _, typ := range []string{"Timer", "Group", "Wheel", "Timers"} {
			if obj := p.Types.Scope().Lookup(typ); obj != nil {
				requireKnownOrHarmless(t, obj)
			}
		}
	}
}

func requireKnownOrHarmless(t *testing.T, typ types.Object) {
	harmless := strings.Fields(`Timer.DelAsync Timer.Pending Timer.Running Timer.Valid Timer.When Timer.String
		Timer.Move Group.Del Group.Shutdown Group.Free Group.Len Wheel.Inspect Wheel.NewGroup Wheel.Now Wheel.Next Wheel.Stats Wheel.Running Wheel.Timers Wheel.Sites
		Timers.Set Timers.Move Timers.Len Timers.Clear Timers.All`)
	for m := range types.NewMethodSet(types.NewPointer(typ.Type())).Methods() {
		f := m.Obj().(*types.Func)
		if f.Exported() && OpOfFunc(f) == Other {
			require.Contains(t, harmless, typ.Name()+"."+f.Name(), "the analysis does not know it")
		}
	}
}
