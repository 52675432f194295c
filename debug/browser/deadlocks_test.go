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

// A deadlockedProgram is a process of examples/deadlocks while its deadlocks last.
type deadlockedProgram struct {
	program *exec.Cmd
	url     string // of its page
	out     *bufio.Scanner
}

func startDeadlocks(t *testing.T) *deadlockedProgram {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "deadlocks")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./examples/deadlocks")
	build.Dir = "../.."
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	d := &deadlockedProgram{program: exec.Command(binary, "-hold", "10m", "-http", "127.0.0.1:0")}
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

// end interrupts the program, waits until it ends by itself, and returns its output.
func (d *deadlockedProgram) end(t *testing.T) (printed string) {
	t.Helper()
	require.NoError(t, d.program.Process.Signal(os.Interrupt))
	for d.out.Scan() {
		printed += d.out.Text() + "\n"
	}
	require.NoError(t, d.program.Wait())
	return printed
}

// The page of another program that deadlocks shows the handler that wants a lock and the
// deletion that waits for it, and the two waits of a circle of three handlers. docs/deadlocks.md
// shows the same.
func TestPageOfADeadlockedProgram(t *testing.T) {
	tab := newTab(t)
	d := startDeadlocks(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(d.url)))
	eventually(t, tab, `document.querySelectorAll("#graph g").length === 5 && document.querySelectorAll("#run-list li.stalled").length === 4`)

	// The lock: the handler waits for no other, and the deletion waits for it.
	require.Contains(t, eval[[]string](t, tab, `[...document.querySelectorAll("#graph g.blocking .name")].map((e) => e.textContent)`), "main.(*session).expire")
	row := eval[string](t, tab, `[...document.querySelectorAll("#run-list li")].find((li) => li.innerText.includes("(*session).expire")).innerText`)
	waiter := regexp.MustCompile(`1 deletion waits for it: main\.\(\*session\)\.close \(session\.go:44\), DelSync for .*, (goroutine \d+)`).FindStringSubmatch(row)
	require.NotNil(t, waiter, row)
	require.Contains(t, row, "session.go:24", "where the timer was allocated")
	require.Regexp(t, `^main\.\(\*session\)\.close ?DelSync at session\.go:44`+waiter[1]+`waits for`, eval[string](t, tab,
		`[...document.querySelectorAll("#graph g.outside text")].map((text) => text.textContent).join("")`))

	// The circle: the handler whose deletion was refused runs, one waits for it, and another
	// for that one.
	waits := strings.Split(eval[string](t, tab, `document.getElementById("graph").getAttribute("aria-label")`), "; ")
	require.Len(t, waits, 3)
	require.Contains(t, waits, "main.(*session).close waits for main.(*session).expire")
	next := map[string]string{"readTimeout": "parseTimeout", "parseTimeout": "writeTimeout", "writeTimeout": "readTimeout"}
	for _, wait := range waits {
		if from, to, _ := strings.Cut(wait, " waits for "); strings.Contains(from, "pipeline") {
			require.Equal(t, next[stage(from)], stage(to))
		}
	}
	require.Equal(t, 2, eval[int](t, tab, `document.querySelectorAll("#graph g.blocking").length`), "the handler that wants the lock, and the one whose deletion was refused")

	require.Equal(t, normalize(onThePage(t)), normalize(waits))

	// No arrow crosses another, and names are in their boxes.
	rows := eval[[]string](t, tab, `[...document.querySelectorAll("#graph g")].sort((a, b) => a.getCTM().e - b.getCTM().e || a.getCTM().f - b.getCTM().f).map((g) => g.getAttribute("class"))`)
	require.Equal(t, []string{"outside", "handler", "blocking", "handler", "blocking"}, rows, "column by column")
	require.True(t, eval[bool](t, tab, `[...document.querySelectorAll("#graph g")].every((g) => [...g.querySelectorAll("text")].every((text) => text.getBBox().width < g.querySelector("rect").getBBox().width - 10))`))

	require.NoError(t, chromedp.Do(tab, chromedp.Navigate("about:blank"))) // otherwise the page reports that the program does not answer
	printed := d.end(t)
	require.NotContains(t, printed, "FAILED")
	require.Equal(t, 5, strings.Count(printed, "\n  ok "), printed)
}

func stage(handler string) string { return handler[strings.LastIndex(handler, ".")+1:] }

// onThePage returns the lines of docs/deadlocks.md that say who waits for whom.
func onThePage(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/deadlocks.md")
	require.NoError(t, err)
	block := regexp.MustCompile(`(?s)-http localhost:8080.*?\n` + "```text\n(.*?)\n```").FindSubmatch(page)
	require.NotNil(t, block)
	return strings.Split(string(block[1]), "\n")
}

// varying matches what differs from run to run.
var varying = regexp.MustCompile(`read|parse|write`)

// normalize sorts lines, and replaces what differs from run to run.
func normalize(lines []string) (sorted []string) {
	for _, line := range lines {
		sorted = append(sorted, varying.ReplaceAllString(line, "~"))
	}
	slices.Sort(sorted)
	return sorted
}
