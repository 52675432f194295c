// Package debug serves a page that shows a timing wheel while it runs:
//
//	http.Handle("/debug/timers/", debug.Handler(w))
//
// On top stands a verdict: what is wrong, in words, the worst first, and what to do
// ([Finding]). Below it are the handlers in flight with their age, who waits for whom and
// at which line, how many timers are in each bucket of the wheel, histograms of how late
// handlers began and how long they ran, the counters over the last minutes and, with
// Options.Debug, the last misuses. A button counts where live timers were allocated. The
// page refreshes itself once a second. ?format=json answers with the same as JSON, a
// [Report].
//
// The page is for the operators of the program only. Like net/http/pprof it reveals
// names of functions and files, the host and what the program does, so do not serve it to
// the public. It is read-only: no request changes anything.
//
// # Cost
//
// A request calls [timerwheel.Wheel.Inspect] once. That locks a part of the wheel for a
// few microseconds at a time, however many timers are pending. It does not stop the
// program, and dumps no stacks. With sites=1 it also calls [timerwheel.Wheel.Sites], which
// looks at every timer. Without requests the
// package does nothing and has no goroutine, so an idle wheel stays idle. Therefore the
// counters over the last minutes consist of what earlier requests read, and have gaps
// where there were none. A page that is paused or hidden sends no requests.
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

// Handler returns an http.Handler that serves the wheel's page, and with ?format=json
// its [Report]. It may be mounted at any path, with or without http.StripPrefix: it
// ignores the path, and the page requests only its own address. A program with several
// wheels mounts a Handler for each. The title of each page is its path.
//
// It answers GET and HEAD. It answers other methods with status 405, and unknown formats
// with 400. With since=N in addition to format=json it omits the samples up to number N, and
// with sites=1 it counts where live timers were allocated, if Options.Debug is set.
//
// It is safe for use by several goroutines at once, by handlers of the wheel too, and it
// works on a closed wheel. A mounted Handler keeps its wheel from being garbage
// collected.
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
		if sites := query.Get("sites"); sites != "" && sites != "1" {
			http.Error(rw, "sites is not 1", http.StatusBadRequest)
			return
		}
		answer(rw, r, "application/json", h.report(since, query.Has("sites")))
	default:
		http.Error(rw, "format is neither html nor json", http.StatusBadRequest)
	}
}

// answer writes a response. To HEAD it sends the header only, with the size of the body.
func answer(rw http.ResponseWriter, r *http.Request, kind string, body []byte) {
	header := rw.Header()
	header.Set("Content-Type", kind)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodHead {
		_, _ = rw.Write(body) // an error means that the client has gone
	}
}

// report returns the Report as JSON.
func (h *handler) report(since uint64, sites bool) []byte {
	in := h.wheel.Inspect()
	h.mu.Lock()
	now := time.Now()
	h.samples.add(now, &in.Stats)
	samples := h.samples.after(since, now)
	known := h.samples.after(0, now)
	h.mu.Unlock()

	var b bytes.Buffer
	report := newReport(&in)
	report.Samples = samples
	report.Verdict = verdict(&in, known)
	if sites && in.Options.Debug {
		report.Sites = newSites(h.wheel.Sites())
	}
	if err := json.NewEncoder(&b).Encode(report); err != nil {
		panic(err) // JSON can encode every field of a Report
	}
	return b.Bytes()
}
