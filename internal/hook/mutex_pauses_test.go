//go:build pauses

package hook

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// With the tag pauses a critical section is measured by its own processor time, not
// by the time in which others had the processor, and is named by where it ends.
func TestTimedMutex(t *testing.T) {
	var m Mutex
	TakePauses()
	m.Lock()
	for began := threadTime(); threadTime()-began < 2e6; {
	}
	m.Unlock()
	p := TakePauses()
	require.Equal(t, uint64(1), p.Count)
	require.GreaterOrEqual(t, p.Max, 1900*time.Microsecond)
	require.GreaterOrEqual(t, p.P9999, 1900*time.Microsecond)
	require.GreaterOrEqual(t, p.WallMax, p.Max*9/10)
	require.Len(t, p.Long, 1)
	require.Contains(t, p.Long[0].Where, "TestTimedMutex")

	m.Lock()
	time.Sleep(50 * time.Millisecond)
	m.Unlock()
	p = TakePauses()
	require.GreaterOrEqual(t, p.WallMax, 49*time.Millisecond)
	require.Less(t, p.Max, 25*time.Millisecond)
	require.Equal(t, uint64(0), TakePauses().Count)
}
