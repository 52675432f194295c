/* running.pml is running.go: the running slots. */

inline publish(w, i) {
	/* = running.go: (*worker).publish "sh.running.Push(runningSlot{wk: wk, since: since, i: i})" */
	record[i].running = true;
	wk[w].slot = i
}

/* = running.go: (*worker).slot "func (wk *worker) slot(sh *shard) *runningSlot { return sh.running.At(uint32(wk.slotIndex)) }" */
inline unpublish(w) {
	/* = running.go: (*worker).unpublish "if last := sh.running.At(uint32(sh.running.Len() - 1)); last != slot {" "sh.running.Pop()" */
	wk[w].slot = RECORDS;
	wk[w].flight = 0;
	wk[w].waitedFor = false
}

/* findRun finds the worker that runs the timer in record i. */
inline findRun(i) {
	/* = running.go: (*shard).findRun "for sh.running.At(k).i != i {" */
	theRun = 0;
	do
	:: theRun < WORKERS && wk[theRun].slot != i -> theRun++
	:: else -> break
	od;
	must(have_a_worker_for_what_runs, theRun < WORKERS)
}
