// Pauses measures how long the critical sections of the library last, at what
// should make them long: a million timers in one slot, a group of a hundred
// thousand, thousands of waits for one handler.
//
//	go run -C bench -tags pauses ./cmd/pauses          # in the repository's root
//
// Times are processor time, while a mutex is held: that somebody was switched
// away from while holding one is not the library's doing. Interrupts and a
// hypervisor still are in them, and so is what a garbage collection asks of who
// allocates. So each work is done several times: of the longest section in each
// round it prints the least and the worst; and where sections were long in every
// round. A work that does next to nothing as often tells what is the machine's.
package main
