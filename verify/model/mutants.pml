/* mutants.pml is what can be broken on purpose. Each ground rule of sync_del.go has some
   mutants. The run script reads from this list in which scenario each must be found, and
   by what. To see how:

	spin -DMUTANT=unmarked -a scenarios/three_processors.pml
	gcc -DSAFETY -DNOCLAIM -o pan pan.c && ./pan -m1000000; ./pan -r */

mtype = {
	none,

	/* Rule 1 */
	generation_stays,      /* tenants: assertion: recycle does not move the generation on */
	generation_wraps,      /* tenants: assertion: a record whose generations are used up begins anew */
	looked_up_once,        /* tenants: assertion: DelSync relies on what it saw before it let go of the lock */
	lock_not_looked_up,    /* lock_bound: assertion: a worker runs the first timer of its line though that was deleted or moved */
	lock_taken_for_record, /* lock_bound_tenants: assertion: a worker runs the next tenant of the record of the first timer of its line */

	/* Rule 2 */
	published_late,        /* three_processors: assertion: the running slot is set after the section that takes the timer off */

	/* Rule 3 */
	run_without_reference, /* own_timer: assertion: a timer is recycled while it runs */

	run_keeps_reference,   /* own_timer: assertion: the end of the run does not recycle a timer without references */

	/* Rule 4 */
	overlap,               /* three_processors: assertion: a timer that runs is not held back */
	held_forgotten,        /* three_processors: assertion: the end of the run does not put back a timer that was held back */

	/* Rule 5 */
	unmarked,              /* three_processors: assertion: a deletion that waits does not mark the run */
	marked_late,           /* three_processors: assertion: it marks the run in the section after */
	mark_ignored,          /* three_processors: assertion: Register does not look at the mark */
	firing_left,           /* three_processors: assertion: a deletion that waits leaves the firing */

	/* Rule 6 */
	wait_left_out,         /* three_processors: assertion: DelSync does not wait */
	waits_for_flag,        /* tenants: assertion: it waits until the record's flag running is clear */
	waits_for_number,      /* three_processors: cycle: it waits until no running slot has the record's number */

	/* Rule 7 */
	mark_cleared_early,    /* three_processors: assertion: the mark is removed in a section before the slot is cleared */
	mark_outlives_run,     /* three_processors: assertion: the mark is not removed */
	woken_early,           /* three_processors: assertion: the waiters are woken before the slot is cleared */
	lock_released_early,   /* lock_bound: assertion: the timer's lock is released before the slot is cleared */
	released_twice,        /* release_lock: assertion: a lock that the handler has released is released after it, too */
	lock_kept,             /* misbehaving: cycle: the timer's lock is not released */
	finished_in_two,       /* own_timer: assertion: the slot is cleared in one section, the rest is done in the next */
	goexit_unhandled,      /* misbehaving: cycle: nothing ends the run of a handler that does not return */

	/* Rule 8 */
	circle_unchecked,      /* circle: cycle: no deletion checks for circles */
	short_circles_only,    /* circle_of_three: end state: only circles of two are checked for */
	edge_added_late,       /* circle: cycle: the check is made in one section, the edge added in the next */
	edge_outlives_wait,    /* circle_given_up: assertion: a deletion that gives up does not remove its edge */
	async_is_edge,         /* async_in_circle: assertion: a DelAsync counts as a wait of the handler that called it */

	/* Rule 9 */
	due_is_out_of_reach,   /* in_line: assertion: a deletion does not find a timer in line */
	held_is_out_of_reach,  /* three_processors: assertion: nor one that is held back */
	runs_before_lock,      /* lock_held: end state: a timer runs while its lock is waited for */

	/* Rule 10 */
	two_wait_for_lock,     /* line: assertion: a worker waits for the lock of a timer that it finds due, though another does */
	stays_in_line,         /* lock_bound: assertion: a timer that is deleted or moved does not leave its line */
	line_removed_late,     /* line: assertion: a worker sees in one section that its line is empty, and removes it in the next */
	line_left,             /* lock_bound_tenants: assertion: a worker whose Lock does not return leaves its line to nobody */
	unserved_not_due,      /* line: cycle: the alarm is not set for a line that no worker serves */
	line_kept,             /* release_lock: end state: a worker whose handler has released the lock keeps its line */
	any_lock_released,     /* release_lock: assertion: a handler may release the lock of any timer */
	empty_line_unserved,   /* lock_bound_tenants: assertion: a line without timers waits for a worker */

	/* Rule 11 */
	touch_any_generation,  /* idle: assertion: a Touch does not look at the generation */
	touch_without_compare, /* idle: assertion: it sets its mark without a compare-and-swap */
	begins_uncompared,     /* idle: assertion: a run begins although the timer was touched after the look */
	begins_unclaimed,      /* idle: assertion: a run begins without a look */
	claims_once,           /* idle_in_line: assertion: a worker that finds a mark after its look does not look again */
	line_not_claimed,      /* idle_in_line: assertion: a worker that has the lock does not look */
	look_closes,           /* idle: assertion: a look closes the word, and opens it again */
	clock_before_mark,     /* idle: assertion: a look reads its clock before it removes the mark */
	deletion_leaves_word,  /* idle: assertion: a deletion leaves the word open */
	register_leaves_word,  /* idle: assertion: so does Register */
	rearm_closes,          /* idle: assertion: RegisterIdle closes the word of an idle timeout, and opens it again */
	rearm_removes_mark,    /* idle: assertion: it removes the mark */
	rearm_by_old_clock,    /* idle: assertion: it goes by its clock, though a look has read a later one */
	move_any_generation,   /* moves: assertion: a move without the lock does not look at the generation */
	move_any_kind,         /* moves_and_stops: assertion: it moves a timer that is parked */
	move_without_compare,  /* moves: assertion: it sets the deadline without a compare-and-swap */
	deadline_uncompared,   /* moves: assertion: its swap does not compare the deadline that it has loaded */
	move_to_earlier,       /* moves: assertion: it moves a timer to an earlier time */
	moved_begins,          /* moves: assertion: a timer that was moved begins when it is looked at */
	closed_unswapped,      /* moves: assertion: a look reads the word in one step, and closes it in the next */
	begin_leaves_open,     /* moves: assertion: a look leaves the word of a timer that begins open */
	put_off_open,          /* moves_close: cycle: it puts off each timer whose word is open, and leaves that open */
	deletion_leaves_open,  /* moves: assertion: a deletion leaves the word open to moves */
	recycled_open,         /* moves: assertion: it does if it recycles the timer */
	close_leaves_open,     /* moves_close: assertion: so does Close */
	register_leaves_open,  /* moves: assertion: so does a Register that puts the timer into another place */
	opened_early,          /* moves: assertion: a Register opens the word before the timer stands in its place */

	/* Rule 12 */
	stop_any_generation,   /* stop_free: assertion: a stop does not look at the generation */
	start_any_generation,  /* stop_free: assertion: nor does a start */
	begins_unlooked,       /* stop_in_place: assertion: a run begins without a look at the word, which stays open */
	start_to_earlier,      /* moves_and_stops: assertion: a start arms a timer for an earlier time than its word says */
	start_uncompared,      /* moves_and_stops: assertion: its swap does not compare the deadline */
	disown_uncompared,     /* moves: assertion: the Free of the last owner writes the deadline that it has read into the word */
	free_leaves_word,      /* stop_free: assertion: the Free of the last owner leaves the word open */
	counted_late,          /* drained: assertion: a start opens the word before it counts */
	start_from_zero,       /* drained: assertion: it does not take the lock where no word is open */
	stop_to_zero,          /* drained: assertion: nor does the stop of the last one */
	ballast_kept,          /* drained: assertion: the ballast stays when the last timer that was in no lane gets one */

	/* Promise 2 */
	removed_uncounted,     /* three_processors: assertion: a firing that is removed is not counted */

	/* Promise 4 */
	shutdown_unmarked,     /* shutdown: assertion: Shutdown marks no timer */
	running_unmarked,      /* shutdown: assertion: it marks no timer that runs */

	/* Promise 8 */
	group_open,            /* group: assertion: Register does not look whether the group is being deleted */
	group_waits_for_one,   /* group: assertion: a group's deletion waits for one of the runs only */
	group_open_early,      /* group: assertion: the group is open before its deletion has found all runs */
	group_stays_shut,      /* group: assertion: its deletion ends and leaves it closed to Registers */
	group_left_open,       /* group_shutdown: assertion: a shutdown of the group does not mark it */
	found_before,          /* group_and_another: assertion: a deletion relies on what ran before it let go of the lock */
	others_waited_for,     /* group_and_another: assertion: it waits for the runs of timers that are no members, too */
	circle_forgotten,      /* group_in_handlers: assertion: a run found later makes it forget one that waits for it */
	found_unmarked,        /* group_gives_up: assertion: a run that it finds is not marked */
	last_to_give_up,       /* group_two_deleters: assertion: one that gives up ends the refusal though another waits */

	/* Promise 9 */
	close_does_not_wait,   /* close: assertion: Close does not wait */
	rings_uncounted,       /* close: assertion: Close does not count the workers that the alarm has called */
	spawned_after_close,   /* close_async: assertion: a DelAsync that need not wait starts a goroutine although the wheel is closed */
	starting_uncounted,    /* close_async: assertion: Close does not count the goroutines that were started */
	dones_uncounted,       /* close_async: assertion: Close does not count the dones that need not wait */
	not_handed_over,       /* close_own: end state: Close drops own firings, and hands none over */

	/* Promise 11 */
	own_needs_worker,      /* own_firings: end state: the alarm is not set for own firings while all workers are at work */
	own_taken_late         /* own_firings: assertion: an own firing is taken off the wheel in the section after */
};

