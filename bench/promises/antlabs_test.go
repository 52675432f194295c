package promises

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// This file shows why bench neither stops a timer of antlabs twice nor moves one.

// The second Stop takes the timer out of its bucket once more, which then looks empty: another
// timer does not fire.
func TestSecondStopOfAntlabsLosesAnother(t *testing.T) {
	for stops, fires := range map[int]bool{1: true, 2: false} {
		synctest.Test(t, func(t *testing.T) {
			w, fired := newAntlabs(t), false
			stopped := w.AfterFunc(time.Second, idle)
			w.AfterFunc(time.Second, func() { fired = true })
			for range stops {
				require.True(t, stopped.Stop())
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, fires, fired, "after %d stops of the first", stops)
		})
	}
}

// A Reset that leaves the timer in its bucket locks that twice. Its goroutine is left behind.
func TestResetOfAntlabsHangs(t *testing.T) {
	w, says := newAntlabs(t), make(chan string)
	moved := w.AfterFunc(time.Hour, idle)
	go func() {
		moved.Reset(time.Hour)
		says <- "returned"
	}()
	stays(t, says)
}
