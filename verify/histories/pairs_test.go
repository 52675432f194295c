package histories

import "time"

// This file is pairs of histories, of a promise that is kept and of one that is broken.

var deletionPairs = []pair{
	{
		"DelSync returns after the handler has ended",
		history(fired, delSync(20, 50), end(40)),
		history(fired, delSync(20, 30), end(40)),
	}, {
		"each of two DelSyncs returns after the handler has ended",
		history(fired, delSync(20, 50), delSync(21, 51), end(40)),
		history(fired, delSync(20, 50), delSync(21, 31), end(40)),
	}, {
		"done is called after the handler has ended",
		history(fired, waited(20, 50, "DelAsync"), end(40)),
		history(fired, waited(20, 30, "DelAsync"), end(40)),
	}, {
		"no Register succeeds while a deletion waits",
		history(fired, delSync(20, 100), register(30, 35, "ErrDeleting"), register(50, 55, "ErrDeleting"), end(60), register(110, 115, "")),
		history(fired, delSync(20, 100), register(30, 35, "ErrDeleting"), register(50, 55, ""), end(60)),
	}, {
		"no Register succeeds after a deletion has given up, until the run ends",
		history(fired, at(20, 30, input{op: "DelSyncContext"}, gaveUp), register(40, 45, "ErrDeleting"), end(60)),
		history(fired, at(20, 30, input{op: "DelSyncContext"}, gaveUp), register(40, 45, ""), end(60)),
	}, {
		"the refusal ends with the run",
		history(fired, delSync(20, 50), end(40), register(60, 61, "")),
		history(fired, delSync(20, 50), end(40), register(60, 61, "ErrDeleting")),
	}, {
		"without a deletion that waits Register is not refused",
		history(fired, register(20, 21, ""), end(40), begin(45), end(46)),
		history(fired, register(20, 21, "ErrDeleting"), end(40)),
	}, {
		"after DelSync the timer is not pending until it is registered",
		history(fired, delSync(20, 50), end(40), register(45, 55, ""), ask(60, 61, "Pending", true)),
		history(fired, delSync(20, 50), end(40), ask(60, 61, "Pending", true)),
	}, {
		"after Del the timer is not pending",
		history(alloc, register(1, 2, ""), del(3, 4, foundPending), ask(5, 6, "Pending", false)),
		history(alloc, register(1, 2, ""), del(3, 4, foundPending), ask(5, 6, "Pending", true)),
	}, {
		"what Del has removed does not fire",
		history(alloc, register(1, 2, ""), del(3, 4, foundRunning), begin(10), end(11)),
		history(alloc, register(1, 2, ""), del(3, 4, foundPending), begin(10), end(11)),
	}, {
		"Del refuses no Register",
		history(fired, del(20, 30, foundRunning), register(31, 32, ""), end(40), begin(45), end(46)),
		history(fired, del(20, 30, foundRunning), register(31, 32, "ErrDeleting"), end(40)),
	}, {
		"a deletion finds the firing",
		history(alloc, registerFor(1, 2, time.Hour), del(3, 4, foundPending)),
		history(alloc, registerFor(1, 2, time.Hour), del(3, 4, foundNothing)),
	}, {
		"a deletion finds the handler in flight",
		history(fired, del(20, 30, foundRunning), end(40)),
		history(fired, del(20, 30, foundNothing), end(40)),
	}, {
		"only handlers get ErrDeadlock",
		history(fired, at(20, 30, input{op: "DelSync", inHandler: true}, deadlock), register(31, 32, ""), end(40), begin(41), end(42)),
		history(fired, at(20, 30, input{op: "DelSync"}, deadlock), end(40)),
	}, {
		"only a deletion with a context gives up",
		history(fired, at(20, 30, input{op: "DelSyncContext"}, gaveUp), end(40)),
		history(fired, at(20, 30, input{op: "DelSyncContext"}, output{running: true, err: "ErrStale"}), end(40)),
	},
}

