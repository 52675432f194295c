package browser

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// A deadlocked is examples/deadlocks while its deadlocks stand.
type deadlocked struct {
	program *exec.Cmd
	url     string // of its page
	out     *bufio.Scanner
}

func startDeadlocks(t *testing.T) *deadlocked {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "deadlocks")
	build := exec.Command("go", "build", "-o", binary, "./examples/deadlocks")
	build.Dir = "../.."
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)

	d := &deadlocked{program: exec.Command(binary, "-hold", "10m", "-http", "127.0.0.1:0")}
	d.program.Stderr = os.Stderr
	out, err := d.program.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, d.program.Start())
	t.Cleanup(func() {
		_ = d.program.Process.Kill()
		_ = d.program.Wait()
	})
	d.out = bufio.NewScanner(out)
	require.True(t, d.out.Scan())
	d.url = regexp.MustCompile(`^page:   (http://\S+/)$`).FindStringSubmatch(d.out.Text())[1]
	return d
}

// end interrupts the program, which then ends by itself, and returns what it has printed.
func (d *deadlocked) end(t *testing.T) (printed string) {
	t.Helper()
	require.NoError(t, d.program.Process.Signal(os.Interrupt))
	for d.out.Scan() {
		printed += d.out.Text() + "\n"
	}
	require.NoError(t, d.program.Wait())
	return printed
}

// A program of its own that deadlocks: its page shows both who holds the lock and who wants
// it, and two of three that wait in a circle. That is what the README says that it shows.
func TestThePageOfAProgramThatDeadlocks(t *testing.T) {
	tab := newTab(t)
	d := startDeadlocks(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(d.url)))
	eventually(t, tab, `document.querySelectorAll("#graph g").length === 5 && document.querySelectorAll("#run-list li.stalled").length === 4`)

	// The lock: its handler waits for nobody, and the deletion waits for it.
	require.Contains(t, eval[[]string](t, tab, `[...document.querySelectorAll("#graph g.blocking .name")].map((e) => e.textContent)`), "main.(*session).expire")
	row := eval[string](t, tab, `[...document.querySelectorAll("#run-list li")].find((li) => li.innerText.includes("(*session).expire")).innerText`)
	waiter := regexp.MustCompile(`1 deletion waits for it: (goroutine \d+) \(DelSync`).FindStringSubmatch(row)
	require.NotNil(t, waiter, row)
	require.Contains(t, row, "session.go:24", "where the timer was allocated")
	require.Equal(t, waiter[1], eval[string](t, tab, `document.querySelector("#graph g.outside .name").textContent`))

	// The circle: who was refused runs, one waits for it, and another for that one.
	waits := strings.Split(eval[string](t, tab, `document.getElementById("graph").getAttribute("aria-label")`), "; ")
	require.Len(t, waits, 3)
	require.Contains(t, waits, waiter[1]+" waits for main.(*session).expire")
	next := map[string]string{"readTimeout": "parseTimeout", "parseTimeout": "writeTimeout", "writeTimeout": "readTimeout"}
	for _, wait := range waits {
		if from, to, _ := strings.Cut(wait, " waits for "); strings.Contains(from, "pipeline") {
			require.Equal(t, next[stage(from)], stage(to))
		}
	}
	require.Equal(t, 2, eval[int](t, tab, `document.querySelectorAll("#graph g.blocking").length`), "the lock's handler, and who was refused")

	require.Equal(t, withoutChance(inREADME(t)), withoutChance(waits))

	// No arrow crosses another, and names are in their boxes.
	rows := eval[[]string](t, tab, `[...document.querySelectorAll("#graph g")].sort((a, b) => a.getCTM().e - b.getCTM().e || a.getCTM().f - b.getCTM().f).map((g) => g.getAttribute("class"))`)
	require.Equal(t, []string{"outside", "handler", "blocking", "handler", "blocking"}, rows, "column by column")
	require.True(t, eval[bool](t, tab, `[...document.querySelectorAll("#graph g")].every((g) => g.querySelector(".name").getBBox().width < g.querySelector("rect").getBBox().width - 10)`))

	require.NoError(t, chromedp.Do(tab, chromedp.Navigate("about:blank"))) // it would complain that nobody answers
	printed := d.end(t)
	require.NotContains(t, printed, "FAILED")
	require.Equal(t, 5, strings.Count(printed, "\n  ok "), printed)
}

func stage(handler string) string { return handler[strings.LastIndex(handler, ".")+1:] }

// inREADME returns what the README says who waits for whom.
func inREADME(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	block := regexp.MustCompile(`(?s)-http localhost:8080.*?\n` + "```text\n(.*?)\n```").FindSubmatch(readme)
	require.NotNil(t, block)
	return strings.Split(string(block[1]), "\n")
}

var chance = regexp.MustCompile(`goroutine \d+|read|parse|write`)

// withoutChance takes from some lines what is different each time.
func withoutChance(lines []string) (sorted []string) {
	for _, line := range lines {
		sorted = append(sorted, chance.ReplaceAllString(line, "~"))
	}
	slices.Sort(sorted)
	return sorted
}
