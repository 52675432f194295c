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

// This file is the two ends of a process that runs one scene of one rival. It
// is this program itself, started with a word in front of what it is to do.
//
// It speaks by its output, a line at a time: "hold", when it wants to be looked
// at while it rests, and in the end its figures. An answer to "hold" comes by its
// input.

const actArgument = "act"

// A part is what such a process is to do.
type part struct {
	Scene, Rival string
	Short        bool
}

// act is the main of such a process.
func act() {
	figures, err := play(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println(figures)
}

func play(text string) (string, error) {
	var p part
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return "", err
	}
	s, err := scene.Find(p.Scene)
	if err != nil {
		return "", err
	}
	for _, kind := range rival.Kinds() {
		if kind.Name == p.Rival {
			stage := &scene.Stage{Short: p.Short, Hold: hold}
			r, err := kind.New(s.Tick)
			if err != nil {
				return "", err
			}
			s.Run(stage, r)
			figures, err := json.Marshal(stage)
			return string(figures), errors.Join(stage.Err(), err)
		}
	}
	return "", fmt.Errorf("there is no rival %q", p.Rival)
}

func hold() (rest scene.Rest, err error) {
	fmt.Println("hold")
	return rest, json.NewDecoder(os.Stdin).Decode(&rest)
}

// enact starts a process for a part, and returns what it has measured.
func enact(p part, procs int) (*scene.Stage, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(self, actArgument, string(text))
	c.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	c.Stderr = os.Stderr
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err := errors.Join(err1, err2, c.Start()); err != nil {
		return nil, err
	}
	stage, err := listen(c, in, out, p.Short)
	return stage, errors.Join(err, c.Wait())
}

func listen(c *exec.Cmd, in io.Writer, out io.Reader, short bool) (*scene.Stage, error) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil, errors.New("it has measured nothing")
		}
		if err != nil {
			return nil, err
		}
		if string(line) != "hold\n" {
			stage := new(scene.Stage)
			return stage, json.Unmarshal(line, stage)
		}
		rest, err := watch(c.Process.Pid, short)
		if err != nil {
			return nil, err
		}
		if err := json.NewEncoder(in).Encode(rest); err != nil {
			return nil, err
		}
	}
}

// watch looks what a process does in ten seconds, after one in which it may come
// to rest. In a short run two seconds must stand for ten.
func watch(pid int, short bool) (scene.Rest, error) {
	scale := 1
	if short {
		scale = 5
	}
	time.Sleep(time.Second)
	before, err1 := soFar(pid)
	time.Sleep(10 * time.Second / time.Duration(scale))
	after, err2 := soFar(pid)
	return scene.Rest{
		WakeUps: float64(scale) * (after.WakeUps - before.WakeUps),
		CPU:     float64(scale) * (after.CPU - before.CPU),
	}, errors.Join(err1, err2)
}
