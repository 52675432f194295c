//go:build yields && !schedules && !pauses

package hook

import (
	"math/rand/v2"
	"runtime"
	"sync"
)

// A Mutex guards a shard, or a wheel. This one lets others run after some critical sections,
// sometimes all of them and sometimes a few: a test that holds only if its goroutine goes on at
// once, which on an idle machine it nearly always does, fails.
type Mutex struct{ sync.Mutex }

// Unlock unlocks, and now and then yields.
func (m *Mutex) Unlock() {
	m.Mutex.Unlock()
	if rand.IntN(8) > 0 {
		return
	}
	for range 1 << rand.IntN(9) {
		runtime.Gosched()
	}
}
