package release

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A workflow is what this test reads of a workflow of GitHub's.
type workflow struct {
	Name string
	On   any
	Jobs map[string]struct {
		RunsOn   string `yaml:"runs-on"`
		Strategy struct {
			Matrix map[string]any
		}
		Steps []struct{ Uses, Run string }
	}
}

// Each workflow parses; the targets that it calls exist; and what .ci/run calls, some workflow calls.
func TestWorkflows(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	exist := targets(t)
	called := map[string]bool{}
	for _, name := range names {
		var w workflow
		parse(t, name, &w)
		assert.NotEmpty(t, w.Name, name)
		assert.NotNil(t, w.On, name)
		require.NotEmpty(t, w.Jobs, name)
		for job, j := range w.Jobs {
			assert.NotEmpty(t, j.RunsOn, "%s: %s", name, job)
			require.NotEmpty(t, j.Steps, "%s: %s", name, job)
			for _, step := range j.Steps {
				assert.True(t, (step.Uses == "") != (step.Run == ""), "%s: %s: a step has one of uses and run", name, job)
				for _, target := range calls(step.Run) {
					for _, target := range expand(t, target, j.Strategy.Matrix) {
						called[target] = true
						assert.True(t, exist[target], "%s: %s: make %s", name, job, target)
					}
				}
			}
		}
	}
	script, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	require.NoError(t, err)
	here := calls(string(script))
	require.Greater(t, len(here), 20)
	for _, target := range here {
		assert.True(t, exist[target], ".ci/run: make %s", target)
		assert.True(t, called[target], "no workflow calls make %s, as .ci/run does", target)
	}
}

// dependabot.yml names every module that needs others, except the mistakes that the analyser is tested on.
func TestDependabot(t *testing.T) {
	var config struct {
		Version int
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directory   string
			Directories []string
			Schedule    struct{ Interval string }
		}
	}
	parse(t, filepath.Join(root, ".github", "dependabot.yml"), &config)
	require.Equal(t, 2, config.Version)
	var want, got []string
	for _, name := range files(t, ".") {
		if path.Base(name) == "go.mod" && name != "vet/testdata/go.mod" {
			want = append(want, path.Join("/", path.Dir(name)))
		}
	}
	for _, u := range config.Updates {
		assert.NotEmpty(t, u.Schedule.Interval)
		if u.Ecosystem == "gomod" {
			got = append(got, u.Directories...)
		}
	}
	assert.ElementsMatch(t, want, got)
}

func parse(t *testing.T, name string, into any) {
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), name)
}

// targets returns the targets of the Makefile.
func targets(t *testing.T) map[string]bool {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	all := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):[^=]`).FindAllStringSubmatch(string(text), -1) {
		all[m[1]] = true
	}
	return all
}

var (
	makes    = regexp.MustCompile(`(?m)^\s*make(?: -j 2 --output-sync)?((?: [a-z0-9-]+)+| \$\{\{ matrix\.target \}\})(?: [A-Z]+=\S+)?$`)
	anyMakes = regexp.MustCompile(`(?m)^\s*make .*$`)
)

// calls returns the targets that a script calls.
func calls(script string) (all []string) {
	for _, line := range anyMakes.FindAllString(script, -1) {
		if strings.TrimSpace(line) == "make --version | sed -n 1p" {
			continue
		}
		m := makes.FindStringSubmatch(line)
		if m == nil {
			panic("not understood: " + line)
		}
		if target := strings.TrimSpace(m[1]); strings.HasPrefix(target, "$") {
			all = append(all, target)
		} else {
			all = append(all, strings.Fields(target)...)
		}
	}
	return all
}

// expand returns the targets that a target stands for: itself, or all of the matrix.
func expand(t *testing.T, target string, matrix map[string]any) (all []string) {
	if !strings.HasPrefix(target, "$") {
		return []string{target}
	}
	if list, ok := matrix["target"].([]any); ok {
		for _, one := range list {
			all = append(all, one.(string))
		}
	}
	if list, ok := matrix["include"].([]any); ok {
		for _, one := range list {
			all = append(all, one.(map[string]any)["target"].(string))
		}
	}
	require.NotEmpty(t, all)
	return all
}