var shutdownPairs = []pair{
	{
		"Shutdown returns while the handler runs, and finds it",
		history(fired, shutdown(20, 30, foundRunning), end(40)),
		history(fired, shutdown(20, 30, foundNothing), end(40)),
	}, {
		"Shutdown finds the firing",
		history(alloc, registerFor(1, 2, time.Hour), shutdown(3, 4, foundPending)),
		history(alloc, registerFor(1, 2, time.Hour), shutdown(3, 4, foundNothing)),
	}, {
		"Shutdown finds the firing of a timer that runs",
		history(fired, register(12, 13, ""), shutdown(20, 30, foundBoth), end(40)),
		history(fired, register(12, 13, ""), shutdown(20, 30, foundRunning), end(40), begin(45), end(46)),
	}, {
		"what Shutdown has removed does not fire",
		history(alloc, register(1, 2, ""), shutdown(3, 4, foundRunning), begin(10), end(11)),
		history(alloc, register(1, 2, ""), shutdown(3, 4, foundPending), begin(10), end(11)),
	}, {
		"after Shutdown the timer is not pending",
		history(alloc, register(1, 2, ""), shutdown(3, 4, foundPending), ask(5, 6, "Pending", false)),
		history(alloc, register(1, 2, ""), shutdown(3, 4, foundPending), ask(5, 6, "Pending", true)),
	}, {
		"no Register succeeds after Shutdown",
		history(alloc, shutdown(1, 2, foundNothing), register(3, 4, "ErrShutdown"), register(500, 501, "ErrShutdown")),
		history(alloc, shutdown(1, 2, foundNothing), register(3, 4, "ErrShutdown"), register(500, 501, "")),
	}, {
		"no Register succeeds after Shutdown, though the handler runs",
		history(fired, shutdown(20, 30, foundRunning), register(31, 32, "ErrShutdown"), end(40), register(50, 51, "ErrShutdown")),
		history(fired, shutdown(20, 30, foundRunning), register(31, 32, ""), end(40)),
	}, {
		"no Reset arms after Shutdown",
		history(alloc, shutdown(1, 2, foundNothing), ask(3, 4, "Reset", false), ask(5, 6, "Reset", false)),
		history(alloc, shutdown(1, 2, foundNothing), ask(3, 4, "Reset", false), ask(5, 6, "Reset", true)),
	}, {
		"after Shutdown Register is ErrShutdown, not ErrDeleting",
		history(fired, shutdown(20, 30, foundRunning), register(31, 32, "ErrShutdown"), end(40)),
		history(fired, shutdown(20, 30, foundRunning), register(31, 32, "ErrDeleting"), end(40)),
	}, {
		"Shutdown recycles a timer without owners that does not run",
		history(afterFunc, shutdown(1, 2, foundPending), register(3, 4, "ErrStale"), ask(5, 6, "Valid", false)),
		history(afterFunc, shutdown(1, 2, foundPending), register(3, 4, "ErrShutdown")),
	}, {
		"Shutdown drops no owner's reference",
		history(alloc, shutdown(1, 2, foundNothing), ownership(3, 4, "Free", ""), register(5, 6, "ErrStale")),
		history(alloc, shutdown(1, 2, foundNothing), ownership(3, 4, "Free", "ErrStale")),
	}, {
		"ShutdownSync returns after the handler has ended",
		history(fired, waited(20, 50, "ShutdownSync"), end(40)),
		history(fired, waited(20, 30, "ShutdownSync"), end(40)),
	}, {
		"no Register succeeds after ShutdownSync",
		history(alloc, at(1, 2, input{op: "ShutdownSync"}, foundNothing), register(3, 4, "ErrShutdown")),
		history(alloc, at(1, 2, input{op: "ShutdownSync"}, foundNothing), register(3, 4, "")),
	}, {
		"no Register succeeds after a ShutdownSync that returned ErrDeadlock",
		history(fired, at(20, 30, input{op: "ShutdownSync", inHandler: true}, deadlock), register(31, 32, "ErrShutdown"), end(40), register(50, 51, "ErrShutdown")),
		history(fired, at(20, 30, input{op: "ShutdownSync", inHandler: true}, deadlock), register(31, 32, "ErrShutdown"), end(40), register(50, 51, "")),
	}, {
		"no Register succeeds after a ShutdownSyncContext that gave up",
		history(fired, at(20, 30, input{op: "ShutdownSyncContext"}, gaveUp), register(31, 32, "ErrShutdown"), end(40), register(50, 51, "ErrShutdown")),
		history(fired, at(20, 30, input{op: "ShutdownSyncContext"}, gaveUp), register(31, 32, "ErrShutdown"), end(40), register(50, 51, "")),
	}, {
		"ErrShutdown comes before ErrDeleting",
		history(fired, waited(20, 50, "ShutdownSync"), register(25, 26, "ErrShutdown"), end(40)),
		history(fired, waited(20, 50, "ShutdownSync"), register(25, 26, "ErrDeleting"), end(40)),
	},
}

