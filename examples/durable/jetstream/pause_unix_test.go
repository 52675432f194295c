//go:build unix

package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A worker that is stopped for longer than its claims last (SIGSTOP) finds out, when it goes on, that they
// may be another's, and drops them. What the engine has sent it since, it may fire again: the engine knows
// the effect.
func TestAPausedWorkerDropsItsClaims(t *testing.T) {
	t.Parallel()
	const lead = 10 * time.Second // long enough to stop the worker before the first deadline
	c := testCrowdWith(t, testServer(t).ClientURL(), plan{lead, defaults.ackWait})
	paused := c.mustAdd(t)
	const number = 20
	c.mustSchedule(t, number, lead)
	await(t, func() bool { return len(ids(t, paused, "claim")) >= number })
	require.NoError(t, paused.Process().Signal(syscall.SIGSTOP))
	defer paused.Process().Signal(syscall.SIGCONT)
	before, err := readJournal(paused.journal)
	require.NoError(t, err)
	c.mustAdd(t)
	await(t, func() bool {
		done, err := c.engine.done(t.Context())
		return err == nil && done
	})
	require.NoError(t, paused.Process().Signal(syscall.SIGCONT))
	await(t, func() bool { return len(stillHeld(t, paused)) == 0 })

	v, err := c.judge()
	require.NoError(t, err)
	after, err := readJournal(paused.journal)
	require.NoError(t, err)
	fired := 0
	for _, e := range after[len(before):] {
		if e.what == "fire" {
			fired++
			for _, b := range before {
				require.False(t, b.what == "claim" && b.id == e.id && b.delivery == e.delivery, "%v: it had dropped this", e)
			}
		}
	}
	t.Logf("the worker dropped %d claims, and fired %d that came since", len(ids(t, paused, "lapse")), fired)
	require.Equal(t, number, v.fired)
	require.Zero(t, v.lost+v.twice+v.early+v.strange+v.sameClaim)
}

// stillHeld returns the deadlines of which a worker has neither fired nor dropped its last claim.
func stillHeld(t *testing.T, m *member) map[string]bool {
	entries, err := readJournal(m.journal)
	require.NoError(t, err)
	claims := map[string]bool{}
	for _, e := range entries {
		switch e.what {
		case "claim":
			claims[e.id] = true
		case "fire", "lapse":
			delete(claims, e.id)
		}
	}
	return claims
}
