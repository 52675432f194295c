package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// This file is the process that is killed: a service that takes commands, a line each.
//
//	NUMBER set KEY TIME ID      NUMBER replaced, or NUMBER new
//	NUMBER cancel KEY           NUMBER found, or NUMBER none
//	NUMBER keep KEY TIME VALUE  NUMBER kept, in the cache
//	NUMBER entry KEY            NUMBER TIME VALUE, or NUMBER none
//	NUMBER left                 NUMBER and the number of deadlines in the store
//
// The first line that it writes says how many deadlines it has armed. It answers a command when the
// store has it. Commands run side by side, and are answered in any order. At the end of its input it
// shuts down cleanly.
func serve(s *service, armed int, in io.Reader, out io.Writer) error {
	var mu sync.Mutex // a line of out at a time
	answer := func(number, text string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, number, text)
	}
	answer("armed", fmt.Sprint(armed))
	var commands sync.WaitGroup
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		number, command, _ := strings.Cut(lines.Text(), " ")
		commands.Go(func() {
			text, err := s.do(strings.Fields(command))
			if err != nil {
				text = "error " + err.Error()
			}
			answer(number, text)
		})
	}
	commands.Wait()
	if err := lines.Err(); err != nil {
		return err
	}
	return s.stop()
}

// do executes a command, and returns the answer.
func (s *service) do(command []string) (string, error) {
	verb := ""
	if len(command) > 0 {
		verb = command[0]
	}
	switch {
	case verb == "set" && len(command) == 4:
		when, err := time.Parse(time.RFC3339Nano, command[2])
		if err != nil {
			return "", err
		}
		replaced, err := s.set(command[1], deadline{when, command[3]})
		return choose(replaced, "replaced", "new"), err
	case verb == "cancel" && len(command) == 2:
		found, err := s.cancel(command[1])
		return choose(found, "found", "none"), err
	case verb == "keep" && len(command) == 4:
		until, err := time.Parse(time.RFC3339Nano, command[2])
		if err != nil {
			return "", err
		}
		s.cache.put(cacheEntry{Key: command[1], Value: command[3], Until: until})
		return "kept", nil
	case verb == "entry" && len(command) == 2:
		for _, e := range s.cache.snapshot() {
			if e.Key == command[1] {
				return e.Until.Format(time.RFC3339Nano) + " " + e.Value, nil
			}
		}
		return "none", nil
	case verb == "left" && len(command) == 1:
		left, err := s.store.deadlines()
		return fmt.Sprint(len(left)), err
	}
	return "", fmt.Errorf("not understood: %q", command)
}

func choose(yes bool, ifYes, ifNo string) string {
	if yes {
		return ifYes
	}
	return ifNo
}
