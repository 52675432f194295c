package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/seed76848005/timerwheel/bench/internal/scene"
)

// This file contains both ends of the child process that runs one scene of one rival. The
// child is this program, started with childArgument before its job.
//
// The child writes lines to its output: "idle" and a duration when it wants the parent to
// measure it while it does nothing, and at its end the measurement. The answer to "idle"
// comes through its input.

const childArgument = "child"

// A job is what a child runs.
type job struct {
	Scene, Rival string
	Short        bool
}

// childMain is the main function of a child.
func childMain() {
	var j job
	if err := json.Unmarshal([]byte(os.Args[2]), &j); err != nil {
		failChild(err)
	}
	s, err := scene.Find(j.Scene)
	if err != nil {
		failChild(err)
	}
	run := func() {
		measurement, err := runJob(j, s)
		if err != nil {
			failChild(err)
		}
		fmt.Println(measurement)
	}
	if s.InBubble {
		inBubble(run)
	}
	run()
}

func failChild(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

// inBubble runs f in a bubble and exits. Only a test may make a bubble, so f becomes one; its
// verdict follows the measurement on the output, where the parent does not read it.
func inBubble(f func()) {
	every := func(_, _ string) (bool, error) { return true, nil }
	testing.Main(every, []testing.InternalTest{{Name: "Scene", F: func(t *testing.T) {
		synctest.Test(t, func(*testing.T) { f() })
	}}}, nil, nil)
}

// runJob runs a scene of a rival and returns its measurement.
func runJob(j job, s scene.Scene) (string, error) {
	for _, kind := range rival.Kinds() {
		if kind.Name == j.Rival {
			m := &scene.Measurement{Short: j.Short, Idle: askParent}
			r, err := kind.New(s.Tick)
			if err != nil {
				return "", err
			}
			s.Run(m, r)
			if s.InBubble { // which ends when its last goroutine has ended
				r.Close()
			}
			text, err := json.Marshal(m)
			return string(text), errors.Join(m.Err(), err)
		}
	}
	return "", fmt.Errorf("there is no rival %q", j.Rival)
}

// askParent has the parent measure this process while it does nothing.
func askParent(span time.Duration) (used scene.Usage, err error) {
	fmt.Println("idle", span)
	return used, json.NewDecoder(os.Stdin).Decode(&used)
}

// runInChild starts a child for a job and returns its measurement.
func runInChild(j job, procs int) (*scene.Measurement, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(self, childArgument, string(text))
	c.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	c.Stderr = os.Stderr
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err := errors.Join(err1, err2, c.Start()); err != nil {
		return nil, err
	}
	m, err := readMeasurement(c, in, out)
	return m, errors.Join(err, c.Wait())
}

// readMeasurement answers a child until it writes its measurement.
func readMeasurement(c *exec.Cmd, in io.Writer, out io.Reader) (*scene.Measurement, error) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil, errors.New("the child wrote no measurement")
		}
		if err != nil {
			return nil, err
		}
		text, idle := strings.CutPrefix(string(line), "idle ")
		if !idle {
			m := new(scene.Measurement)
			return m, json.Unmarshal(line, m)
		}
		used, err := usageWhileIdle(c.Process.Pid, strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		if err := json.NewEncoder(in).Encode(used); err != nil {
			return nil, err
		}
	}
}

// usageWhileIdle returns what a process uses in a time, after one second in which it may
// become idle.
func usageWhileIdle(pid int, text string) (used scene.Usage, err error) {
	span, err := time.ParseDuration(text)
	if err != nil {
		return used, err
	}
	time.Sleep(time.Second)
	return usageDuring(span, func() (scene.Usage, error) { return usage(pid) })
}
