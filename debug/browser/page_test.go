package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/debug"
	"github.com/stretchr/testify/require"
)

// A server serves the page of a wheel and counts the requests.
type server struct {
	*httptest.Server
	reports atomic.Int64 // requests for a report
	others  sync.Map     // requests for anything but the page and its report; there should be none
}

const path = "/debug/timers/"

func serve(t *testing.T, w *timerwheel.Wheel) *server {
	t.Helper()
	s := new(server)
	page := debug.Handler(w)
	s.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != path:
			s.others.Store(r.URL.String(), true)
			http.NotFound(rw, r)
			return
		case strings.Contains(r.URL.RawQuery, "format=json"):
			s.reports.Add(1)
		}
		page.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// eventually waits until a JavaScript expression is true in the page, without reloading it.
func eventually(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	err := chromedp.Do(tab, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(time.Minute)))
	if err != nil {
		t.Fatalf("%s\n%v; the page shows:\n%s", expression, err, eval[string](t, tab, "document.body.innerText"))
	}
}

// eval evaluates a JavaScript expression in the page.
func eval[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	result, err := chromedp.Run(tab, chromedp.Evaluate[T](expression))
	require.NoError(t, err, expression)
	return result
}

// open opens a wheel's page and waits until it is live. It fails the test if the page
// reports an error, reloads, or requests anything but itself.
func open(t *testing.T, w *timerwheel.Wheel) (*server, context.Context) {
	t.Helper()
	s, tab := serve(t, w), newTab(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(s.URL+path)))
	eventually(t, tab, `document.body.className === "live"`)
	eval[bool](t, tab, `window.neverReloaded = true`)
	t.Cleanup(func() {
		require.True(t, eval[bool](t, tab, `window.neverReloaded === true`), "the page was reloaded")
		s.others.Range(func(url, _ any) bool { t.Errorf("the page requested %v", url); return true })
	})
	return s, tab
}

func waitForTheSession(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

// The page shows a deadlock that the wheel cannot detect: a handler wants a lock, and the
// owner of the lock waits for the handler. It appears on the page and disappears when the
// lock is released, without a reload.
func TestBlockedHandlerAndItsWaiterAppearAndGo(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true, StallAfter: 100 * time.Millisecond})
	_, tab := open(t, w)
	eventually(t, tab, `!document.getElementById("no-runs").hidden && !document.getElementById("no-waits").hidden`)

	var mu sync.Mutex
	mu.Lock()
	unlock := sync.OnceFunc(mu.Unlock)
	t.Cleanup(unlock)
	timer := w.Alloc(func(timerwheel.Timer) { waitForTheSession(&mu) })
	require.NoError(t, timer.Register(0))
	eventually(t, tab, `document.querySelectorAll("#run-list li").length === 1`)
	require.True(t, eval[bool](t, tab, `document.getElementById("no-runs").hidden`))
	require.Contains(t, eval[string](t, tab, `document.querySelector("#run-list .name").textContent`), "TestBlockedHandlerAndItsWaiterAppearAndGo.func")
	require.Contains(t, eval[string](t, tab, `document.querySelector("#run-list li").innerText`), "page_test.go:")
	eventually(t, tab, `document.querySelector("#run-list li.stalled") !== null`)
	require.True(t, eval[bool](t, tab, `document.getElementById("graph").hasAttribute("hidden")`), "no deletion waits yet")

	deleted := make(chan struct{})
	go func() {
		defer close(deleted)
		_, _ = timer.DelSync()
	}()
	eventually(t, tab, `document.querySelectorAll("#graph g.blocking").length === 1 && document.querySelectorAll("#graph g.outside").length === 1`)
	require.Contains(t, eval[string](t, tab, `document.querySelector("#graph g.blocking").textContent`), "AppearAndGo")
	require.Regexp(t, `^browser\.TestBlocked.* waits for browser\.TestBlocked.*AppearAndGo`, eval[string](t, tab, `document.getElementById("graph").getAttribute("aria-label")`))
	require.Regexp(t, `1 deletion waits for it: browser\.TestBlocked\S+ \(page_test\.go:\d+\), DelSync for .*, goroutine \d+`, eval[string](t, tab, `document.querySelector("#run-list li").innerText`))

	// The page is live: the age grows.
	age := eval[string](t, tab, `document.querySelector("#run-list .age").textContent`)
	eventually(t, tab, `document.querySelector("#run-list .age").textContent !== `+strconv.Quote(age))

	unlock()
	<-deleted
	eventually(t, tab, `document.querySelectorAll("#run-list li").length === 0 && document.getElementById("graph").hasAttribute("hidden")`)
	eventually(t, tab, `!document.getElementById("no-runs").hidden && !document.getElementById("no-waits").hidden`)
}

