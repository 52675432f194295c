// Pauses measures how long the critical sections of the library last during work that
// could make them long: a million timers in one bucket, a group of a hundred thousand,
// thousands of waits for one handler.
//
//	go run -C bench -tags pauses ./cmd/pauses          # in the repository's root
//
// It measures processor time while a mutex is held, because the library is not the cause
// when a goroutine is switched away from while it holds one. The time still contains
// interrupts, the hypervisor, and the work that a garbage collection demands of a goroutine
// that allocates. So pauses does each work several times. Where one goroutine does the
// work, the rounds consist of the same sections. The shortest time of a section in all
// rounds is the library's; pauses prints the longest of these times, and -check judges by
// it alone; -longest prints nothing else, for the table of cmd/compare.
//
// It also prints the longest section of the best and of the worst round, the longest by
// the wall clock, and where a mutex was released after a section that was long in every
// round. One work does next to nothing as often: its figures are those of the machine.
package main
