package figure

import "github.com/seed76848005/timerwheel/bench/internal/rival"

// This file holds the targets, and what is known of those that are not met.

// In nanoseconds.
const (
	microsecond = 1e3
	millisecond = 1e6
)

const kB = 1000

// keptStorage is what a wheel may keep after 5M timers were deleted, besides a tenth of
// the heap before: the tables of its chunks, and the chunks that it does not give back,
// so that one timer that is made and deleted does not allocate and free a chunk.
const keptStorage = 1 << 20

// Targets returns all targets, in the order of the table.
//
// The worst figures known are of runs on machines that others used, too. Those of the unknown
// kind are at least as wide as those of every kind that is known.
func Targets() []Target {
	return []Target{
		ofTime(StartStopNone, 0.75).worstKnown(worst{unknown: 2.2}),
		ofTime(StartStopNoneParallel, 0.75).worstKnown(worst{unknown: 2.8}),
		ofTime(StartStop, 0.42).worstKnown(worst{zen4: 1.25, unknown: 1.6}),
		ofTime(StartStopParallel, 0.45).worstKnown(worst{zen4: 1, unknown: 1.35}),
		atMost(StartStopAllocs, 0),
		ofTime(ArmStop, 0.85).worstKnown(worst{unknown: 2}),
		ofTime(LaterAboveClock, 0.60).worstKnown(worst{unknown: 3}),
		ofTime(LaterScattered, 0.55).worstKnown(worst{zen4: 1.65, unknown: 1.9}),
		ofTime(LaterAtHot, 0.30).worstKnown(worst{zen4: 1.95, unknown: 1.95}),
		ofTime(TouchHot, 0.12).worstKnown(worst{zen4: 1.3, unknown: 1.3}),
		ofTime(MoveShared, 0.60).worstKnown(worst{zen4: 1.5, unknown: 1.5}),
		ofTime(StopShared, 0.80).worstKnown(worst{unknown: 3}),
		Target{Work: MoveShared, Reference: Reference{rival.Ours, MoveSharedSerial}, Times: 1 / 1.8}.worstKnown(worst{zen4: 2.5, unknown: 2.5}),
		Target{Work: StopShared, Reference: Reference{rival.Ours, StopSharedSerial}, Times: 1 / 1.5}.worstKnown(worst{unknown: 3}),
		atMost(KeyedAllocs, 0),
		atMost(Held, 48),
		atMost(HeldGroup, 300),
		ofTime(GC, 0.20).worstKnown(worst{unknown: 1.7}),
		ofTime(Firing, 0.25).worstKnown(worst{zen4: 1.8, unknown: 2.2}),
		ofTime(FiringInOrder, 0.15).worstKnown(worst{unknown: 3.3}),
		ofTime(At(LoneInBubble, 2), 2.5).worstKnown(worst{unknown: 6}),
		ofTime(At(LoneInBubble, 64), 3).worstKnown(worst{unknown: 15}),
		ofTime(At(Lone, 2), 1.3).worstKnown(worst{unknown: 1.5}),
		ofTime(At(Lone, 64), 1.4).worstKnown(worst{unknown: 1.5}),
		{Work: SlackWakeUps, Reference: Reference{rival.Ours, NoSlackWakeUps}, Times: 0.25},
		{Work: SlackCPU, Reference: Reference{rival.Ours, NoSlackCPU}, Times: 1},
		atMost(At(HeldEmpty, 2), 16*kB),
		atMost(At(HeldEmpty, 64), 64*kB),
		atMost(At(New, 2), 20*microsecond),
		atMost(At(New, 64), 20*microsecond).worstKnown(worst{unknown: 6}),
		Target{Work: StormSlowest, Reference: Reference{rival.Ours, BusySlowest}, Times: 1, Plus: 3 * millisecond}.worstKnown(worst{unknown: 2.2}),
		ofTime(StormTail, 1),
		{Work: Late, Reference: Reference{rival.Time, Late}, Times: 1, Plus: 2 * millisecond},
		Target{Work: LateFine, Reference: Reference{rival.Time, LateFine}, Times: 1, Plus: 200 * microsecond}.worstKnown(worst{unknown: 12}),
		atMost(Early, 0),
		atMost(EarlyFine, 0),
		{Work: DelSyncIdle, Reference: Reference{rival.Ours, DelIdle}, Times: 1.2},
		{Work: DelSyncPending, Reference: Reference{rival.Ours, DelPending}, Times: 1.2},
		atMost(Advance, 100).worstKnown(worst{unknown: 2}),
		atMost(AdvanceDeep, 100).worstKnown(worst{unknown: 2}),
		{Work: StallGap, Reference: Reference{rival.Ours, NoStallGap}, Times: 2},
		atMost(IdleWakeUps, 0),
		atMost(DrainedWakeUps, 1),
		atMost(Drained, 0),
		atMost(Close, 50*millisecond),
		atMost(Section, 50*microsecond),
		{Work: HeapEnd, Reference: Reference{rival.Ours, HeapStart}, Times: 1.1, Plus: keptStorage},
	}
}

// ownReferences holds what the table calls the works of this library that targets refer to.
var ownReferences = map[string]string{
	NoSlackWakeUps: "those without slack",
	NoSlackCPU:     "that without slack",
	NoStallGap:     "that with OnStall unset",
	DelIdle:        "Del's",
	DelPending:     "Del's",
	HeapStart:      "the heap before",

	BusySlowest: "that beside a busy loop",

	MoveSharedSerial: "that of one goroutine",
	StopSharedSerial: "that of one goroutine",
}
