/* model.pml is the deletion protocol of timerwheel, for spin: what the code does under
   its locks, step by step, and what it promises. The files have the names of those of
   the code. state.pml is its structs, promises.pml what must hold, mutants.pml what can
   be broken on purpose, and scenarios has programs that use all of it.

   One critical section of the code is one section here, except for those that look at an
   idle timeout (idle.pml), and for the calls without the lock (idle.pml, parked.pml, moves.pml). Between sections, other processes may make any steps. A comment that begins with an equals sign quotes the
   lines of the code that the step beneath it stands for. A comment that begins with a
   minus names functions that the model leaves out. names_test.go fails if a quoted line
   is gone, or if a function of the protocol has neither comment.

   What is left out, and why that loses nothing:

   - Time, the levels of the wheel, and the time for which the alarm is set. A pending
     timer may become due at any moment, and then any worker may come. So the model has
     every order of firings that deadlines can give. Of moves without the lock it has what
     they do to deadlines, of which there are two (moves.pml).
   - Shards. A timer stays in its shard for life. Sections of two shards touch different
     timers. What else they share they touch under Wheel.mu, which they lock once, in
     the middle of the section, for all of it. So no process can observe when the rest
     of a section happened, and a section that takes both locks is one step. For the
     same reason one shard shows every order that several would.
   - When another worker is hired (hiring.go). Any of WORKERS may come as long as
     something is due, so the model has what every rule of hiring would do. Of the alarm
     it has what Close needs: which workers were called and have not come.
   - Which goroutine fires own firings (ownBusy): any that the alarm has called may, several
     at once.
   - The order of a line. Any timer in it may be the first. There is one lock, and so one line.
   - Manual wheels, stalls, and the counters beside the three that must balance.
   - Memory order. All that is modelled is under a mutex, or after a channel was closed, or
     is one atomic word, of a timer or of a lane, so the sections of the code, and the steps
     of the calls without the lock, have one order, as those of the model have.

   The model assumes that mutexes are fair, and that a goroutine of a worker makes its
   next step if it can. It assumes nothing else about progress: what the formula of a
   scenario promises comes, whatever the other processes do. */

#ifndef MUTANT
#define MUTANT none
#endif

/* What a scenario may define before it includes this file. It must define RECORDS,
   WORKERS and WAITS, each at most three. */
#ifndef lockBound
#define lockBound(i) false /* the timer in record i was made by AllocLocked */
#endif
#ifndef periodic
#define periodic(i) false /* the timer in record i was made by Every */
#endif
#ifndef member
#define member(i) true /* the timer in record i is a member of the group; matters only if that is deleted */
#endif
#ifndef LANES
#define LANES 0 /* no timer is stopped in its place; at most two */
#endif
#ifndef MOVERS
#define MOVERS 0 /* the moves without the lock that may be in flight; at most two, and only where there are lanes */
#endif
#ifndef TIME_PASSES
#define TIME_PASSES false /* what pends is due whenever a worker comes: otherwise nothing needs to be due, ever */
#endif
#ifndef MISBEHAVES
#define MISBEHAVES false /* a handler may end by a panic or a Goexit */
#endif
#ifndef LOCK_MISBEHAVES
#define LOCK_MISBEHAVES false /* so may the Lock of a timer's lock */
#endif

/* = shard.go: (*shard).lock "func (sh *shard) lock() { sh.mu.Lock() }" */
#define section d_step

/* The run script checks which of these were reached. */
#define reached(what) c_code { static int once; if (!once++) printf("reached: " #what "\n"); }

#include "state.pml"
#include "mutants.pml"
#include "promises.pml"
#include "handle.pml"
#include "idle.pml"
#include "parked.pml"
#include "moves.pml"
#include "lines.pml"
#include "shard.pml"
#include "timer.pml"
#include "running.pml"
#include "sync_del.pml"
#include "group.pml"
#include "members.pml"
#include "own.pml"