// The page draws handlers that wait for each other from left to right, in the order in which
// they wait, and many waiting deletions as one node.
func TestChainIsDrawnInOrder(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	_, tab := open(t, w)
	end := make(chan struct{})
	release := sync.OnceFunc(func() { close(end) })
	t.Cleanup(release)
	chain := []timerwheel.Timer{w.Alloc(func(timerwheel.Timer) { <-end })}
	for range 2 {
		last := chain[len(chain)-1]
		chain = append(chain, w.Alloc(func(timerwheel.Timer) { _, _ = last.DelSync() }))
	}
	for k, timer := range chain {
		require.NoError(t, timer.Register(0))
		require.Eventually(t, func() bool { // it waits for the one before it
			runs := w.Inspect().Runs
			return len(runs) == k+1 && (k == 0 || runs[k].Waiting != nil)
		}, time.Minute, time.Millisecond)
	}
	var waiters sync.WaitGroup
	for range 2000 {
		waiters.Go(func() { _, _ = chain[2].DelSync() })
	}
	eventually(t, tab, `document.querySelectorAll("#graph g").length === 4 && document.getElementById("graph").textContent.includes("2,000 deletions")`)
	classes := eval[[]string](t, tab, `[...document.querySelectorAll("#graph g")].sort((a, b) => a.getCTM().e - b.getCTM().e).map((g) => g.getAttribute("class"))`)
	require.Equal(t, []string{"outside", "handler", "handler", "blocking"}, classes, "from left to right")
	require.Equal(t, 3, eval[int](t, tab, `document.querySelectorAll("#graph > path").length`), "arrows")
	release()
	waiters.Wait()
	eventually(t, tab, `document.getElementById("graph").hasAttribute("hidden")`)
}

// The page counts misuses, and says where their details are.
func TestMisuses(t *testing.T) {
	for name, o := range map[string]timerwheel.Options{
		"lines with Debug":      {},
		"lines in their errors": {Debug: true},
		"reported to OnMisuse":  {Debug: true, OnMisuse: func(error) {}},
	} {
		t.Run(name, func(t *testing.T) {
			w := openWheel(t, o)
			_, tab := open(t, w)
			box := `[...document.querySelectorAll("#numbers .number")].find((box) => box.querySelector("dt").textContent === "Misuses")`
			shows := func(count, more string) {
				t.Helper()
				eventually(t, tab, box+`.querySelector("dd").textContent === `+strconv.Quote(count)+` && `+box+`.querySelector(".more").textContent === `+strconv.Quote(more))
			}
			shows("0", "")
			timer := w.Alloc(func(timerwheel.Timer) {})
			require.NoError(t, timer.Free())
			require.ErrorIs(t, timer.Free(), timerwheel.ErrStale)
			require.ErrorIs(t, timer.Register(0), timerwheel.ErrStale)
			shows("2", name)
		})
	}
}

// With a million timers, each bucket on the page shows its count, and full buckets have
// another colour than empty ones.
func TestMapOfAMillionTimers(t *testing.T) {
	const n = 1_000_000
	w := openWheel(t, timerwheel.Options{})
	_, tab := open(t, w)
	for k := range n {
		d := 1000 * time.Hour // most of them are in one bucket
		if k%10 == 0 {
			d = time.Hour + time.Duration(k)*100*time.Millisecond
		}
		w.AfterFunc(d, func() {})
	}
	timers := `[...document.querySelectorAll("#map rect")].map((r) => Number(r.dataset.timers))`
	eventually(t, tab, timers+`.reduce((a, b) => a + b) === `+strconv.Itoa(n))
	require.Equal(t, 9*64, eval[int](t, tab, timers+`.length`))
	full := `[...document.querySelectorAll("#map rect")].reduce((a, b) => Number(a.dataset.timers) > Number(b.dataset.timers) ? a : b)`
	require.Equal(t, 900_000, eval[int](t, tab, `Number(`+full+`.dataset.timers)/100_000|0`)*100_000)
	require.Regexp(t, `^Level \d, bucket \d+, in .* to .*: 9\d\d,\d{3} timers$`, eval[string](t, tab, full+`.querySelector("title").textContent`))
	colours := func(which string) string {
		return `getComputedStyle(` + which + `).fill`
	}
	require.NotEqual(t, eval[string](t, tab, colours(`document.querySelector("#map rect[data-timers='0']")`)), eval[string](t, tab, colours(full)))
	require.Equal(t, 9, eval[int](t, tab, `document.querySelectorAll("#map rect.now").length`))
	eventually(t, tab, `document.getElementById("numbers").innerText.includes("1,000,000")`)

	// The arrow keys move through the buckets of the rows that are not folded, and the page describes
	// the chosen one.
	filled := eval[[]int](t, tab, `[...document.querySelectorAll("#map .row")].flatMap((row, l) => row.hasAttribute("hidden") ? [] : [l])`)
	require.Equal(t, []int{3, 4, 5}, filled, "of timers in an hour, in a day, and in a thousand hours")
	described := func() string { return eval[string](t, tab, `document.getElementById("cell").textContent`) }
	require.NoError(t, chromedp.Do(tab, chromedp.Focus("#map"), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight)))
	require.Regexp(t, `^Level 3, bucket 1, .*: [\d,]+ timers$`, described())
	require.NoError(t, chromedp.Do(tab, chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(kb.ArrowLeft)))
	require.Regexp(t, `^Level 5, bucket 0, now, for another .*: 0 timers$`, described())
}