var groupPairs = []pair{
	{
		"a group's deletion finds what any member has",
		history(fired, group(20, 30, "Group.Del", 2, foundBoth), end(40)),
		history(fired, group(20, 30, "Group.Del", 2, foundPending), end(40)),
	}, {
		"the deletion of a group of one finds what the member has",
		history(fired, group(20, 30, "Group.Del", 1, foundRunning), end(40)),
		history(fired, group(20, 30, "Group.Del", 1, foundBoth), end(40)),
	}, {
		"what Group.Del has removed does not fire",
		history(alloc, register(1, 2, ""), group(3, 4, "Group.Del", 2, foundBoth), ask(5, 6, "Pending", false)),
		history(alloc, register(1, 2, ""), group(3, 4, "Group.Del", 2, foundBoth), ask(5, 6, "Pending", false), begin(10), end(11), ask(5, 6, "Running", false)),
	}, {
		"Group.Del refuses no Register",
		history(fired, group(20, 30, "Group.Del", 2, foundRunning), register(31, 32, ""), end(40)),
		history(fired, group(20, 30, "Group.Del", 2, foundRunning), register(31, 32, "ErrDeleting"), end(40)),
	}, {
		"Group.Shutdown returns while a handler runs, and no Register of a member succeeds",
		history(fired, group(20, 30, "Group.Shutdown", 2, foundRunning), register(31, 32, "ErrShutdown"), end(40), register(50, 51, "ErrShutdown")),
		history(fired, group(20, 30, "Group.Shutdown", 2, foundRunning), register(31, 32, "ErrShutdown"), end(40), register(50, 51, "")),
	}, {
		"after Group.Shutdown no member is pending",
		history(alloc, register(1, 2, ""), group(3, 4, "Group.Shutdown", 2, foundPending), ask(5, 6, "Pending", false)),
		history(alloc, register(1, 2, ""), group(3, 4, "Group.Shutdown", 2, foundPending), ask(5, 6, "Pending", true)),
	}, {
		"Group.DelSync returns after the member's handler has ended",
		history(fired, groupWaited(20, 50, "Group.DelSync", foundRunning), end(40)),
		history(fired, groupWaited(20, 30, "Group.DelSync", foundRunning), end(40)),
	}, {
		"while Group.DelSync waits for another member no Register succeeds",
		history(alloc, groupWaitedUntil(45, 20, 50), register(30, 31, "ErrDeleting"), register(40, 41, "ErrDeleting"), register(60, 61, "")),
		history(alloc, groupWaitedUntil(45, 20, 50), register(30, 31, "ErrDeleting"), register(40, 41, "")),
	}, {
		"a group's refusal of Registers does not come and go",
		history(alloc, groupWaited(20, 50, "Group.DelSync", foundRunning), register(30, 31, "ErrDeleting"), register(60, 61, "")),
		history(alloc, groupWaited(20, 50, "Group.DelSync", foundRunning), register(30, 31, "ErrDeleting"), register(32, 33, ""), register(34, 35, "ErrDeleting")),
	}, {
		"the refusal of a group's deletion ends with it",
		history(fired, groupWaited(20, 50, "Group.DelSync", foundRunning), end(40), register(60, 61, "")),
		history(fired, groupWaited(20, 50, "Group.DelSync", foundRunning), end(40), register(60, 61, "ErrDeleting")),
	}, {
		"a group's deletion that finds nothing in flight refuses no Register",
		history(alloc, group(20, 50, "Group.DelSync", 2, foundPending), register(30, 31, "")),
		history(alloc, group(20, 50, "Group.DelSync", 2, foundPending), register(30, 31, "ErrDeleting")),
	}, {
		"after Group.DelSyncContext has given up a member that runs is refused until its run ends",
		history(fired, groupWaited(20, 30, "Group.DelSyncContext", gaveUp), register(35, 36, "ErrDeleting"), end(40), register(50, 51, "")),
		history(fired, groupWaited(20, 30, "Group.DelSyncContext", gaveUp), register(35, 36, ""), end(40)),
	}, {
		"after Group.DelSyncContext has given up a member that does not run is not refused",
		history(alloc, groupWaited(20, 30, "Group.DelSyncContext", gaveUp), register(35, 36, "")),
		history(alloc, groupWaited(20, 30, "Group.DelSyncContext", gaveUp), register(35, 36, "ErrDeleting")),
	}, {
		"Group.ShutdownSync returns after the member's handler has ended",
		history(fired, groupWaited(20, 50, "Group.ShutdownSync", foundRunning), end(40)),
		history(fired, groupWaited(20, 30, "Group.ShutdownSync", foundRunning), end(40)),
	}, {
		"no Register of a member succeeds after a Group.ShutdownSyncContext that gave up",
		history(fired, groupWaited(20, 30, "Group.ShutdownSyncContext", gaveUp), register(35, 36, "ErrShutdown"), end(40), register(50, 51, "ErrShutdown")),
		history(fired, groupWaited(20, 30, "Group.ShutdownSyncContext", gaveUp), register(35, 36, "ErrShutdown"), end(40), register(50, 51, "")),
	}, {
		"Group.ShutdownSync in a member's handler is ErrDeadlock, and shuts down",
		history(fired, groupWaited(20, 30, "Group.ShutdownSync", deadlock), register(31, 32, "ErrShutdown"), end(40)),
		history(fired, groupWaited(20, 30, "Group.ShutdownSync", deadlock), register(31, 32, ""), end(40)),
	}, {
		"Group.DelSync in a member's handler refuses no Register once it has returned",
		history(fired, groupWaited(20, 30, "Group.DelSync", deadlock), register(31, 32, ""), end(40)),
		history(fired, groupWaited(20, 30, "Group.DelSync", deadlock), register(31, 32, "ErrDeleting"), end(40)),
	},
}

