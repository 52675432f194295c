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
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/seed76848005/timerwheel/bench/internal/scene"
)

// This file contains both ends of the child process that runs one scene of one rival. The
// child is this program, started with childArgument before its job.
//
// The child writes lines to its output: "idle" when it wants the parent to measure it
// while it does nothing, and at its end the measurement. The answer to "idle" comes
// through its input.

const childArgument = "child"

// A job is what a child runs.
type job struct {
	Scene, Rival string
	Short        bool
}

// childMain is the main function of a child.
func childMain() {
	measurement, err := runJob(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println(measurement)
}

func runJob(text string) (string, error) {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return "", err
	}
	s, err := scene.Find(j.Scene)
	if err != nil {
		return "", err
	}
	for _, kind := range rival.Kinds() {
		if kind.Name == j.Rival {
			m := &scene.Measurement{Short: j.Short, Idle: askParent}
			r, err := kind.New(s.Tick)
			if err != nil {
				return "", err
			}
			s.Run(m, r)
			text, err := json.Marshal(m)
			return string(text), errors.Join(m.Err(), err)
		}
	}
	return "", fmt.Errorf("there is no rival %q", j.Rival)
}

// askParent has the parent measure this process while it does nothing.
func askParent() (used scene.Usage, err error) {
	fmt.Println("idle")
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
	m, err := readMeasurement(c, in, out, j.Short)
	return m, errors.Join(err, c.Wait())
}

// readMeasurement answers a child until it writes its measurement.
func readMeasurement(c *exec.Cmd, in io.Writer, out io.Reader, short bool) (*scene.Measurement, error) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil, errors.New("the child wrote no measurement")
		}
		if err != nil {
			return nil, err
		}
		if string(line) != "idle\n" {
			m := new(scene.Measurement)
			return m, json.Unmarshal(line, m)
		}
		used, err := usageInTenSeconds(c.Process.Pid, short)
		if err != nil {
			return nil, err
		}
		if err := json.NewEncoder(in).Encode(used); err != nil {
			return nil, err
		}
	}
}

// usageInTenSeconds returns what a process uses in ten seconds, after one second in which
// it may become idle. In a short run it extrapolates from two seconds.
func usageInTenSeconds(pid int, short bool) (scene.Usage, error) {
	scale := 1
	if short {
		scale = 5
	}
	time.Sleep(time.Second)
	before, err1 := usage(pid)
	time.Sleep(10 * time.Second / time.Duration(scale))
	after, err2 := usage(pid)
	return scene.Usage{
		WakeUps: float64(scale) * (after.WakeUps - before.WakeUps),
		CPU:     float64(scale) * (after.CPU - before.CPU),
	}, errors.Join(err1, err2)
}
