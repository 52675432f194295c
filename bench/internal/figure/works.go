package figure

import "fmt"

// The works that have a target, and those that targets refer to. Package scene
// measures them.
const (
	StartStopNone         = "start+stop, none pending, serial"
	StartStopNoneParallel = "start+stop, none pending, 2 procs"
	StartStop             = "start+stop, 1M pending, serial"
	StartStopParallel     = "start+stop, 1M pending, 2 procs"
	StartStopAllocs       = "start+stop, allocations"
	ArmStop               = "arm+stop of a timer that is used again, 1M pending"
	LaterHot              = "re-arm later, one timer"
	LaterAboveClock       = "re-arm later, one timer, above one reading of the clock"
	LaterScattered        = "re-arm later, 1M timers, scattered"
	LaterAtHot            = "re-arm later by RegisterAt, one timer"
	LaterAtScattered      = "re-arm later by RegisterAt, 1M timers, scattered"
	TouchHot              = "put an idle timeout off, one timer"
	MoveShared            = "re-arm later, 100k timers that one goroutine made, 2 procs"
	MoveSharedSerial      = "re-arm later, 100k timers that one goroutine made, serial"
	StopShared            = "stop+arm, 100k timers that one goroutine made, 2 procs"
	StopSharedSerial      = "stop+arm, 100k timers that one goroutine made, serial"
	KeyedAllocs           = "keyed: Set of a pending key, allocations"
	Held                  = "memory a pending timer, 1M pending"
	GC                    = "forced GC, 1M pending"
	HeldGroup             = "memory of a connection's three timers, in a group"
	Firing                = "CPU a firing, 1M due over 2 s"
	FiringInOrder         = "CPU a firing, 1M due over 2 s, in order"
	NoSlackWakeUps        = "wake-ups, 1M due over 2 s"
	NoSlackCPU            = "CPU a firing, 1M timers that are used again, due over 2 s"
	SlackWakeUps          = "wake-ups, 1M due over 2 s, with a slack of 100 ms"
	SlackCPU              = "CPU a firing, 1M timers that are used again, due over 2 s, with a slack of 100 ms"
	StormSlowest          = "start+stop in a storm, slowest"
	BusySlowest           = "start+stop beside a busy loop, slowest"
	StormTail             = "start+stop in a storm, p99.9"
	Late                  = "lateness p99, tick 1 ms, 1M due over 2 s"
	LateFine              = "lateness p99, tick 100 µs, 1M due over 2 s"
	Early                 = "early firings, tick 1 ms, of 1M"
	EarlyFine             = "early firings, tick 100 µs, of 1M"
	DelIdle               = "stop of an idle timer"
	DelSyncIdle           = "stop that waits, of an idle timer"
	DelPending            = "stop of a pending timer, 10k pending"
	DelSyncPending        = "stop that waits, of a pending timer, 10k pending"
	Advance               = "Advance, nothing due"
	AdvanceDeep           = "Advance, nothing due, below 100 frames"
	NoStallGap            = "longest gap of a series of 2 ms, one stall, 100k goroutines"
	StallGap              = NoStallGap + OnStallSet
	IdleWakeUps           = "wake-ups in 10 s, one timer an hour away"
	DrainedWakeUps        = "wake-ups within 10 s after a drain"
	Drained               = "goroutines when drained"
	Close                 = "Close, 1M pending"
	Section               = "longest critical section"
	HeapStart             = "heap before 5M timers"
	HeapEnd               = "heap after 5M timers were deleted"
)

// OnStallSet follows the name of a work that is measured with OnStall as well.
const OnStallSet = ", OnStall set"

// The works whose names begin so are measured at several GOMAXPROCS: At.
const (
	LoneInBubble = "CPU a firing alone, in a bubble"
	Lone         = "CPU a firing alone"
	HeldEmpty    = "memory of an empty wheel"
	New          = "New"
)

// At returns the name of a work that is measured at several GOMAXPROCS.
func At(work string, procs int) string { return fmt.Sprintf("%s, GOMAXPROCS %d", work, procs) }
