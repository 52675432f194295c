// Package browser contains only tests, which open package debug's page in a real browser.
// They are a module of their own because of the dependencies that drive the browser.
//
// They need Chromium (Debian's package chromium). Without it they are skipped, or fail
// with CI=true.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// chromium is the browser of all tests. Each test has a tab of its own.
var chromium context.Context

func TestMain(m *testing.M) {
	stop := start()
	code := m.Run()
	stop()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// start starts the browser, if it is installed, with an empty profile of its own.
func start() (stop func()) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return func() {}
	}
	profile, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		panic(err)
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(profile)}
	for _, flag := range strings.Fields("headless no-sandbox disable-gpu disable-quic no-first-run " +
		"disable-background-networking disable-component-update disable-sync") {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	browser, stopBrowser := chromedp.NewContext(allocator)
	if err := chromedp.Do(browser); err != nil {
		panic(fmt.Sprintf("chromium does not start: %v", err))
	}
	chromium = browser
	return func() {
		_ = chromedp.Cancel(browser)
		stopBrowser()
		stopAllocator()
		_ = os.RemoveAll(profile)
	}
}

// newTab opens a tab and closes it at the end of the test. It fails the test if the page
// throws an exception or violates its policy.
func newTab(t *testing.T) context.Context {
	t.Helper()
	if chromium == nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is not installed: apt-get install chromium")
		}
		t.Skip("chromium is not installed")
	}
	tab, closeTab := chromedp.NewContext(chromium, chromedp.WithListener(func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the page throws: %v", event.ExceptionDetails)
		case *log.EventEntryAdded:
			if !strings.Contains(event.Entry.Text, "503") { // one test provokes it
				t.Errorf("the browser reports: %s %s", event.Entry.Text, event.Entry.URL)
			}
		}
	}))
	t.Cleanup(closeTab)
	require.NoError(t, chromedp.Do(tab))
	tab, cancel := context.WithTimeout(tab, 3*time.Minute)
	t.Cleanup(cancel)
	return tab
}

// openWheel makes a wheel and closes it at the end of the test.
func openWheel(t *testing.T, o timerwheel.Options) *timerwheel.Wheel {
	t.Helper()
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.CloseContext(ctx); err != nil && !t.Failed() {
			t.Errorf("the wheel does not close: %v", err)
		}
	})
	return w
}
