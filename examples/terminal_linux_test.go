package examples

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// openTerminal returns both ends of a terminal: what a program writes to one is read from the other.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this system has no terminals: ", err)
	}
	control := func(request uintptr, value *int32) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(value)))
		require.Zero(t, errno)
	}
	var locked, number int32
	control(syscall.TIOCSPTLCK, &locked)
	control(syscall.TIOCGPTN, &number)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	return screen, terminal
}

// progress matches the line of a second.
var progress = regexp.MustCompile(`(?m)^ +[0-9]+s  [a-z0-9].* [a-z]`)

// On a terminal an example says each second what it does. Eventloop is left out: it prints each
// event.
func TestProgressOnATerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("each example runs for some seconds")
	}
	for name, flags := range map[string][]string{
		"deadlocks":   {"-hold", "2s"},
		"idleconns":   {"-conns", "20", "-for", "2s"},
		"metrics":     {"-users", "1"},
		"reliableudp": {"-window", "1", "-messages", "500"},
		"seedrace":    {"-devices", "2", "-for", "2s"},
		"ttlcache":    {"-users", "1", "-for", "2s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown, err := onTerminal(t, name, flags)
			if err != nil || !progress.MatchString(shown) {
				// A program that gets no processor for a second may miss its line, or what it checks.
				t.Logf("a second try: the first ended with %v, and showed\n%s", err, shown)
				shown, err = onTerminal(t, name, flags)
			}
			require.NoError(t, err, "%s", shown)
			require.Regexp(t, progress, shown)
		})
	}
}

// onTerminal runs an example on a terminal, and returns what that shows, and how the program ended.
func onTerminal(t *testing.T, name string, flags []string) (shown string, err error) {
	t.Helper()
	screen, terminal := openTerminal(t)
	defer screen.Close()
	program := exec.Command(filepath.Join(programs, name), flags...)
	program.Stdout = terminal
	require.NoError(t, program.Start())
	require.NoError(t, terminal.Close())
	output, _ := io.ReadAll(screen) // it ends with an error when the program has closed the terminal
	return string(output), program.Wait()
}

func TestNoProgressInAPipe(t *testing.T) {
	if testing.Short() {
		t.Skip("the example runs for two seconds")
	}
	// Ttlcache checks nothing that a busy machine could make it miss.
	piped, err := exec.Command(filepath.Join(programs, "ttlcache"), "-users", "1", "-for", "2s").Output()
	require.NoError(t, err, "%s", piped)
	require.NotRegexp(t, progress, string(piped))
}
