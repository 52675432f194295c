/* model.pml is the deletion protocol of timerwheel, for spin: what the code does under
   its locks, step by step, and what it promises. The files have the names of those of
   the code; state.pml is its structs, promises.pml what must hold, mutants.pml what can
   be broken on purpose, and scenarios has programs that use all of it.

   One critical section of the code is one section here, and between sections anything
   may happen. Comments that begin with an equals sign say which lines of the code the
   step beneath them stands for, and those with a minus what is left out, by the names
   of the functions; names_test.go watches that it stays so.

   What is left out, and why nothing is lost by that:

   - Time, the levels of the wheel, and the hour for which the alarm is set. A timer
     that pends may be due at any moment, and then any worker may come: so every order
     of firings that deadlines can give is among those that are looked at.
   - Shards. A timer stays in its shard for life. Sections of two shards touch different
     timers; what else they share they touch under Wheel.mu, which they take once, in
     the midst of the section, for all of it. So nobody can tell when the rest of a
     section was, and a section that takes both locks is one step. For the same reason
     one shard shows every order that several would.
   - How many workers come, and when: any of WORKERS may come as long as something is
     due. What is left of the alarm is what Close needs: who was called and has not come.
   - Manual wheels, stalls, and the counters beside the three that must balance.
   - Memory as processors see it. All that is modelled is under a mutex, or after the
     closing of a channel, so the code has one order of its sections, as the model has.

   Mutexes are fair, and a worker's goroutine goes on if it can: that is all that is
   taken for granted about progress. What a scenario's formula promises comes whatever
   else happens. */

#ifndef MUTANT
#define MUTANT none
#endif

/* What a scenario may define before it includes this file. It must define SLOTS,
   WORKERS and WAITS, which are up to three. */
#ifndef lockBound
#define lockBound(i) false /* the timer in slot i is an AllocLocked's */
#endif
#ifndef periodic
#define periodic(i) false /* the timer in slot i is an Every's */
#endif
#ifndef member
#define member(i) true /* the timer in slot i is one of the group, if that is deleted at all */
#endif
#ifndef MISBEHAVES
#define MISBEHAVES false /* a handler may end by a panic or a Goexit */
#endif
#ifndef LOCK_MISBEHAVES
#define LOCK_MISBEHAVES false /* so may the Lock of a timer's lock */
#endif

/* = shard.go: (*shard).lock "func (sh *shard) lock() { sh.mu.Lock() }" */
#define section d_step

/* The run script looks at what has been reached. */
#define reached(what) c_code { static int once; if (!once++) printf("reached: " #what "\n"); }

#include "state.pml"
#include "mutants.pml"
#include "promises.pml"
#include "handle.pml"
#include "shard.pml"
#include "timer.pml"
#include "sync_del.pml"
#include "group.pml"
#include "crew.pml"

/* Where timers stand, and when they are due: */
/* - shard.go: after */
/* - shard.go: (*shard).needsClock */
/* - shard.go: (*shard).nanos */
/* - shard.go: (*slot).stays */
/* - shard.go: newShard */
/* - shard.go: (*shard).fetch */

/* Storage: */
/* - handle.go: (*shard).argOf */
/* - handle.go: (*shard).body */
/* - handle.go: (*shard).bodyOf */
/* - handle.go: (*shard).furnish */
/* - handle.go: newStockpile */
/* - handle.go: (*shard).take */
/* - handle.go: (*shard).stock */
/* - handle.go: (*shard).giveBack */

/* How many workers there are: */
/* - worker.go: (*worker).giveWay */
/* - worker.go: (*Wheel).wanted */
/* - worker.go: (*Wheel).progressed */
/* - worker.go: (*worker).assist */
/* - worker.go: (*Wheel).blocked */
/* - worker.go: (*worker).outside */
/* - worker.go: (*worker).relock */
/* - worker.go: (*shard).crowded */
/* - worker.go: (*shard).blocked */
/* - worker.go: (*runningSlot).quick */
/* - worker.go: (*worker).slot */
