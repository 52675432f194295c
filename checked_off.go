//go:build !invariants

package timerwheel

// checked says whether every critical section is checked when it ends.
const checkInvariants = false

func (sh *shard) check() {}

func poison(*record) {}
