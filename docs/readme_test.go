package docs

import (
	"errors"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// This file holds the code with which the README begins. TestErrcheckOfTheREADME runs errcheck over it.

func serve(w *timerwheel.Wheel, conn net.Conn) error {
	idle := w.Alloc(func(timerwheel.Timer) { log.Println("idle:", conn.Close()) })
	err := idle.RegisterIdle(time.Minute) // fires after a minute without a Touch
	buf := make([]byte, 4096)
	for err == nil && idle.Touch() { // a few nanoseconds; false: the timeout has won
		_, err = conn.Read(buf)
	}
	_, deadlock := idle.ShutdownSync() // now the handler is not running, and never runs again
	return errors.Join(err, deadlock, idle.Free())
}

// A peer sends three messages, one each 50 seconds. Then it hangs up, or falls silent.
func TestREADMEServes(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	const talks = 150 * time.Second
	for _, peer := range []struct {
		name        string
		hangsUp     bool
		want        error
		least, most time.Duration
	}{
		{"hangs up", true, io.EOF, talks, talks},
		{"falls silent", false, io.ErrClosedPipe, talks + time.Minute, talks + time.Minute + time.Minute/8 + 2*time.Millisecond},
	} {
		t.Run(peer.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWheel(t)
				client, server := net.Pipe()
				go func() {
					for range 3 {
						time.Sleep(talks / 3)
						_, err := io.WriteString(client, "hello")
						assert.NoError(t, err)
					}
					if peer.hangsUp {
						assert.NoError(t, client.Close())
					}
				}()
				begin := time.Now()
				require.ErrorIs(t, serve(w, server), peer.want)
				require.GreaterOrEqual(t, time.Since(begin), peer.least)
				require.LessOrEqual(t, time.Since(begin), peer.most)
				require.Zero(t, w.Stats().Live, "the timer was freed")
			})
		})
	}
}

// The README has at most 900 words; all else has a page.
func TestREADMEIsShort(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	require.LessOrEqual(t, len(strings.Fields(string(page))), 900)
}
