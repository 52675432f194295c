// Pauses measures how long the critical sections of the library last, at what
// should make them long: a million timers in one slot, a group of a hundred
// thousand, thousands of waits for one handler.
//
//	go run -C bench -tags pauses ./cmd/pauses          # in the repository's root
//
// Times are processor time, while a mutex is held: that somebody was switched
// away from while holding one is not the library's doing. Interrupts and a
// hypervisor still are in them, and so is what a garbage collection asks of who
// allocates. So each work is done several times. Where one goroutine does it, the
// rounds are alike, section for section: what a section takes in every round is the
// library's, and of these times the longest is printed; -check judges by that alone. It
// prints, too, the longest section of the best and of the worst round, the longest by
// the clock, and where sections were long in every round; a work that does next to
// nothing as often tells what is the machine's.
package main
