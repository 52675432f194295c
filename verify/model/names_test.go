// Package model holds the deletion protocol as a model for spin: see model.pml, and
// run, which has it checked. The tests here keep the model with the code.
package model

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is where the code is that the model is of.
const root = "../.."

// modelled are the files of which the model names every function, be it to say that
// it leaves it out.
var modelled = []string{"sync_del.go", "worker.go", "handle.go", "shard.go"}

// A name is a comment in the model that says what the step beneath it stands for,
// or what the model leaves out.
type name struct {
	at    string // file of the model
	file  string // file of the code
	fn    string
	lines []string
}

var (
	anyName  = regexp.MustCompile(`/\* [=-] `)
	stands   = regexp.MustCompile(`/\* = (\w+\.go): (\S+)((?: "[^"]+")+) \*/`)
	leftOut  = regexp.MustCompile(`/\* - (\w+\.go): (\S+) \*/`)
	quotated = regexp.MustCompile(`"([^"]+)"`)
)

// names reads all names in the model.
func names(t *testing.T) (all []name) {
	t.Helper()
	files, err := filepath.Glob("*.pml")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all = append(all, namesIn(t, file, string(text))...)
	}
	return all
}

func namesIn(t *testing.T, at, text string) (all []name) {
	t.Helper()
	for _, m := range stands.FindAllStringSubmatch(text, -1) {
		n := name{at: at, file: m[1], fn: m[2]}
		for _, line := range quotated.FindAllStringSubmatch(m[3], -1) {
			n.lines = append(n.lines, line[1])
		}
		all = append(all, n)
	}
	for _, m := range leftOut.FindAllStringSubmatch(text, -1) {
		all = append(all, name{at: at, file: m[1], fn: m[2]})
	}
	assert.Len(t, anyName.FindAllString(text, -1), len(all), "%s: a comment with = or - that is no name", at)
	return all
}

// functions returns the texts of the functions of a file, by their names.
func functions(t *testing.T, file string) map[string]string {
	t.Helper()
	path := filepath.Join(root, file)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, path, text, 0)
	require.NoError(t, err)
	all := make(map[string]string)
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			all[fullName(f)] = string(text[fset.Position(f.Pos()).Offset:fset.Position(f.End()).Offset])
		}
	}
	return all
}

// fullName is how a function is called in a stack trace, without its package.
func fullName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	switch recv := f.Recv.List[0].Type.(type) {
	case *ast.StarExpr:
		return "(*" + recv.X.(*ast.Ident).Name + ")." + f.Name.Name
	default:
		return recv.(*ast.Ident).Name + "." + f.Name.Name
	}
}

// A step of the model stands for lines of the code. They must be there, each on one
// line of the function that is named.
func TestNamedLinesExist(t *testing.T) {
	lines := 0
	for _, n := range names(t) {
		text, ok := functions(t, n.file)[n.fn]
		if !assert.True(t, ok, "%s: there is no %s in %s", n.at, n.fn, n.file) {
			continue
		}
		for _, line := range n.lines {
			lines++
			assert.True(t, hasLine(text, line), "%s: %s in %s has no line %q", n.at, n.fn, n.file, line)
		}
	}
	assert.Greater(t, lines, 200, "lines named in the model")
}

func hasLine(text, line string) bool {
	for have := range strings.Lines(text) {
		if strings.TrimSpace(have) == line {
			return true
		}
	}
	return false
}

// What is added to the code must be added to the model, or left out of it knowingly.
func TestEveryFunctionIsNamed(t *testing.T) {
	named := make(map[string]bool)
	for _, n := range names(t) {
		named[n.file+" "+n.fn] = true
	}
	for _, file := range modelled {
		for fn := range functions(t, file) {
			assert.True(t, named[file+" "+fn], "the model does not name %s in %s", fn, file)
		}
	}
}
