package docs

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

// root is the directory of the library, relative to this one.
const root = ".."

// ARCHITECTURE.md names files, and methods and fields as Type.name. All of them exist.
func TestArchitectureNamesWhatExists(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	require.NoError(t, err)
	code := declared(t)
	found := 0
	for n, line := range strings.Split(string(page), "\n") {
		for _, name := range pageNames.FindAllString(line, -1) {
			found++
			if ext := filepath.Ext(name); ext == ".go" || ext == ".md" {
				_, err := os.Stat(filepath.Join(root, name))
				assert.NoError(t, err, "line %d", n+1)
			} else {
				assert.True(t, code[name], "line %d: %s does not exist", n+1, name)
			}
		}
	}
	require.Greater(t, found, 100)
}

var pageNames = regexp.MustCompile(`[\w/]+\.[A-Za-z]\w*`)

// declared returns the declarations of the library, and of stdtime and timerctx beside it:
// Type.name of each method and field,
// and package.name of what is at the top level of a package.
func declared(t *testing.T) map[string]bool {
	code := map[string]bool{}
	dirs, err := filepath.Glob(filepath.Join(root, "internal", "*"))
	require.NoError(t, err)
	for _, dir := range append(dirs, root, filepath.Join(root, "stdtime"), filepath.Join(root, "timerctx")) {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			declaredBy(parsed, code)
		}
	}
	return code
}

func declaredBy(file *ast.File, code map[string]bool) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			code[receiver(d, file.Name.Name)+"."+d.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				s, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				code[file.Name.Name+"."+s.Name.Name] = true
				var members []*ast.Field
				switch x := s.Type.(type) {
				case *ast.StructType:
					members = x.Fields.List
				case *ast.InterfaceType:
					members = x.Methods.List
				}
				for _, m := range members {
					for _, name := range m.Names {
						code[s.Name.Name+"."+name.Name] = true
					}
				}
			}
		}
	}
}

// receiver returns the type that a method belongs to; the package, if d is no method.
func receiver(d *ast.FuncDecl, pkg string) string {
	if d.Recv == nil {
		return pkg
	}
	of := d.Recv.List[0].Type
	for {
		switch x := of.(type) {
		case *ast.StarExpr:
			of = x.X
		case *ast.IndexExpr:
			of = x.X
		case *ast.IndexListExpr:
			of = x.X
		default:
			return of.(*ast.Ident).Name
		}
	}
}

// Each link of a page to another page, or to a file or directory, leads somewhere, and so
// does its anchor.
func TestLinks(t *testing.T) {
	found := 0
	require.NoError(t, filepath.WalkDir(root, func(page string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(page) != ".md" {
			return err
		}
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range links.FindAllStringSubmatch(fences.ReplaceAllString(string(text), ""), -1) {
			found++
			to, anchor, _ := strings.Cut(m[1], "#")
			to = filepath.Join(filepath.Dir(page), to)
			if strings.HasPrefix(m[1], "#") {
				to = page
			}
			_, err := os.Stat(to)
			assert.NoError(t, err, "a link of %s", page)
			if anchor != "" {
				assert.Contains(t, anchors(t, to), anchor, "a link of %s", page)
			}
		}
		return nil
	}))
	require.Greater(t, found, 50)
}

var (
	links    = regexp.MustCompile(`\]\(([^):\s]+)\)`) // without those to other sites
	fences   = regexp.MustCompile("(?ms)^```.*?^```$")
	headings = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// anchors returns the anchors of a page's headings, as GitHub makes them.
func anchors(t *testing.T, page string) (all []string) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, m := range headings.FindAllStringSubmatch(fences.ReplaceAllString(string(text), ""), -1) {
		anchor := strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")
		all = append(all, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(anchor, ""))
	}
	return all
}
