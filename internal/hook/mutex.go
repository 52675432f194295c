//go:build !schedules && !pauses && !yields

package hook

import "sync"

// A Mutex guards a shard, or a wheel. This is the one of ordinary builds. With the build tag
// schedules a scheduler decides which goroutine locks it next; with pauses it measures how long
// it is held; with yields it lets others run when it has been unlocked.
type Mutex = sync.Mutex
