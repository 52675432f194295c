// Package docs has no code, only the pages beside this file. Its tests keep the
// Go on these pages, and in the README, true.
package docs

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	// What the pages speak of. That go test sees when it changes, they are imported here.
	_ "github.com/seed76848005/timerwheel"
	_ "github.com/seed76848005/timerwheel/debug"
	_ "github.com/seed76848005/timerwheel/keyed"
	_ "github.com/seed76848005/timerwheel/stdtime"
	_ "github.com/seed76848005/timerwheel/timerctx"
)

// Every block of Go on a page is one of these:
//
//   - A quotation: the line above it is <!-- from FILE -->, with the path from
//     the page, and it stands in that test file word for word. So it is compiled, and run, with the tests.
//   - A program: it begins with "package". It is run, and prints what follows its
//     "// Output:".
//   - A snippet: anything else. Its types are checked, as declarations or as the
//     body of a function. It may use the packages of imports and the names of given.
//
// A page that shows Go which does not exist any more makes TestSnippets fail, with
// the page and the line.
func TestSnippets(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	check := newChecker(t)
	for _, page := range append(pages, "../README.md") {
		for _, b := range blocksOf(t, page) {
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(page), b.line), func(t *testing.T) {
				switch {
				case b.from != "":
					source, err := os.ReadFile(filepath.Join(filepath.Dir(page), b.from))
					require.NoError(t, err)
					require.Regexp(t, `_test\.go$`, b.from)
					require.True(t, strings.Contains(string(source), b.code), "the page and %s differ", b.from)
				case strings.HasPrefix(b.code, "package "):
					runs(t, b.code)
				default:
					require.NoError(t, check(b))
				}
			})
		}
	}
}

// The packages that a snippet may use without importing them.
var imports = []string{
	"errors", "fmt", "log", "net", "net/http", "sync", "testing", "time",
	"go.uber.org/goleak",
	"github.com/seed76848005/timerwheel",
	"github.com/seed76848005/timerwheel/debug",
	"github.com/seed76848005/timerwheel/keyed",
	"github.com/seed76848005/timerwheel/stdtime",
	"github.com/seed76848005/timerwheel/timerctx",
}

// given is what snippets speak of and do not declare.
const given = `
var (
	w    *timerwheel.Wheel
	conn net.Conn
	read func(net.Conn) bool
	r    *http.Request
	done chan struct{}
)
`

// A block is one block of Go on a page.
type block struct {
	page string
	line int    // of its first line of code
	from string // the test file that it is quoted from
	code string
}

var quotation = regexp.MustCompile(`^<!-- from (\S+) -->$`)

// blocksOf reads the blocks of a page. One that it could not read would not be missed, so
// it is strict.
func blocksOf(t *testing.T, page string) (blocks []block) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	above, b := "", (*block)(nil)
	for n, line := range strings.Split(string(text), "\n") {
		switch {
		case b != nil && line == "```":
			blocks = append(blocks, *b)
			b = nil
		case b != nil:
			b.code += line + "\n"
		case line == "```go":
			b = &block{page: page, line: n + 2}
			if m := quotation.FindStringSubmatch(above); m != nil {
				b.from = m[1]
			}
		default:
			require.NotRegexp(t, `^\s*`+"```+"+`\s*(go\b|Go|golang)`, line, "%s:%d: a block of Go begins with ```go", page, n+1)
		}
		above = line
	}
	require.Nil(t, b, "%s: a block does not end", page)
	return blocks
}

var output = regexp.MustCompile(`(?s)\n\s*// Output:\n(.*?)\n}\n*$`)

// runs runs a program, which must print what it says.
func runs(t *testing.T, code string) {
	m := output.FindStringSubmatch(code)
	require.NotNil(t, m, "a program ends with // Output:, and what it prints")
	want := regexp.MustCompile(`(?m)^\s*// ?`).ReplaceAllString(m[1], "")

	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(code), 0o600))
	cmd := exec.Command("go", "run", file) // in this module, which is why it can be imported
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	require.Equal(t, want, strings.TrimSpace(string(got)))
}

// newChecker returns a function that checks a snippet.
func newChecker(t *testing.T) func(block) error {
	fset := token.NewFileSet()
	exports := compiled(t)
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })

	head := "package snippet\n"
	for _, path := range imports {
		head += fmt.Sprintf("import %q\n", path)
	}
	names, err := parser.ParseFile(fset, "given", head+given, 0)
	require.NoError(t, err)

	return func(b block) error {
		here := fmt.Sprintf("\n//line %s:%d\n", b.page, b.line)
		file, err := parser.ParseFile(fset, "", head+here+b.code, 0)
		if err != nil {
			file, err = parser.ParseFile(fset, "", head+"func _() error {"+here+b.code+"\nreturn nil }\n", 0)
		}
		if err != nil {
			return err
		}
		var hard error
		conf := types.Config{Importer: imp, Error: func(err error) {
			if e := err.(types.Error); !e.Soft && hard == nil { // what is declared and not used is soft
				hard = fmt.Errorf("%v: %s", e.Fset.Position(e.Pos), e.Msg)
			}
		}}
		_, _ = conf.Check("snippet", fset, []*ast.File{names, file}, nil)
		return hard
	}
}

// compiled has the imports compiled, and all that they import, and returns where what they
// export is to be found.
func compiled(t *testing.T) map[string]string {
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, imports...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	list, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	exports := map[string]string{}
	for line := range strings.Lines(string(list)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[path] = file
	}
	return exports
}
