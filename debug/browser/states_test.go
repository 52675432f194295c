package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/debug"
	"github.com/stretchr/testify/require"
)

// These tests bring a wheel into each state that an engineer may meet. Each checks what stands on the
// page without scrolling, and takes a screenshot, which docs/debug shows.

// findings are the lines of the verdict: level, symbol, word, text, advice.
const findings = `[...document.querySelectorAll("#verdict li")].map((li) => li.className + " " + [...li.querySelectorAll("span, strong, .advice")].map((e) => e.textContent).join(" "))`

// curves is true as soon as there are enough samples for all curves.
const curves = `[...document.querySelectorAll("#numbers .spark")].every((e) => !e.classList.contains("unknown"))`

// firstFinding is what stands on top; otherFindings stand below.
const (
	firstFinding  = findings + `[0]`
	otherFindings = findings + `.slice(1).join("\n")`
)

// outOfView are the elements of a selector that are not on the screen, or not entirely.
func outOfView(selector string) string {
	return `[...document.querySelectorAll(` + strconv.Quote(selector) + `)].filter((e) => {
		const b = e.getBoundingClientRect();
		return b.width === 0 || b.top < 0 || b.left < 0 || b.bottom > innerHeight + 1 || b.right > innerWidth + 1;
	}).map((e) => e.id + " " + e.className + JSON.stringify(e.getBoundingClientRect()))`
}

// requireInView fails unless the elements of a selector are on the screen, all of them and entirely.
func requireInView(t *testing.T, tab context.Context, selector string) {
	t.Helper()
	require.Empty(t, eval[[]string](t, tab, outOfView(selector)))
}

// openState opens a wheel's page on a desktop's screen.
func openState(t *testing.T, w *timerwheel.Wheel) context.Context {
	t.Helper()
	_, tab := open(t, w)
	desktop(t, tab, 900)
	return tab
}

func desktop(t *testing.T, tab context.Context, height int64) {
	t.Helper()
	require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(1280, height)))
}

// A gate blocks handlers until it is opened, at the end of the test at the latest.
type gate struct {
	end  chan struct{}
	open func()
}

func newGate(t *testing.T) *gate {
	g := &gate{end: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.end) })
	t.Cleanup(g.open)
	return g
}

// slowBackend and flushCache are handlers that block.
func slowBackend(g any) { <-g.(*gate).end }
func flushCache(g any)  { <-g.(*gate).end }

// beat keeps a wheel busy with short handlers.
func beat(w *timerwheel.Wheel) {
	for k := range 40 {
		w.Every(time.Duration(20+k)*time.Millisecond, func(timerwheel.Timer) { time.Sleep(300 * time.Microsecond) })
	}
}

func pend(w *timerwheel.Wheel, n int) {
	for k := range n {
		w.AfterFunc(2*time.Minute+time.Duration(k%3000)*time.Second, func() {})
	}
}

func TestStateHealthy(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	pend(w, 20_000)
	beat(w)
	tab := openState(t, w)
	desktop(t, tab, 1240)
	// All is read at once, while the verdict is green: on a busy machine a timer may be late a second later.
	isGreen := `[...document.querySelectorAll("#numbers .range")].some((e) => /^last ([6-9]|\d\d) s: /.test(e.textContent)) && ` +
		`/^green/.test(` + firstFinding + `)`
	all := `[` + firstFinding + `, document.title, String(document.querySelectorAll("#run-time .stalled").length), ` +
		outOfView("#verdict, #process, #numbers, #levels") + `.join()]`
	eventually(t, tab, isGreen+` && (window.seen = `+all+`)`)
	page := eval[[]string](t, tab, `seen`)
	require.Regexp(t, `^green ✔\s*OK\s*Healthy: 20,040 timers are pending, the next .*; \d+ of 256 workers (is|are) busy\. .*began .* late`, page[0])
	require.Contains(t, page[1], "✔ OK")
	require.Equal(t, "0", page[2], "nothing is red")
	require.Empty(t, page[3], "what is not in view")
	shoot(t, tab, "healthy")
}