// A paused or hidden page sends no requests. It continues when it is resumed or visible
// again.
func TestPausedOrHiddenPageSendsNoRequests(t *testing.T) {
	s, tab := open(t, openWheel(t, timerwheel.Options{}))
	refreshes := func() {
		t.Helper()
		before := s.reports.Load()
		require.Eventually(t, func() bool { return s.reports.Load() > before+1 }, time.Minute, 10*time.Millisecond)
	}
	isQuiet := func() {
		t.Helper()
		before := s.reports.Load()
		time.Sleep(2500 * time.Millisecond)
		require.LessOrEqual(t, s.reports.Load(), before+1, "at most one request was under way")
	}
	refreshes()
	require.NoError(t, chromedp.Do(tab, chromedp.Click("#pause")))
	eventually(t, tab, `document.getElementById("pause").getAttribute("aria-pressed") === "true" && document.body.className === "paused"`)
	isQuiet()
	require.NoError(t, chromedp.Do(tab, chromedp.Click("#pause")))
	refreshes()

	hide := func(hidden bool) {
		eval[bool](t, tab, `Object.defineProperty(document, "hidden", { value: `+strconv.FormatBool(hidden)+`, configurable: true }),
			document.dispatchEvent(new Event("visibilitychange"))`)
	}
	hide(true)
	isQuiet()
	hide(false)
	refreshes()
}

// The layout does not jump: between the verdict and the histograms, which grow, handlers that come and go
// move nothing, once there have been some. Before, their boxes are one line each. On a phone the page is no wider than the screen.
func TestLayoutIsStable(t *testing.T) {
	for name, width := range map[string]int64{"desktop": 1400, "phone": 360} {
		t.Run(name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{StallAfter: time.Hour}) // a deadlock moves the boxes
			registerSome := func() {
				for k := range 20 {
					w.AfterFunc(time.Minute<<k, func() {})
				}
			}
			registerSome() // so that their rows are not folded
			_, tab := open(t, w)
			require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(width, 900)))
			eventually(t, tab, `document.getElementById("wheel").textContent !== ""`)
			boxes := func() string {
				return eval[string](t, tab, `JSON.stringify([...document.querySelectorAll("#numbers, #runs, #waits, #levels")].map((e) => {
					const b = e.getBoundingClientRect(), top = document.querySelector("main").getBoundingClientRect().top;
					return [e.id, b.top - top, b.height]; }))`)
			}
			isNoWider := func() {
				t.Helper()
				require.LessOrEqual(t, eval[int64](t, tab, `document.documentElement.scrollWidth`), width)
			}
			isNoWider()
			for _, id := range []string{"runs", "waits"} {
				require.Less(t, eval[float64](t, tab, `document.getElementById(`+strconv.Quote(id)+`).clientHeight`), 60., "one line")
			}
			block := func() (release func()) {
				end := make(chan struct{})
				open := sync.OnceFunc(func() { close(end) })
				t.Cleanup(open)
				var waiters sync.WaitGroup
				for range 20 {
					timer := w.Alloc(func(timerwheel.Timer) { <-end })
					require.NoError(t, timer.Register(0))
					require.Eventually(t, timer.Running, time.Minute, time.Millisecond)
					waiters.Go(func() { _, _ = timer.DelSync() })
				}
				eventually(t, tab, `document.getElementById("run-list").textContent.includes("20 × ") && document.querySelectorAll("#graph g").length === 2`)
				return func() {
					open()
					waiters.Wait()
					eventually(t, tab, `!document.getElementById("no-runs").hidden && !document.getElementById("no-waits").hidden`)
				}
			}
			release := block()
			before := boxes()
			isNoWider()
			release()
			require.Equal(t, before, boxes())
			registerSome()
			release = block()
			require.Equal(t, before, boxes())
			release()
		})
	}
}
