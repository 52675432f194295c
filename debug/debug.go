// Package debug shows a timing wheel to who looks at it, in a browser:
//
//	http.Handle("/debug/timers/", debug.Handler(w))
//
// It is one page, which refreshes itself once a second: how many timers stand
// where on the wheel, when the next one fires, the handlers in flight with their
// age, who waits for whom, histograms of how late handlers begin and how long they
// run, and the counters over the last minutes. The same as JSON, a [Report], is at
// ?format=json.
//
// It is for whoever keeps the program running, and for nobody else: like
// net/http/pprof's, the page tells names of functions and files, and what the
// program does. Do not serve it to the world. It changes nothing: there is no
// request by which anybody could.
//
// # What it costs
//
// A request looks at the wheel once, with [timerwheel.Wheel.Inspect]: that locks a
// part of the wheel for a few microseconds at a time, however many timers pend.
// While nobody asks, nothing is looked at and no goroutine exists: a wheel that is
// idle stays idle. So the counters over the last minutes are what was seen while
// somebody looked, and have gaps where nobody did. A page that is paused, or not
// on view, does not ask.
package debug

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// Handler returns a handler that serves the wheel's page, and with ?format=json
// its [Report]. It may be mounted anywhere, with or without http.StripPrefix: it
// does not look at the path, and the page asks for nothing but itself. A program
// that has several wheels mounts a handler for each; each page is titled by its
// path.
//
// It answers to GET and HEAD: to anything else with 405, and to another format
// with 400. With since=N besides format=json it leaves out the samples up to that
// number.
//
// It may be called by several goroutines at once, by handlers of the wheel, too,
// and when the wheel is closed. While it is mounted the wheel is not garbage.
//
// Handler panics if the wheel is nil.
func Handler(w *timerwheel.Wheel) http.Handler {
	if w == nil {
		panic("debug: Handler with a nil Wheel")
	}
	return &handler{wheel: w}
}

type handler struct {
	wheel *timerwheel.Wheel

	mu      sync.Mutex
	samples samples
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		rw.Header().Set("Allow", "GET, HEAD")
		http.Error(rw, "this page is read-only", http.StatusMethodNotAllowed)
		return
	}
	query := r.URL.Query()
	switch query.Get("format") {
	case "", "html":
		rw.Header().Set("Content-Security-Policy", policy)
		answer(rw, r, "text/html; charset=utf-8", page)
	case "json":
		since, err := strconv.ParseUint(query.Get("since"), 10, 64)
		if err != nil && query.Has("since") {
			http.Error(rw, "since is not a number", http.StatusBadRequest)
			return
		}
		answer(rw, r, "application/json", h.report(since))
	default:
		http.Error(rw, "format is neither html nor json", http.StatusBadRequest)
	}
}

// answer writes what has been asked for; of that, HEAD is told the size.
func answer(rw http.ResponseWriter, r *http.Request, kind string, body []byte) {
	header := rw.Header()
	header.Set("Content-Type", kind)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodHead {
		_, _ = rw.Write(body) // who asked has gone, if that fails
	}
}

// report returns the Report as JSON.
func (h *handler) report(since uint64) []byte {
	in := h.wheel.Inspect()
	h.mu.Lock()
	h.samples.add(time.Now(), &in.Stats)
	samples := h.samples.after(since)
	h.mu.Unlock()

	var b bytes.Buffer
	report := newReport(&in)
	report.Samples = samples
	if err := json.NewEncoder(&b).Encode(report); err != nil {
		panic(err) // a Report holds nothing that JSON does not know
	}
	return b.Bytes()
}
