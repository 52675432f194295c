package debug_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/debug"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// ---- The JSON ----

// stuckWheelJSON returns the report of a wheel on which one handler is stuck, and another
// waits for it. The wheel is in a bubble, so times are exact. The answer equals
// testdata/report.json except for what depends on the machine and the program: numbers of
// goroutines, shards and records, lines in files, and storage.
func stuckWheelJSON(t *testing.T) (text string) {
	synctest.Test(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{Debug: true, OnPanic: func(timerwheel.HandlerPanic) {}, OnMisuse: func(error) {}, MaxWorkers: 3})
		h := debug.Handler(w)
		end := closedAtTheEnd(t)
		g := w.NewGroup()
		stuck := g.Alloc(func(timerwheel.Timer) { <-end })
		require.NoError(t, stuck.Register(time.Second))
		second := w.Alloc(func(timerwheel.Timer) { _, _ = stuck.DelSync() })
		require.NoError(t, second.Register(2*time.Second))
		w.AfterFunc(3*time.Second, func() { time.Sleep(30 * time.Second) })
		late := w.AfterFunc(10*time.Second, func() { <-end })
		require.True(t, late.Valid())
		for k := range 5 {
			w.AfterFunc(time.Hour<<k, func() {})
		}
		deleted := w.AfterFunc(time.Hour, func() {})
		require.True(t, deleted.Stop())
		require.ErrorIs(t, deleted.Free(), timerwheel.ErrStale)
		time.Sleep(40 * time.Second)
		stuck.DelAsync(func() {})
		var waiting sync.WaitGroup
		waiting.Go(func() { _, _ = g.DelSync() })
		synctest.Wait()
		require.ErrorIs(t, stuck.Register(0), timerwheel.ErrDeleting)
		require.Equal(t, http.StatusOK, ask(h, http.MethodGet, "/?format=json").Code)
		time.Sleep(1500 * time.Millisecond)

		answer := ask(h, http.MethodGet, "/?format=json")
		require.Equal(t, http.StatusOK, answer.Code)
		text = answer.Body.String()
		close(end)
		waiting.Wait()
	})
	return text
}

// normalize replaces what differs between machines.
func normalize(t *testing.T, text string) string {
	goroutines := map[string]string{"0": "0"} // numbered in order of appearance
	number := func(s string) string {
		return regexp.MustCompile(`\d+`).ReplaceAllStringFunc(s, func(n string) string {
			if goroutines[n] == "" {
				goroutines[n] = strconv.Itoa(len(goroutines))
			}
			return goroutines[n]
		})
	}
	for pattern, with := range map[string]func(string) string{
		`"goroutine":\d+|"waits_for":\[[\d,]*\]`:       number,
		`Timer\([^)]*\)`:                               func(string) string { return "Timer(0.0#0)" },
		`"bytes":[1-9]\d*`:                             func(string) string { return `"bytes":1` },
		`[^" (]*handler_test\.go:[1-9]\d*`:             func(string) string { return "/handler_test.go:1" },
		`(?i)goroutines? [1-9]\d*( and [1-9]\d*)?`:     func(string) string { return "goroutine 1" },
		`"process":{[^}]*}`:                            func(string) string { return `"process":{}` },
		`debug_test\.[\w.]*stuckWheelJSON[.\w]*`:       func(string) string { return "debug_test.stuckWheelJSON.func" },
		`("now"|"start"|"since"|"at"):"[^"]*(Z|\d\d)"`: inUTC(t),
	} {
		text = regexp.MustCompile(pattern).ReplaceAllStringFunc(text, with)
	}
	return text
}

func inUTC(t *testing.T) func(string) string {
	return func(field string) string {
		name, value, _ := strings.Cut(field, ":")
		at, err := time.Parse(time.RFC3339Nano, strings.Trim(value, `"`))
		require.NoError(t, err)
		return name + `:"` + at.UTC().Format(time.RFC3339Nano) + `"`
	}
}

func TestJSON(t *testing.T) {
	got := normalize(t, stuckWheelJSON(t))
	want, err := os.ReadFile("testdata/report.json")
	require.NoError(t, err)
	require.JSONEq(t, string(want), got, "%s", got)
}