func TestStateSaturated(t *testing.T) {
	w := openWheel(t, timerwheel.Options{OnStall: func(timerwheel.Stall) {}})
	g := newGate(t)
	for k := range 5000 {
		if k < 16 {
			w.AfterFuncArg(0, flushCache, g)
		} else {
			w.AfterFuncArg(time.Duration(k)*time.Microsecond, slowBackend, g)
		}
	}
	tab := openState(t, w)
	eventually(t, tab, `/^red/.test(`+firstFinding+`) && `+curves)
	require.Regexp(t, `^red ✖\s*Problem\s*All 256 workers are busy for \d.* s; 4,744 timers are due, the first for \d.* s\. 240 handlers are browser\.slowBackend \(states_test\.go:\d+\)\.`, eval[string](t, tab, firstFinding))
	require.Regexp(t, `^yellow ▲\s*Warning\s*16 other handlers have run for long, the oldest for .* s: browser\.flushCache \(states_test\.go:\d+\)`, eval[string](t, tab, otherFindings))
	require.Equal(t, 2, eval[int](t, tab, `document.querySelectorAll("#run-list li").length`), "equal handlers are one row")
	require.Contains(t, eval[string](t, tab, `document.querySelector("#run-list li").innerText`), "240 × browser.slowBackend", "the most first")
	require.Contains(t, eval[string](t, tab, `document.getElementById("longest").textContent`), "Running now, and not counted: 256. The longest has run for ")
	requireInView(t, tab, "#verdict, #run-list li")
	shoot(t, tab, "saturated")
	g.open()
	eventually(t, tab, `/^green/.test(`+firstFinding+`)`)
}

func TestStateDeadlock(t *testing.T) {
	tab, d := newTab(t), startDeadlocks(t)
	desktop(t, tab, 900)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(d.url)))
	eventually(t, tab, `document.querySelectorAll("#graph g").length === 5 && / ([2-9]|\d\d)(\.\d)? s\./.test(`+firstFinding+`) && `+curves)
	require.Regexp(t, `^red ✖\s*Problem\s*main\.\(\*session\)\.close \(session\.go:44\) waits for main\.\(\*session\)\.expire \(allocated at session\.go:24\), which has run for .* s\.\s*Goroutine \d+ has been blocked for longer than StallAfter, 200 ms\. Other timers still fire on time: 4 of 256 workers are busy, none is due late\. Perhaps a deadlock: does main\.\(\*session\)\.close hold a lock that main\.\(\*session\)\.expire wants\?`, eval[string](t, tab, firstFinding))
	require.Regexp(t, `would wait for itself: handler main\.\(\*p`, eval[string](t, tab, otherFindings), "the circle that was refused")
	require.Contains(t, eval[string](t, tab, `document.getElementById("misuse-list").textContent`), "pipeline.go:")
	require.Equal(t, "/debug/pprof/goroutine?debug=2", eval[string](t, tab, `document.querySelector("#verdict .advice a").getAttribute("href")`))
	require.Equal(t, []string{"✖ holds up 1", "✖ holds up 2"}, eval[[]string](t, tab, `[...document.querySelectorAll("#graph .blocking text:last-child")].map((e) => e.textContent.split(",")[0]).sort()`), "directly, and through others")
	requireInView(t, tab, "#verdict, #graph g")
	shoot(t, tab, "deadlock")
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate("about:blank")))
	require.NotContains(t, d.end(t), "FAILED")
}

// openConnection never frees its timer.
func openConnection(w *timerwheel.Wheel) timerwheel.Timer {
	return w.Alloc(func(timerwheel.Timer) {})
}

