//go:build !schedules && !pauses

package hook

import "sync"

// A Mutex guards a shard, or a wheel. This is the one of ordinary builds. With the
// build tag schedules a scheduler decides which goroutine locks it next; with the
// build tag pauses it measures how long it is held.
type Mutex = sync.Mutex
