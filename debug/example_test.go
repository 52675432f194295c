package debug_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/debug"
)

// A server serves the page at an address of its own, which only its operators can reach.
func Example() {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()

	http.Handle("/debug/timers/", debug.Handler(w))
	log.Fatal(http.ListenAndServe("localhost:6060", nil))
}

// A program reads the data of the page.
func ExampleReport() {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	w.AfterFunc(time.Hour, func() {})
	server := httptest.NewServer(debug.Handler(w))
	defer server.Close()

	response, err := http.Get(server.URL + "?format=json")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var r debug.Report
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Stats.Pending, "timer is pending,", len(r.Runs), "handlers run")
	// Output: 1 timer is pending, 0 handlers run
}
