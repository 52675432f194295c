package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/seed76848005/timerwheel"
)

// findings counts the scrapes, right and wrong.
type findings struct {
	scrapes int
	last    timerwheel.Stats

	unbalanced int // scrapes in which registered is not fired + removed + pending
	uncounted  int // scrapes in which the number of latenesses is not fired
	outdated   int // scrapes that were not taken during their request
}

func (f *findings) scrape(url string, wheel *timerwheel.Wheel) error {
	before := wheel.Stats()
	s, err := get(url)
	if err != nil {
		return err
	}
	after := wheel.Stats()

	f.scrapes++
	f.last = s
	if s.Registered != s.Fired+s.Removed+uint64(s.Pending) {
		f.unbalanced++
	}
	handlers := uint64(0)
	for _, n := range s.Lateness {
		handlers += n
	}
	if handlers != s.Fired {
		f.uncounted++
	}
	if s.Registered < before.Registered || s.Registered > after.Registered || s.Fired < before.Fired || s.Fired > after.Fired {
		f.outdated++
	}
	return nil
}

// get reads the wheel's Stats from expvar. Durations are in ns.
func get(url string) (timerwheel.Stats, error) {
	response, err := http.Get(url)
	if err != nil {
		return timerwheel.Stats{}, err
	}
	defer response.Body.Close()
	var vars struct {
		Timerwheel *timerwheel.Stats `json:"timerwheel"`
	}
	if err := json.NewDecoder(response.Body).Decode(&vars); err != nil {
		return timerwheel.Stats{}, err
	}
	if vars.Timerwheel == nil {
		return timerwheel.Stats{}, fmt.Errorf("%s has no timerwheel", url)
	}
	return *vars.Timerwheel, nil
}