func TestStateLeak(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true})
	for range 3 {
		require.NoError(t, openConnection(w).Register(time.Hour))
	}
	tab := openState(t, w)
	require.Contains(t, eval[string](t, tab, `document.getElementById("sites-about").textContent`), "Not counted yet.")
	eval[bool](t, tab, `document.getElementById("count-sites").click(), true`)
	eventually(t, tab, `/^3\s+3\s+\S*states_test\.go:\d+\s+\S*openConnection/.test(document.querySelector("#sites tbody").innerText)`)
	require.NoError(t, w.Close())
	eventually(t, tab, `/^yellow/.test(`+firstFinding+`)`)
	require.Contains(t, eval[string](t, tab, firstFinding), "The wheel is closed: no timer fires any more.")
	require.Regexp(t, `^yellow ▲\s*Warning\s*3 timers leaked, allocated at states_test\.go:\d+\.\s*Nothing else is hurt\. They still had an owner when the wheel was closed\. Each owner must call Free, which gives it back\.`, eval[string](t, tab, otherFindings))
	requireInView(t, tab, "#verdict")
	require.Contains(t, eval[string](t, tab, `document.getElementById("misuse-list").innerText`), "▲ Leaked")
	shoot(t, tab, "leak")
}

// Where the wheel remembers some timers only, the page says that its numbers are estimates.
func TestSitesAreEstimates(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true, DebugEvery: 10})
	for range 1000 {
		w.AfterFunc(time.Hour, func() {})
	}
	_, tab := open(t, w)
	require.Contains(t, eval[string](t, tab, `document.getElementById("wheel").textContent`), "Debug of 1 timer in 10")
	require.True(t, eval[bool](t, tab, `document.querySelector("#sites table").hidden`), "not before it is asked for")
	require.NoError(t, chromedp.Do(tab, chromedp.Click("#count-sites")))
	eventually(t, tab, `document.querySelector("#sites tbody tr") !== null`)
	require.Contains(t, eval[string](t, tab, `document.getElementById("sites-about").textContent`), "1 place. These are estimates: the wheel remembers 1 timer in 10 (Options.DebugEvery).")
	require.Regexp(t, `^≈ 1,000\s+≈ 1,000\s`, eval[string](t, tab, `document.querySelector("#sites tbody").innerText`))

	_, tab = open(t, openWheel(t, timerwheel.Options{}))
	require.True(t, eval[bool](t, tab, `document.getElementById("count-sites").hidden`))
	require.Equal(t, "Not known: Options.Debug remembers where timers are allocated.", eval[string](t, tab, `document.getElementById("sites-about").textContent`))
}

func TestStateMillion(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	pend(w, 1_000_000)
	tab := openState(t, w)
	eventually(t, tab, `document.querySelectorAll("#numbers .range")[1].textContent.match(/^last ([5-9]|\d\d) s: /) !== null`)
	require.Regexp(t, `^green ✔\s*OK\s*Healthy: 1,000,000 timers are pending, the next fires no earlier than .*; 0 of 256 workers are busy\.`, eval[string](t, tab, firstFinding))
	require.Contains(t, eval[string](t, tab, `document.getElementById("folded").textContent`), "Empty, and folded away: ")
	require.LessOrEqual(t, eval[int](t, tab, `[...document.querySelectorAll("#map .row")].filter((row) => !row.hasAttribute("hidden")).length`), 4)
	desktop(t, tab, 1150)
	requireInView(t, tab, "#verdict, #levels")
	shoot(t, tab, "million")
}

// A conn has a handler that blocks, and one that waits for its end.
type conn struct {
	*gate
	flush, idle timerwheel.Timer
}

func (c *conn) flushNow(timerwheel.Timer)  { <-c.end }
func (c *conn) closeIdle(timerwheel.Timer) { _, _ = c.flush.DelSync() }
func (c *conn) shutdown()                  { _, _ = c.idle.DelSync() }

