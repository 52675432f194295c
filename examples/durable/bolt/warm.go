package main

import (
	"fmt"
	"strings"
	"time"
)

// A warmth says what became of the cache.
type warmth struct {
	clean bool // a clean shutdown kept an entry, and its deadline
	crash bool // a kill lost it
}

// cacheAcross puts an entry into the cache, and looks for it after a clean shutdown and after a kill.
func cacheAcross(file string) (w warmth, err error) {
	until := time.Now().Add(time.Hour).Round(0)
	c, err := startClient(file)
	if err != nil {
		return w, err
	}
	if _, err := c.do("keep %s %s %s", "page", until.Format(time.RFC3339Nano), "hello"); err != nil {
		return w, err
	}
	if err := c.stop(); err != nil {
		return w, err
	}

	if c, err = startClient(file); err != nil {
		return w, err
	}
	answer, err := c.do("entry page")
	if err != nil {
		return w, err
	}
	at, value, _ := strings.Cut(answer, " ")
	// The clock may be set while this runs, by a little: NTP does that.
	when, err := time.Parse(time.RFC3339Nano, at)
	w.clean = err == nil && value == "hello" && when.Sub(until).Abs() < time.Minute
	c.kill()

	if c, err = startClient(file); err != nil {
		return w, err
	}
	if answer, err = c.do("entry page"); err != nil {
		return w, fmt.Errorf("after a kill: %w", err)
	}
	w.crash = answer == "none"
	return w, c.stop()
}