/* Left out: where timers stand, and when they are due. */
/* - clock.go: after (*shard).nanos (*Wheel).elapsed */
/* - own.go: init (*shard).levelsOf (*shard).allLevels (*shard).ownBytes (*shard).nextOwn (*shard).firingOf */
/* - worker.go: (*worker).moveAhead */
/* - shard.go: newShards (*shard).needsClock (*shard).prefetch */
/* - internal/levels/levels.go: (*Record).CanStay (*Levels).Insert (*Levels).Next */
/* - internal/levels/expire.go: (*Levels).Expire */
/* - internal/levels/list.go: (*Levels).Push (*Levels).Remove (*Levels).ListOf (*Levels).Last */

/* Left out: storage, and which shard has room. */
/* - annex.go: newSpares newAnnex fresh freshArguments (*annex).giveBack giveBack (*annex).bytes size made (*shard).annex (*shard).setFunction (*shard).function (*shard).argOf (*shard).bodyOf (*shard).dropFunction */
/* - handle.go: (*shard).reserve newSpareChunk (*shard).install (*shard).initChunk (*shard).giveBack */
/* - placement.go: (*Wheel).lockFor (*Wheel).lockLocal */

/* Left out: how many workers there are, and how long they keep a processor. */
/* - hiring.go: (*Wheel).wanted (*Wheel).look look.enoughReady (*Wheel).progressed (*worker).mayHireNext (*Wheel).atWork (*shard).blocked (*shard).crowded (*Wheel).watchBubble (*Wheel).hireWhenStill (*Wheel).somethingIsDue (*Wheel).standsStill (*Wheel).othersWait (*worker).userCall (*worker).callUser */
/* - members.go: (*worker).callNested */
/* - worker.go: (*worker).assist (*worker).giveWay (*worker).relock (*worker).dropLabels (*worker).scan */

/* Left out: when the alarm rings. */
/* - alarm.go: newAlarm (*alarm).call (*Wheel).wakeBy (*Wheel).wakeAnyway (*Wheel).clearAlarm (*Wheel).nextWake */
/* - shard.go: (*shard).anchor (*shard).vacate */
/* - placement.go: (*Wheel).nextIn */

/* Left out: what only looks, and calls that only choose another's parameters. */
/* - running.go: (*Wheel).Running */
/* - shard.go: (*shard).reduce (*shard).reduceClosed */
/* - members.go: (*Wheel).goroutines checkContext */
/* - group.go: (*Group).Len (*Group).DelSync (*Group).DelSyncContext (*Group).ShutdownSync (*Group).ShutdownSyncContext */

/* Left out: which timers are members. The scenario says that; it does not change. */
/* - group.go: (*Wheel).NewGroup (*Group).Alloc (*Group).AllocArg (*Group).AllocLocked */
/* - group.go: (*Group).AfterFunc (*Group).AfterFuncArg (*Group).AfterFuncLocked (*Group).Every */
/* - wheel.go: (*Wheel).made */
/* - group.go: (*Group).shard (*Group).wheel */
/* - membership.go: linkTo link.record (*shard).membership (*shard).groupOf (*shard).groupBytes */
/* - membership.go: (*Group).admit (*shard).number (*shard).dismiss (*groupTable).forget */

/* Left out: Group.Del and Group.Free, which are the deletions and the Frees of the members, one after
   the other; and how they go through the members. */
/* - group.go: (*Group).Del (*Group).Free */
/* - membership.go: (*Group).eachMember (*Group).pause */

/* Left out: Manual wheels. */
/* - members.go: (*Wheel).calledByMember (*Wheel).runAsMember (*Wheel).join */

/* Left out: how a call finds out that it is made in a done, and misuses, which start goroutines, too. */
/* - done.go: goUnlabelled spell spellZero spellOne (*Wheel).inDone callerPCs entryOf */
/* - members.go: (*Wheel).spawnUnlessClosed */
