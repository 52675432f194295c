package release

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// A module outside of this repository can get each published module, as go get finds it after the
// tags of docs/releasing.md, and build a program with all its packages. The modules come from a proxy
// in files, made from the working tree.
func TestStrangerGetsEachModule(t *testing.T) {
	proxy, v := t.TempDir(), version(t)
	modules := published(t)
	for _, p := range modules {
		publish(t, proxy, p, v)
	}
	cache := moduleCache(t)
	for _, p := range modules {
		t.Run(p.path(), func(t *testing.T) {
			s := stranger{t, t.TempDir(), environment(t, proxy, cache)}
			s.run("go", "mod", "init", "example.com/stranger")
			s.run("go", "get", p.path()+"@latest")
			require.Contains(t, s.run("go", "list", "-m", p.path()), v)
			require.Contains(t, s.run("go", "list", "-m", modules[0].path()+"@latest"), v)
			imports, commands := packages(t, p)
			var program bytes.Buffer
			fmt.Fprintln(&program, "package main")
			for _, name := range imports {
				fmt.Fprintf(&program, "import _ %q\n", name)
			}
			fmt.Fprintln(&program, "func main() { println(`it runs`) }")
			require.NoError(t, os.WriteFile(filepath.Join(s.dir, "main.go"), program.Bytes(), 0o666))
			s.run("go", "mod", "tidy")
			require.Contains(t, s.run("go", "run", "-trimpath", "."), "it runs")
			for _, name := range commands {
				s.run("go", "install", "-trimpath", name+"@latest")
			}
		})
	}
}

// publish adds a version of a module to a proxy in files, as the go command makes it of a tag.
func publish(t *testing.T, proxy string, p publication, v string) {
	escaped, err := module.EscapePath(p.path())
	require.NoError(t, err)
	dir := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	require.NoError(t, os.MkdirAll(dir, 0o777))
	write := func(name string, content []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o666))
	}
	mod, err := os.ReadFile(filepath.Join(root, p.dir, "go.mod"))
	require.NoError(t, err)
	write("list", []byte(v+"\n"))
	write(v+".info", fmt.Appendf(nil, `{"Version":%q}`, v))
	write(v+".mod", mod)

	var all []zip.File
	for _, name := range files(t, p.dir) { // zip.Create leaves out nested modules
		all = append(all, file{filepath.Join(root, p.dir, name), name})
	}
	if !slices.ContainsFunc(all, func(f zip.File) bool { return f.Path() == "LICENSE" }) {
		all = append(all, file{filepath.Join(root, "LICENSE"), "LICENSE"}) // as the go command does
	}
	var content bytes.Buffer
	require.NoError(t, zip.Create(&content, module.Version{Path: p.path(), Version: v}, all))
	t.Logf("%s: %d KiB", p.path(), content.Len()>>10)
	write(v+".zip", content.Bytes())
}

// A file is a zip.File.
type file struct{ from, name string }

func (f file) Path() string                 { return f.name }
func (f file) Lstat() (os.FileInfo, error)  { return os.Lstat(f.from) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.from) }

// packages returns the packages of a module that others can import, and its commands except those that
// only this repository uses.
func packages(t *testing.T, p publication) (imports, commands []string) {
	seen := map[string]bool{}
	for _, name := range files(t, p.dir) {
		dir := path.Dir(name)
		parts := strings.Split(dir, "/")
		if seen[dir] || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") ||
			nested(p.dir, dir) || slices.Contains(parts, "internal") || slices.Contains(parts, "testdata") || parts[0] == "examples" {
			continue
		}
		seen[dir] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, p.dir, name), nil, parser.PackageClauseOnly)
		require.NoError(t, err)
		if parsed.Name.Name == "main" {
			commands = append(commands, path.Join(p.path(), dir))
		} else {
			imports = append(imports, path.Join(p.path(), dir))
		}
	}
	require.NotEmpty(t, imports)
	return imports, commands
}

// nested reports whether a directory belongs to another module inside of the module in dir.
func nested(dir, sub string) bool {
	for ; sub != "."; sub = path.Dir(sub) {
		if _, err := os.Stat(filepath.Join(root, dir, sub, "go.mod")); err == nil {
			return true
		}
	}
	return false
}

// moduleCache returns a directory for GOMODCACHE: that of this machine must not see versions that are
// not published yet.
func moduleCache(t *testing.T) string {
	dir := t.TempDir()
	t.Cleanup(func() {
		cmd := exec.Command("go", "clean", "-modcache")
		cmd.Env = append(os.Environ(), "GOMODCACHE="+dir)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	return dir
}

// environment returns that of a stranger. What others publish comes from the cache of this machine where
// it has that, or from where this machine gets it.
func environment(t *testing.T, proxy, cache string) []string {
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY").Output()
	require.NoError(t, err)
	here, others, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return append(os.Environ(),
		"GOPROXY="+fileURL(proxy)+","+fileURL(filepath.Join(here, "cache", "download"))+","+others,
		"GOMODCACHE="+cache, "GOBIN="+t.TempDir(), "GOWORK=off", "GOFLAGS=",
		"GONOSUMDB="+goMod(t, ".").Module.Mod.Path)
}

func fileURL(dir string) string { return "file:///" + strings.TrimPrefix(filepath.ToSlash(dir), "/") }

type stranger struct {
	t   *testing.T
	dir string
	env []string
}

// run runs a command in the stranger's module, and returns what it prints.
func (s stranger) run(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "%s %s\n%s", name, strings.Join(args, " "), out)
	return string(out)
}