/* The mutants that end a run in several steps. */
#define finishIsSplit (MUTANT == woken_early || MUTANT == lock_released_early || MUTANT == mark_cleared_early || MUTANT == finished_in_two)

inline splitFinish(w, i) {
	if
	:: MUTANT == woken_early ->
		section { endWaits(w) }
		notify(w);
		skip; /* spin wants no loop right before a section */
		section { finish(w, i); unlock() }
	:: MUTANT == lock_released_early ->
		section { userLock = (wk[w].locked -> 0 : userLock); wk[w].locked = false }
		section { finish(w, i); unlock() }
	:: MUTANT == mark_cleared_early ->
		section { record[wk[w].slot].deleting = false; unlock() }
		section { finish(w, i); unlock() }
	:: MUTANT == finished_in_two ->
		section { clearSlot(w, i); unlock() }
		section { endRun(w, i); unlock() }
	fi
}

/* The mutants that begin a run in several steps. */
inline beginLate(w, t) {
	if
	:: section { MUTANT == published_late && !runs(w) -> publish(w, indexOf(t)); unlock() }
	:: section { MUTANT == runs_before_lock && lockBound(indexOf(t)) && userLock == 0 -> userLock = w + 1; wk[w].locked = true }
	:: MUTANT != published_late && (MUTANT != runs_before_lock || !lockBound(indexOf(t)))
	fi
}

/* The mutants that leave a word open to moves, or open it too early. What goes wrong then is what a move does,
   so check passes over the word. */
#define leavesOpen(i) (MUTANT == deletion_leaves_open && !shardClosed || MUTANT == close_leaves_open && shardClosed || \
	MUTANT == recycled_open && record[i].owners == 0 && !record[i].running)
#define someWordIsLeftOpen (MUTANT == deletion_leaves_open || MUTANT == close_leaves_open || MUTANT == recycled_open || \
	MUTANT == begin_leaves_open || MUTANT == opened_early)