func TestOnlyNextMayBeNull(t *testing.T) {
	text := ask(debug.Handler(openWheel(t, timerwheel.Options{})), http.MethodGet, "/?format=json").Body.String()
	require.Equal(t, []string{`"next":null`}, regexp.MustCompile(`"\w+":null`).FindAllString(text, -1), "lists are arrays, never null")
}

func TestNext(t *testing.T) {
	start := time.Unix(0, 0)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
	h := debug.Handler(w)
	require.Nil(t, reportOf(t, h, "").Next)
	w.AfterFunc(2*time.Second, func() {})
	next := reportOf(t, h, "").Next
	require.NotNil(t, next)
	when, _ := w.Next()
	require.Equal(t, when.Sub(start).Seconds(), *next)
	w.AfterFunc(0, func() {})
	require.Zero(t, *reportOf(t, h, "").Next)
}

// With sites=1, and only then, the report says where the timers were allocated.
func TestSites(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true})
	h := debug.Handler(w)
	require.NotNil(t, reportOf(t, h, "&sites=1").Sites)
	timer := w.AfterFunc(time.Hour, func() {})
	require.True(t, timer.Valid())
	require.Nil(t, reportOf(t, h, "").Sites)
	sites := reportOf(t, h, "&sites=1").Sites
	require.Len(t, sites, 1)
	require.Contains(t, sites[0].AllocatedAt, "handler_test.go:")
	require.Contains(t, sites[0].Handler, "debug_test.TestSites.func")
	require.Equal(t, []int{1, 1}, []int{sites[0].Live, sites[0].Pending})
	require.Nil(t, reportOf(t, debug.Handler(openWheel(t, timerwheel.Options{})), "&sites=1").Sites, "without Debug nothing is known")
}

func TestProcess(t *testing.T) {
	p := reportOf(t, debug.Handler(openWheel(t, timerwheel.Options{})), "").Process
	host, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, host, p.Host)
	require.Equal(t, os.Getpid(), p.PID)
	require.Equal(t, runtime.Version(), p.Go)
	require.Contains(t, p.Name, "debug.test")
	require.Positive(t, p.Uptime)
	require.Positive(t, p.Goroutines)
	require.Positive(t, p.CPUs)
}

// The buckets of a level begin at the right distance from now, also if that is centuries.
func TestLevels(t *testing.T) {
	start := time.Unix(0, 0)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
	h := debug.Handler(w)
	now := 3*64*64*time.Millisecond + 5*64*time.Millisecond + 7*time.Millisecond
	_, err := w.Advance(start.Add(now))
	require.NoError(t, err)
	w.AfterFunc(1<<63-1, func() {})
	r := reportOf(t, h, "")
	span := 0.001
	for n, l := range r.Levels {
		require.InEpsilon(t, span, l.Span, 1e-9, "level %d", n)
		require.Len(t, l.Timers, 64)
		span *= 64
	}
	require.InDelta(t, -0.007, r.Levels[0].From, 1e-9)
	require.InDelta(t, -0.327, r.Levels[1].From, 1e-9)
	require.InDelta(t, -now.Seconds(), r.Levels[2].From, 1e-9)
	require.InDelta(t, -now.Seconds(), r.Levels[8].From, 1e-9)
}

// ---- The samples ----

func TestRequestsTakeSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		h := debug.Handler(w)
		time.Sleep(time.Hour)
		begun := time.Now()
		require.Len(t, reportOf(t, h, "").Samples, 1, "this is the first request")
		for range 10 {
			w.AfterFunc(time.Hour, func() {})
			time.Sleep(300 * time.Millisecond)
			reportOf(t, h, "")
		}
		samples := reportOf(t, h, "").Samples
		for k, s := range samples {
			require.EqualValues(t, k+1, s.No)
			require.True(t, begun.Add(time.Duration(k)*1200*time.Millisecond).Equal(s.At), "%v: at most one a second", s.At)
			require.Equal(t, 4*k, s.Pending)
		}
		require.Len(t, samples, 3)
		require.Len(t, reportOf(t, h, "&since=2").Samples, 1)
		require.Empty(t, reportOf(t, h, "&since=3").Samples)
		require.NotNil(t, reportOf(t, h, "&since=3").Samples)
		require.Len(t, reportOf(t, h, "&since=4").Samples, 3, "a number of another wheel yields all samples")

		for range 1000 {
			time.Sleep(time.Second)
			ask(h, http.MethodGet, "/?format=json")
		}
		samples = reportOf(t, h, "").Samples
		require.Len(t, samples, 300)
		require.EqualValues(t, 1003, samples[299].No)
		require.True(t, samples[299].At.Equal(time.Now()))
		for k, s := range samples {
			require.EqualValues(t, 704+k, s.No)
		}
		require.Equal(t, samples, reportOf(t, h, "&since=3").Samples)
	})
}

// Without requests a Handler has no goroutine, causes no wake-up and takes no sample: in an
// otherwise idle bubble an hour passes at once.
func TestNothingHappensWithoutRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		h := debug.Handler(openWheel(t, timerwheel.Options{}))
		for range 3 {
			last := reportOf(t, h, "").Samples
			require.NoError(t, goleak.Find(before)) // which lets those that end do so
			time.Sleep(time.Hour)
			require.Len(t, reportOf(t, h, "").Samples, len(last)+1)
			time.Sleep(time.Hour)
		}
	})
}

// ---- The page ----

func TestPageIsSelfContained(t *testing.T) {
	answer := ask(debug.Handler(openWheel(t, timerwheel.Options{})), http.MethodGet, "/")
	page, policy := answer.Body.String(), answer.Header().Get("Content-Security-Policy")
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "text/html; charset=utf-8", answer.Header().Get("Content-Type"))
	require.NotRegexp(t, `/\* page\.(css|js) \*/`, page)
	for _, link := range regexp.MustCompile(`(?:src|href|action|url|import)\s*[=(]\s*["']?([^"'\s>)]+)`).FindAllStringSubmatch(page, -1) {
		require.Contains(t, []string{"data:,", "?format=json", "#arrow"}, link[1], "the page needs only itself")
	}
	require.NotRegexp(t, `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b`, page, "the page inserts data as text")
	require.NotRegexp(t, ` (style|on\w+)=["']`, page, "the policy forbids it")

	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")
	for _, element := range []string{"style", "script"} {
		inline := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(page, -1)
		require.Len(t, inline, 1)
		sum := sha256.Sum256([]byte(inline[0][1]))
		require.Contains(t, policy, element+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
}

func TestReadOnly(t *testing.T) {
	h := debug.Handler(openWheel(t, timerwheel.Options{}))
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "get"} {
		for _, url := range []string{"/", "/?format=json"} {
			answer := ask(h, method, url)
			require.Equal(t, http.StatusMethodNotAllowed, answer.Code, method)
			require.Equal(t, "GET, HEAD", answer.Header().Get("Allow"))
		}
	}
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that no time passes between the two
		h := debug.Handler(openWheel(t, timerwheel.Options{}))
		for _, url := range []string{"/", "/?format=json"} {
			get, head := getAndHead(h, url)
			require.Equal(t, http.StatusOK, head.Code)
			require.Equal(t, get.Header(), head.Header())
			require.Equal(t, strconv.Itoa(get.Body.Len()), head.Header().Get("Content-Length"))
			require.Zero(t, head.Body.Len())
			require.Equal(t, "no-store", head.Header().Get("Cache-Control"))
			require.Equal(t, "nosniff", head.Header().Get("X-Content-Type-Options"))
		}
	})
}

// getAndHead returns the answers to both. A report has the number of goroutines: if one that has just
// ended is counted in the first answer only, their lengths may differ, and it asks again.
func getAndHead(h http.Handler, url string) (get, head *httptest.ResponseRecorder) {
	for range 100 {
		get, head = ask(h, http.MethodGet, url), ask(h, http.MethodHead, url)
		if get.Header().Get("Content-Length") == head.Header().Get("Content-Length") {
			break
		}
	}
	return get, head
}