var closePairs = []pair{
	{
		"a Close that returns nil returns after the handler has ended",
		history(fired, closed(20, 50), end(40)),
		history(fired, closed(20, 30), end(40)),
	}, {
		"no Register succeeds after Close",
		history(alloc, closed(1, 2), register(3, 4, "ErrClosed")),
		history(alloc, closed(1, 2), register(3, 4, "")),
	}, {
		"no Register succeeds after a CloseContext that gave up",
		history(fired, closeFailed(20, 30, "DeadlineExceeded", false), register(31, 32, "ErrClosed"), end(40)),
		history(fired, closeFailed(20, 30, "DeadlineExceeded", false), register(31, 32, ""), end(40)),
	}, {
		"no Register succeeds after a Close in a handler",
		history(fired, closeFailed(20, 30, "ErrDeadlock", true), register(31, 32, "ErrClosed"), end(40)),
		history(fired, closeFailed(20, 30, "ErrDeadlock", true), register(31, 32, ""), end(40)),
	}, {
		"only a handler's Close is ErrDeadlock",
		history(fired, closeFailed(20, 30, "ErrDeadlock", true), end(40)),
		history(fired, closeFailed(20, 30, "ErrDeadlock", false), end(40)),
	}, {
		"Close drops what is pending",
		history(alloc, register(1, 2, ""), closed(3, 4), ask(5, 6, "Pending", false), del(7, 8, foundNothing)),
		history(alloc, register(1, 2, ""), closed(3, 4), del(7, 8, foundPending)),
	}, {
		"what Close has dropped does not fire",
		history(alloc, register(1, 2, ""), begin(10), closed(20, 30), end(25)),
		history(alloc, registerFor(1, 2, 50), begin(60), closed(20, 30), end(65)),
	}, {
		"Close recycles a timer without owners",
		history(afterFunc, closed(3, 4), ask(5, 6, "Valid", false)),
		history(afterFunc, closed(3, 4), ask(5, 6, "Valid", true)),
	}, {
		"Close drops no owner's reference",
		history(alloc, closed(3, 4), ownership(5, 6, "Free", ""), ask(7, 8, "Valid", false)),
		history(alloc, closed(3, 4), ask(7, 8, "Valid", false)),
	}, {
		"a timer that is made on a closed wheel is valid, and not registered",
		history(closed(0, 1), at(2, 3, input{op: "Alloc"}, output{}), ask(4, 5, "Valid", true), register(6, 7, "ErrClosed")),
		history(closed(0, 1), at(2, 3, input{op: "Alloc"}, output{}), register(6, 7, "")),
	}, {
		"AfterFunc on a closed wheel makes nothing",
		history(closed(0, 1), at(2, 3, input{op: "AfterFunc"}, output{}), ask(4, 5, "Valid", false)),
		history(closed(0, 1), at(2, 3, input{op: "AfterFunc"}, output{}), begin(10), end(11)),
	}, {
		"ErrShutdown comes before ErrClosed",
		history(alloc, shutdown(1, 2, foundNothing), closed(3, 4), register(5, 6, "ErrShutdown")),
		history(alloc, shutdown(1, 2, foundNothing), closed(3, 4), register(5, 6, "ErrClosed")),
	},
}