// On a phone nothing is wider than the screen, and the graph is drawn from top to bottom.
func TestStatePhone(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true, StallAfter: 200 * time.Millisecond})
	c := &conn{gate: newGate(t)}
	c.flush, c.idle = w.Alloc(c.flushNow), w.Alloc(c.closeIdle)
	for _, timer := range []timerwheel.Timer{c.flush, c.idle} {
		require.NoError(t, timer.Register(0))
		require.Eventually(t, timer.Running, time.Minute, time.Millisecond)
	}
	var waiters sync.WaitGroup
	for range 3 {
		waiters.Go(c.shutdown)
	}
	s, tab := serve(t, w), newTab(t)
	require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch), chromedp.Navigate(s.URL+path)))
	eventually(t, tab, `document.querySelectorAll("#graph g").length === 3 && /^red.* ([2-9]|\d\d)(\.\d)? s\./.test(`+firstFinding+`)`)
	require.Regexp(t, `^red ✖ Problem browser\.\(\*conn\)\.closeIdle \(states_test\.go:\d+\) waits for browser\.\(\*conn\)\.flushNow \(allocated at states_test\.go:\d+\), which has run for`, eval[string](t, tab, firstFinding))
	requireInView(t, tab, "#verdict")
	require.LessOrEqual(t, eval[int](t, tab, `document.documentElement.scrollWidth`), 390, "%s is too wide", eval[string](t, tab,
		`[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > 390 && !e.closest(".scroll")).map((e) => e.tagName + "#" + e.id).join()`))
	eval[bool](t, tab, `document.getElementById("waits").scrollIntoView({ block: "end" }), true`)
	requireInView(t, tab, "#graph g")
	require.Contains(t, eval[string](t, tab, `document.querySelector("#graph g.blocking").textContent`), "✖ holds up 4, ", "one directly, three through it")
	require.Regexp(t, `allocated at states_test\.go:\d+goroutine`, eval[string](t, tab, `document.querySelector("#graph g.blocking").textContent`))
	require.Contains(t, eval[string](t, tab, `document.querySelector("#graph g.outside").textContent`), "3 × browser.(*conn).shutdown")
	require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(390, 1160, chromedp.EmulateMobile, chromedp.EmulateTouch))) // for the picture
	eval[bool](t, tab, `scrollTo(0, 0), true`)
	requireInView(t, tab, "#verdict, #graph g")
	shoot(t, tab, "phone")
	c.open()
	waiters.Wait()
}

func TestStateDark(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true})
	pend(w, 3000)
	beat(w)
	g := newGate(t)
	w.AfterFuncArg(0, flushCache, g)
	timer := w.Alloc(func(timerwheel.Timer) {})
	require.NoError(t, timer.Free())
	require.ErrorIs(t, timer.Register(0), timerwheel.ErrStale)
	s, tab := serve(t, w), newTab(t)
	dark := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	require.NoError(t, chromedp.Do(tab, func(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
		_, err = cdp.Call(ctx, target, emulation.SetEmulatedMedia, dark)
		return v, err
	}))
	desktop(t, tab, 900)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(s.URL+path)))
	eventually(t, tab, `/^yellow ▲\s*Warning\s*browser\.flushCache \(states_test\.go:\d+\) has run for ([2-9]|\d\d)/.test(`+firstFinding+`)`)
	require.Regexp(t, `A timer was used after its end, or freed too often \(1 time\)\. The last, .* ago: stale timer`, eval[string](t, tab, otherFindings))
	require.Equal(t, 1, eval[int](t, tab, `document.querySelectorAll("#run-time .mark.stalled").length`), "it runs for longer than StallAfter")
	requireInView(t, tab, "#verdict, #numbers")
	require.Less(t, eval[int](t, tab, `Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0])`), 40, "the page is dark")
	require.Greater(t, eval[int](t, tab, `Number(getComputedStyle(document.body).color.match(/\d+/)[0])`), 200, "its letters are light")
	shoot(t, tab, "dark")
}