func TestBadRequests(t *testing.T) {
	h := debug.Handler(openWheel(t, timerwheel.Options{}))
	for _, query := range []string{"?format=xml", "?format=JSON", "?format=json&since=", "?format=json&since=-1", "?format=json&since=x", "?format=json&since=1e3", "?format=json&sites=2"} {
		answer := ask(h, http.MethodGet, "/"+query)
		require.Equal(t, http.StatusBadRequest, answer.Code, query)
		require.NotContains(t, answer.Header().Get("Content-Type"), "html")
	}
	require.PanicsWithValue(t, "debug: Handler with a nil Wheel", func() { debug.Handler(nil) })
}

// At every path, with or without StripPrefix, the Handler serves the page, and its report at
// the address that the page requests.
func TestMountedAnywhere(t *testing.T) {
	h := debug.Handler(openWheel(t, timerwheel.Options{}))
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.Handle("/debug/timers", h)
	mux.Handle("/debug/timers/", h)
	mux.Handle("/a/b/", http.StripPrefix("/a/b", h))
	mux.Handle("/c/", http.StripPrefix("/c/", h))
	server := httptest.NewServer(mux)
	defer server.Close()
	get := func(path string) string {
		response, err := server.Client().Get(server.URL + path)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
		return string(body)
	}
	page := get("/")
	for _, path := range []string{"/debug/timers", "/debug/timers/", "/a/b/", "/c/", "/c/anything"} {
		require.Equal(t, page, get(path), path)
		require.Contains(t, get(path+"?format=json"), `"levels":[`, path)
	}
}

// ---- Handlers, closed wheels, concurrent requests ----

func TestHandlerOfTheWheelMayRequest(t *testing.T) {
	start := time.Unix(0, 0)
	w := openWheel(t, timerwheel.Options{Manual: true, Start: start})
	h := debug.Handler(w)
	var within debug.Report
	w.AfterFunc(time.Second, func() { within = reportOf(t, h, "") })
	_, err := w.Advance(start.Add(time.Minute))
	require.NoError(t, err)
	require.Len(t, within.Runs, 1)
	require.Contains(t, within.Runs[0].Handler, "TestHandlerOfTheWheelMayRequest")
	require.Zero(t, within.Runs[0].Age)

	require.NoError(t, w.Close())
	require.True(t, reportOf(t, h, "").Closed)
}

// A request does not stop the program, as a dump of its stacks would.
func TestLookingStopsNothing(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true, StallAfter: time.Nanosecond})
	h := debug.Handler(w)
	end := closedAtTheEnd(t)
	stuck := w.Alloc(func(timerwheel.Timer) { <-end })
	require.NoError(t, stuck.Register(0))
	require.Eventually(t, stuck.Running, time.Minute, time.Millisecond)
	stuck.DelAsync(func() {})
	stops := func() (n uint64) {
		pauses := []metrics.Sample{{Name: "/sched/pauses/stopping/other:seconds"}}
		metrics.Read(pauses)
		for _, count := range pauses[0].Value.Float64Histogram().Counts {
			n += count
		}
		return n
	}
	before := stops()
	for range 20 {
		require.NotEmpty(t, reportOf(t, h, "&sites=1").Runs)
	}
	require.Equal(t, before, stops())
	runtime.Stack(make([]byte, 1000), true)
	require.Greater(t, stops(), before, "this is how a stop is seen")
	close(end)
}

func TestConcurrentRequests(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	h := debug.Handler(w)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for k := range 50 {
				w.AfterFunc(time.Duration(k)*100*time.Microsecond, func() {})
				answer := ask(h, http.MethodGet, "/?format=json&since=0")
				if answer.Code != http.StatusOK {
					t.Errorf("%d", answer.Code)
				}
			}
		})
	}
	all.Wait()
	samples := reportOf(t, h, "").Samples
	for k, s := range samples[1:] {
		require.GreaterOrEqual(t, s.At.Sub(samples[k].At), time.Second)
	}
}
