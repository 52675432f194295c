// Package release has tests only: that the modules of this repository can be got as they are
// published, and that the workflows call what exists. It is a module of its own because of what it
// needs for that.
package release

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

const root = ".."

// A publication is a module that gets a tag with each release.
type publication struct {
	dir  string // relative to the root
	file *modfile.File
}

func (p publication) path() string { return p.file.Module.Mod.Path }

// published returns the modules that the file published lists.
func published(t *testing.T) (all []publication) {
	list, err := os.ReadFile("published")
	require.NoError(t, err)
	for _, dir := range strings.Fields(string(list)) {
		all = append(all, publication{dir, goMod(t, dir)})
	}
	return all
}

func goMod(t *testing.T, dir string) *modfile.File {
	name := filepath.Join(root, dir, "go.mod")
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	file, err := modfile.Parse(name, text, nil)
	require.NoError(t, err)
	return file
}

// files returns the files below a directory that are in git, or would be after git add.
func files(t *testing.T, dir string) []string {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = filepath.Join(root, dir)
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []string
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name == "" {
			continue
		}
		if _, err := os.Lstat(filepath.Join(cmd.Dir, name)); err == nil { // not deleted
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all) // a merge that goes on has a file several times
}

// version returns the next release: what the modules require of each other. All require the same.
func version(t *testing.T) string {
	versions := map[string]bool{}
	ours := goMod(t, ".").Module.Mod.Path
	for _, name := range files(t, ".") {
		if path.Base(name) != "go.mod" {
			continue
		}
		for _, r := range goMod(t, path.Dir(name)).Require {
			if r.Mod.Path == ours || strings.HasPrefix(r.Mod.Path, ours+"/") {
				versions[r.Mod.Version] = true
			}
		}
	}
	require.Len(t, versions, 1, "make version VERSION=... sets them all")
	for v := range versions {
		require.Equal(t, semver.Canonical(v), v)
		require.NotEqual(t, "v0.0.0", v)
		return v
	}
	return ""
}

// A published module lies where its path says, and a module that is published needs none that is not.
func TestStrangersModules(t *testing.T) {
	all := published(t)
	ours := all[0].path()
	known := map[string]bool{}
	for _, p := range all {
		assert.Equal(t, path.Join(ours, p.dir), p.path())
		known[p.path()] = true
	}
	for _, p := range all {
		for _, r := range p.file.Require {
			if strings.HasPrefix(r.Mod.Path, ours) {
				assert.True(t, known[r.Mod.Path], "%s requires %s", p.path(), r.Mod.Path)
			}
		}
	}
}
