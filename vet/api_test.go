package vet

import (
	"go/types"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

// Every function that the analysis knows by name is there, and takes its handler
// where handlerArg looks for it: a renamed one would not be seen any more, and
// nothing would be reported.
func TestTheNamesAreThere(t *testing.T) {
	pkgs, err := packages.Load(&packages.Config{Mode: packages.NeedTypes | packages.NeedImports | packages.NeedDeps, Dir: "testdata"},
		wheelPath, wheelPath+"/stdtime", wheelPath+"/timerctx", "sync", "time", "context")
	require.NoError(t, err)
	there := map[string]*types.Func{}
	for _, p := range pkgs {
		require.Empty(t, p.Errors)
		for _, f := range functionsOf(p.Types.Scope()) {
			there[f.FullName()] = f
		}
	}
	for name, o := range ops {
		f := there[name]
		require.NotNil(t, f, "%s is gone", name)
		if o.makes() {
			requireHandler(t, f, o)
		}
	}
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

// requireHandler requires that the argument of f which is taken for the handler
// is a function.
func requireHandler(t *testing.T, f *types.Func, o op) {
	params := f.Signature().Params()
	i := params.Len() - 1
	if o != timeAfterFunc {
		i = handlerIndex[o]
		if f.Signature().Recv() != nil {
			i--
		}
	}
	_, ok := params.At(i).Type().Underlying().(*types.Signature)
	require.True(t, ok, "%s: argument %d is no function", f.FullName(), i)
	if o.takesTimer() {
		require.True(t, strings.HasSuffix(params.At(i).Type().String(), "timerwheel.Timer)"), f.FullName())
	}
}

// Each exported method of the library either means something to the analysis, or
// is listed here as harmless: a new one is for somebody to decide.
func TestNoMethodIsForgotten(t *testing.T) {
	pkgs, err := packages.Load(&packages.Config{Mode: packages.NeedTypes | packages.NeedImports | packages.NeedDeps, Dir: "testdata"}, wheelPath)
	require.NoError(t, err)
	harmless := strings.Fields(`Timer.DelAsync Timer.Pending Timer.Running Timer.Valid Timer.When Timer.String
		Group.Len Wheel.Inspect Wheel.NewGroup Wheel.Now Wheel.Next Wheel.Stats Wheel.Running`)
	for _, typ := range []string{"Timer", "Group", "Wheel"} {
		obj := pkgs[0].Types.Scope().Lookup(typ)
		for m := range types.NewMethodSet(types.NewPointer(obj.Type())).Methods() {
			if !m.Obj().Exported() || ops[m.Obj().(*types.Func).FullName()] != other {
				continue
			}
			require.Contains(t, harmless, typ+"."+m.Obj().Name(), "the analysis does not know it")
		}
	}
}
