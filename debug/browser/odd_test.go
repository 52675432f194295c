package browser

import (
	"sync"
	"testing"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// The page inserts data as text, also where it looks like HTML. Here the name of the
// handler's file looks like an element, which generated code may cause.
func TestDataIsInsertedAsText(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true})
	_, tab := open(t, w)
	end := make(chan struct{})
	release := sync.OnceFunc(func() { close(end) })
	t.Cleanup(release)
	timer := oddly(w, end)
	require.NoError(t, timer.Register(0))
	deleted := make(chan struct{})
	go func() {
		defer close(deleted)
		_, _ = timer.DelSync()
	}()
	eventually(t, tab, `document.querySelectorAll("#graph g").length === 2`)
	require.Contains(t, eval[string](t, tab, `document.querySelector("#run-list li code").textContent`), `/<b id="injected">&amp;<script>.go:`)
	require.Contains(t, eval[string](t, tab, `document.querySelector("#graph g.blocking title").textContent`), `<b id="injected">&amp;<script>`)
	require.False(t, eval[bool](t, tab, `document.getElementById("injected") !== null || document.scripts.length !== 1`))
	release()
	<-deleted
}

//line /<b id="injected">&amp;<script>.go:1
func oddly(w *timerwheel.Wheel, end chan struct{}) timerwheel.Timer {
	return w.Alloc(func(timerwheel.Timer) { <-end })
}