func TestStateLost(t *testing.T) {
	var gone atomic.Bool
	w := openWheel(t, timerwheel.Options{})
	pend(w, 20_000)
	page := debug.Handler(w)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if gone.Load() {
			http.Error(rw, "gone", http.StatusServiceUnavailable)
			return
		}
		page.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	tab := newTab(t)
	desktop(t, tab, 900)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(s.URL)))
	eventually(t, tab, `document.body.className === "live"`)
	gone.Store(true)
	eventually(t, tab, `document.body.className === "lost" && /^for ([2-9]|\d\d) s,/.test(document.getElementById("lost-text").innerText)`)
	require.Regexp(t, `(?i)^\?\s*No data\s*for \d+ s, since \d\d:\d\d:\d\d\.\s*The last request failed: something answered 503 Service Unavailable: the program, or a proxy before it\. What stands below is of \d\d:\d\d:\d\d, and may be wrong now\.`, eval[string](t, tab, `document.getElementById("lost").innerText`))
	require.Equal(t, []string{"grayscale(1) 0.5", "grayscale(1) 0.5"}, eval[[]string](t, tab,
		`["#verdict", "main"].map((e) => getComputedStyle(document.querySelector(e))).map((style) => style.filter + " " + style.opacity)`), "what is old is grey")
	require.Contains(t, eval[string](t, tab, `document.getElementById("live").textContent`), "No data for ", "a screen reader says so")
	require.Contains(t, eval[string](t, tab, `document.title`), "? No data")
	requireInView(t, tab, "#lost")
	shoot(t, tab, "lost")
	gone.Store(false)
	eventually(t, tab, `document.body.className === "live" && document.getElementById("lost").hidden && getComputedStyle(document.querySelector("main")).opacity === "1"`)
}

// Before the first answer the page claims nothing.
func TestBeforeTheFirstAnswer(t *testing.T) {
	answering := newGate(t)
	page := debug.Handler(openWheel(t, timerwheel.Options{}))
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			<-answering.end
		}
		page.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(answering.open)
	tab := newTab(t)
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(s.URL)))
	text := eval[string](t, tab, `document.body.innerText`)
	require.Regexp(t, `(?i)not known yet\s*The program has not answered\.`, text)
	require.NotRegexp(t, `(?i)healthy|\d|none|ok\b`, text)
	// It is patient for five seconds, and then says that there is no answer.
	eventually(t, tab, `document.body.className === "lost"`)
	text = eval[string](t, tab, `document.body.innerText`)
	require.Contains(t, text, "The program has not answered yet: no answer within 5 s.")
	require.NotRegexp(t, `(?i)healthy|none|ok\b`, text)
	answering.open()
	eventually(t, tab, `document.body.className === "live" && /^green/.test(`+firstFinding+`)`)
}

// makePatient lets the page wait for each answer for as long as it takes. Where a busy machine needs more than
// five seconds, it would say that it has no data. No request is under way any more that began before.
func makePatient(t *testing.T, tab context.Context) {
	t.Helper()
	eval[bool](t, tab, `window.patient = 0, AbortSignal.timeout = () => (patient++, new AbortController().signal), true`)
	eventually(t, tab, `patient > 0`)
}

// A screen reader hears of what is new, and not of each number.
func TestTheVerdictIsSpokenOnce(t *testing.T) {
	w := openWheel(t, timerwheel.Options{StallAfter: 300 * time.Millisecond})
	pend(w, 3000)
	_, tab := open(t, w)
	makePatient(t, tab)
	eventually(t, tab, `document.getElementById("live").textContent.startsWith("OK: Healthy")`)
	require.Equal(t, "polite", eval[string](t, tab, `document.getElementById("live").getAttribute("aria-live")`))
	eval[bool](t, tab, `window.spoken = [], window.live = document.getElementById("live"),
		new MutationObserver(() => spoken.push(live.textContent)).observe(live, { childList: true }), true`)
	eventually(t, tab, `document.querySelectorAll("#numbers .range")[1].textContent.match(/^last (1[2-9]|[2-9]\d) s: /) !== null`)
	require.Empty(t, eval[[]string](t, tab, `spoken`), "only numbers have changed")
	g := newGate(t)
	w.AfterFuncArg(0, slowBackend, g)
	eventually(t, tab, `document.getElementById("live").textContent.startsWith("Warning: browser.slowBackend (states_test.go:")`)
	// On a busy machine it may begin late. That is spoken before.
	require.Len(t, eval[[]string](t, tab, `spoken.filter((text) => !text.includes("1 timer is due, the first for"))`), 1)
}
