// Package model holds the deletion protocol as a model for spin: see model.pml, and
// run, which checks it. The tests here keep the model in step with the code.
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

// root is the directory of the code.
const root = "../.."

// modelled are the files that hold the protocol. The model names each of their functions:
// it quotes the function, or says that it leaves the function out.
var modelled = []string{
	"alarm.go", "group.go", "handle.go", "hiring.go", "idle.go", "lines.go", "members.go", "membership.go", "own.go",
	"parked.go", "running.go", "shard.go", "sync_del.go", "word.go", "worker.go",
}

// A name is a comment in the model. It says which lines of a function the step beneath it
// stands for, or, without lines, that the model leaves the function out.
type name struct {
	at    string // file of the model
	file  string // file of the code
	fn    string
	lines []string
}

var (
	anyName = regexp.MustCompile(`/\* [=-] `)
	stands  = regexp.MustCompile(`/\* = ([\w/]+\.go): (\S+)((?: "[^"]+")+) \*/`)
	leftOut = regexp.MustCompile(`/\* - ([\w/]+\.go):((?: \S+)+) \*/`)
	quoted  = regexp.MustCompile(`"([^"]+)"`)
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
		for _, line := range quoted.FindAllStringSubmatch(m[3], -1) {
			n.lines = append(n.lines, line[1])
		}
		all = append(all, n)
	}
	comments := len(all)
	for _, m := range leftOut.FindAllStringSubmatch(text, -1) {
		comments++
		for _, fn := range strings.Fields(m[2]) {
			all = append(all, name{at: at, file: m[1], fn: fn})
		}
	}
	assert.Len(t, anyName.FindAllString(text, -1), comments, "%s: a comment with = or - that names no function", at)
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

// fullName returns the name of a function as stack traces have it, without its package.
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

// The lines that the model quotes must be in the code, each a line of the function that
// the comment names. A function that is left out must be there, too.
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

// A new function of the protocol must be added to the model, or be left out by name.
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
