package timerwheel_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// inFreeze is set in the environment of the process that TestAFrozenProcessReportsNoStall stops.
const inFreeze = "TIMERWHEEL_TEST_FREEZE"

// Promise 11.22, with a process that really stands still. In its handlers of 20 ms, of which there are
// always some, a stop of several StallAfter must not look like a stall. Where the machine is so busy that
// they do not end in the quarter of StallAfter that they are given, they may be reported after it.
func TestAFrozenProcessReportsNoStall(t *testing.T) {
	const stallAfter, frozen = time.Second, 2500 * time.Millisecond
	if os.Getenv(inFreeze) != "" {
		runFrozen(stallAfter)
		return
	}
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAFrozenProcessReportsNoStall$")
	child.Env = append(os.Environ(), inFreeze+"=1")
	in, err := child.StdinPipe()
	require.NoError(t, err)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "runs\n", line)
	require.NoError(t, child.Process.Signal(syscall.SIGSTOP))
	time.Sleep(frozen)
	thawed := time.Now()
	require.NoError(t, child.Process.Signal(syscall.SIGCONT))
	time.Sleep(stallAfter) // time to report
	require.NoError(t, in.Close())
	for {
		var since, reported int64
		line, err := lines.ReadString('\n')
		if err == io.EOF || line == "PASS\n" {
			break
		}
		if n, _ := fmt.Sscanf(line, "stall %d %d\n", &since, &reported); n == 2 && time.Unix(0, since).Before(thawed) {
			require.GreaterOrEqual(t, time.Unix(0, reported).Sub(thawed), stallAfter/4, "a run of 20 ms was reported: %s", line)
		}
	}
	require.NoError(t, child.Wait())
}

// runFrozen runs handlers of 20 ms until the standard input ends, and prints what OnStall is called for.
func runFrozen(stallAfter time.Duration) {
	stalls := make(chan string, 1000)
	w, err := timerwheel.New(timerwheel.Options{StallAfter: stallAfter, StallStacks: -1, OnStall: func(s timerwheel.Stall) {
		stalls <- fmt.Sprintf("stall %d %d", s.Since.UnixNano(), time.Now().UnixNano())
	}})
	if err != nil {
		panic(err)
	}
	for k := range 20 {
		w.AfterFunc(time.Duration(k)*time.Millisecond, func() {
			w.Every(21*time.Millisecond, func(timerwheel.Timer) { time.Sleep(20 * time.Millisecond) })
		})
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Println("runs")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = w.Close()
	close(stalls)
	for s := range stalls {
		fmt.Println(s)
	}
}
