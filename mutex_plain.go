//go:build !schedules && !pauses

package timerwheel

import "sync"

// A mutex is what guards a shard, and what guards a wheel. There are three of
// it: this one in ordinary builds; mutex_scheduled.go, with the build tag
// schedules, where a scheduler decides who locks it next; and mutex_timed.go,
// with the build tag pauses, which measures how long it is held.
type mutex = sync.Mutex