var timerPairs = []pair{
	{
		"a handler never runs twice at once",
		history(fired, register(12, 13, ""), end(30), begin(31), end(40)),
		history(fired, register(12, 13, ""), begin(20), end(30), end(40)),
	}, {
		"one Register fires once",
		history(fired, end(11), register(12, 13, ""), begin(20), end(21)),
		history(fired, end(11), begin(20), end(21)),
	}, {
		"a handler never begins early",
		history(alloc, registerFor(1, 2, 100), begin(101), end(102)),
		history(alloc, registerFor(1, 2, 100), begin(100), end(102)),
	}, {
		"the old deadline of a timer that was moved never fires",
		history(alloc, register(1, 2, ""), registerFor(3, 4, 100), begin(103), end(104)),
		history(alloc, register(1, 2, ""), registerFor(3, 4, 100), begin(50), end(51), ask(60, 61, "Pending", false)),
	}, {
		"Reduce moves, or does not",
		history(alloc, registerFor(1, 2, 100), at(3, 4, input{op: "Reduce", d: 10}, output{}), begin(13), end(14)),
		history(alloc, registerFor(1, 2, 100), at(3, 4, input{op: "Reduce", d: 10}, output{}), begin(12), end(14)),
	}, {
		"a Touch puts an idle timeout off",
		history(alloc, registerIdle(1, 2, 100), touch(50, 51, true), begin(150), end(151)),
		history(alloc, registerIdle(1, 2, 100), touch(50, 51, true), begin(149), end(151)),
	}, {
		"of a Touch and a RegisterIdle at the same time the later counts",
		history(alloc, registerIdle(1, 2, 100), registerIdle(50, 61, 10), touch(55, 56, true), begin(65), end(151)),
		history(alloc, registerIdle(1, 2, 100), registerIdle(50, 61, 10), touch(55, 56, true), begin(64), end(151)),
	}, {
		"a Touch is true before the begin of the handler, and false after it",
		history(alloc, registerIdle(1, 2, 5), begin(10), touch(11, 12, false), end(13)),
		history(alloc, registerIdle(1, 2, 5), begin(10), touch(11, 12, true), end(13)),
	}, {
		"a Touch is true while the idle timeout is pending",
		history(alloc, registerIdle(1, 2, 100), touch(3, 4, true)),
		history(alloc, registerIdle(1, 2, 100), touch(3, 4, false)),
	}, {
		"Register makes an idle timeout an ordinary timer",
		history(alloc, registerIdle(1, 2, 100), registerFor(3, 4, 10), touch(5, 6, false), begin(13), end(14)),
		history(alloc, registerIdle(1, 2, 100), registerFor(3, 4, 10), touch(5, 6, true), begin(15), end(16)),
	}, {
		"a stale handle registers nothing",
		history(alloc, ownership(1, 2, "Free", ""), register(3, 4, "ErrStale")),
		history(alloc, ownership(1, 2, "Free", ""), register(3, 4, "")),
	}, {
		"a timer is recycled with its last reference",
		history(alloc, ownership(1, 2, "Retain", ""), ownership(3, 4, "Free", ""), ownership(5, 6, "Free", ""), ask(7, 8, "Valid", false)),
		history(alloc, ownership(1, 2, "Retain", ""), ownership(3, 4, "Free", ""), ask(7, 8, "Valid", false)),
	}, {
		"a timer is not recycled while its handler runs",
		history(afterFunc, begin(10), ask(20, 30, "Valid", true), end(40), ask(50, 51, "Running", false), ask(60, 61, "Valid", false)),
		history(afterFunc, begin(10), ask(20, 30, "Valid", false), end(40)),
	}, {
		"one reference is freed once",
		history(afterFunc, begin(10), ownership(20, 30, "Free", "ErrFreed"), end(40)),
		history(afterFunc, begin(10), ownership(20, 30, "Free", ""), end(40)),
	},
}
