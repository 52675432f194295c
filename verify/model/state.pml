/* state.pml is the structs of the code, and beside them the ghosts: what promises.pml
   remembers, and no step of the protocol reads. */

mtype = { bucket, due, held }; /* the lists of pending timers; 0: none */
mtype = { ok, ErrStale, ErrFreed, ErrShutdown, ErrDeleting, ErrClosed, ErrDeadlock, ErrNotLocked, ErrContext };
mtype = { again, enlisted };   /* a delSync that has not ended: it looks again; it waits */
mtype = { movableWord, ownedWord, parkedWord }; /* kinds of words */
mtype = { awaited, over };     /* Wheel.gone */

/* record is handle.go's. */
typedef Record {
	bool live;       /* it has a body */
	byte gen = 1;    /* the generation of the handles to it */
	byte owners;
	bool pending;    /* the wheel's reference */
	mtype list;      /* where it is pending */
	bool running;    /* a worker's reference */
	bool locking;    /* it stands in the line of its lock */
	bool deleting;   /* a deletion waits for the run in flight */
	bool shutdown;
	bool idle;       /* it is pending as an idle timeout */
	byte word;       /* of the idle timeout beside it: the generation; 0: closed */
	bool marked;     /* the word says that it was touched */
	bool fresh;      /* ghost: it was touched, and no look has read its clock since */
#if LANES > 0
	mtype kind;      /* of its word: movable, owned or parked; 0: closed, or an idle timeout's */
	byte kindGen;    /* the generation in it */
#endif
#if MOVERS > 0
	bool when;       /* the deadline as the record has it: late, or early */
	bool says;       /* as the word has it, while that is open */
	bool place;      /* when it is looked at: late, or early */
	bool promised;   /* ghost: the deadline of the last call that has moved it */
#endif
	bool lookedSince; /* ghost: a look has read its clock since a RegisterIdle has read its own */
	byte tenant = 1  /* ghost: counts the tenants, independently of gen */
}
Record record[RECORDS];
#define closedWord 0

#ifndef LAST_GEN
#define LAST_GEN 3 /* after it the record is retired */
#endif
#define MAX_OWNERS 2
#define CALLERS 2

/* A handle is one number, as in Go: record and generation. It carries the tenant as a
   ghost, by which the model recognises a handle that has reached another timer. */
/* = handle.go: (*shard).id "return uint64(s.Gen)<<32 | uint64(i)<<shardBits | uint64(sh.no)" */
#define handle(i)   ((i) | record[i].gen << 2 | record[i].tenant << 5)
#define indexOf(t)  ((t) & 3)
#define genOf(t)    ((t) >> 2 & 7)
#define tenantOf(t) ((t) >> 5)
#define lives(t)    (record[indexOf(t)].live && record[indexOf(t)].tenant == tenantOf(t))

/* worker is worker.go's. */
typedef Worker {
	byte slot = RECORDS; /* the running slot: the record of the timer that runs, or RECORDS */
	byte waits;      /* ending: the deletions that wait for the end of this run, a set */
	byte groups;     /* the number of them that are the group's */
	byte waiting;    /* the deletion in which its handler waits, plus one; 0: none */
	bool locked;     /* it holds the timer's lock for the handler */
	bool released;   /* its handler has released the lock, and what follows the run is not over */
	bool serves;     /* line: it serves the line */
	byte ended;      /* the deletions that it has to notify, a set */
	bool called;     /* the alarm has called it, and it is no member yet */
	byte flight;     /* ghost: the timer whose handler it runs, or is about to run; or 0 */
	bool waitedFor;  /* ghost: a deletion waits, or has waited, for this run */
	byte waitsFor    /* ghost: the runs that its handler waits for, independently of waiting */
}
Worker wk[WORKERS];

#define NO_WORKER WORKERS
#define ALL_WORKERS ((1 << WORKERS) - 1)
#define runs(w) (wk[w].slot != RECORDS)
#define runsMember(w) (runs(w) && member(wk[w].slot))

/* wait is sync_del.go's. There is one for each call that may be in flight at a time. */
typedef Wait {
	byte edges;  /* the runs that it waits for and that have not ended: a set of workers */
	byte open;   /* the runs whose channel is not closed yet: a set of workers */
	bool async;  /* it belongs to a DelAsync */
	bool group;  /* it belongs to a group's deletion: its runs count in group.deleting */
	bool found;  /* a group's: it has found a run to wait for, which may have ended since */
	byte seen;   /* a group's: the workers that it has looked at, a set */
	byte from;   /* the worker in whose handler the deletion was called, or NO_WORKER */
	byte timer;  /* ghost: the timer that is deleted; 0 when the call has returned */
	bool finding; /* ghost: a group's, which has not found all runs to wait for yet */
	bool quiet   /* ghost: since the call began, the timer was idle for an instant */
}
Wait wait[WAITS];

#define ALL 255 /* as timer of a wait: the whole group */

/* group is group.go's. The scenario says which timers are its members. */
typedef Group {
	byte deleting;
	bool isDown
}
Group group;

/* Own is a firing of the library's own packages: own.go, and package time after Close. */
typedef Own {
	bool pending;
	bool orphan; /* Close has taken it off the wheel, and must hand it over */
	bool handed; /* package time will fire it */
	bool fired
}
#ifndef OWNS
#define OWNS 1
#endif
Own own[OWNS];

/* Of shard.go. */
int ledger;       /* counters.registered - counters.fired - counters.removed */
bool shardClosed;

/* Of wheel.go, members.go and alarm.go. */
bool wheelClosed;
byte members;  /* the number of members */
byte starting; /* the goroutines that were started for a done and are no members yet: a set of waits */
byte dones;    /* the goroutines of dones that need not wait */
byte calls;    /* of these, those that have not called theirs yet: a set of waits */
byte rings;    /* the calls of the alarm that have not come yet */
bool called[CALLERS]; /* the alarm has called a goroutine that will not work: own.pml */
mtype gone;    /* awaited, if Close waits until there is no member; over, when there is none */

/* Of lines.go: the one line. There is one if a worker serves it, or if it is unserved. */
byte server;   /* the worker that serves it, plus one; 0: none */
bool unserved; /* a timer stands in it, and no worker serves it */

/* Of the user. */
byte userLock;  /* the holder of the lock of lock-bound timers: a worker plus one, USER, or 0 */
#define USER 255

byte shutDown;      /* ghost: the timer that was shut down, or 0 */
byte atLock;        /* ghost: the workers that wait for the lock of lock-bound timers */
bool groupShutDown; /* ghost: a shutdown of the group has removed all firings */
bool closed;        /* ghost: Close has returned nil */

/* Scratch, for the length of an atomic sequence. */
bool claims; /* the first timer of the line is an idle timeout */
bool seen;   /* the last look has found a mark */
bool up;     /* the last claim has succeeded */

/* Scratch, for the length of a section. */
hidden byte k, n, r, next;
hidden byte ignored;      /* an error that the caller does not look at */
hidden byte foundRunning; /* found.Running of the last delete */
hidden byte theRun;       /* the worker that findRun has found */
hidden byte reach;        /* the workers that reaches has come to */

/* Of parked.go. */
#if LANES > 0
byte lane[LANES]; /* what each lane counts as open */
bool ballast;     /* each of them counts one too many */
bool anchored;    /* the alarm keeps the wheel, and wake-ups look at the shard */
byte inCall;      /* ghost: stops and starts in flight whose step in a word or a lane is not the last */
#endif

#if LANES > 0
/* Chosen before a section, which uses it up. */
bool may;   /* a timer stays in its bucket */
bool heavy; /* many timers that are in no lane are pending */
#endif
#if MOVERS > 0
bool late;  /* chosen likewise: the new deadline is the late one */
#endif

#if LANES > 0
/* = parked.go: (*lanes).of "func (l *lanes) of(i uint32) *lane { return &l[i%uint32(len(l))] }" */
#define laneOf(i) lane[(i) % LANES]
#if LANES == 1
#define counted (lane[0])
#else
#define counted (lane[0] + lane[1])
#endif
#define kindOf(i) (record[i].kind)
#define isAnchored anchored
#else
#define kindOf(i) 0
#define isAnchored true
#endif

/* = word.go: (*shard).isPending "return s.Flags&pending != 0 && (s.Flags&levels.Open == 0 || sh.openedWord(i).Load()&kindMask != parkedKind)" */
#define pends(i) (record[i].pending && (LANES == 0 || kindOf(i) != parkedWord))
#define isElsewhere(i) (record[i].pending && !isInLane(i)) /* counters.linked - counters.inLanes */
#define isInLane(i) (kindOf(i) == ownedWord || kindOf(i) == parkedWord)

#if MOVERS > 0
/* = word.go: (*shard).pendingDeadline "return s.When, true" "return sh.w.says(x, word), true" */
#define deadlineOf(i) (kindOf(i) -> record[i].says : record[i].when)
#define isLater(i) (late >= deadlineOf(i))
#else
#define isLater(i) true
#endif

/* Whether something holds of a record, of a worker, or of a wait. */
#if RECORDS == 1
#define anyRecord(p) (p(0))
#elif RECORDS == 2
#define anyRecord(p) (p(0) || p(1))
#else
#define anyRecord(p) (p(0) || p(1) || p(2))
#endif
#define isPending(i) (record[i].pending)
#define inLine(i)    (record[i].pending && record[i].list == due)
#define inBucket(i)  (record[i].pending && record[i].list == bucket)
#define standsInLine(i) (record[i].locking)

#if WORKERS == 1
#define isRunning(x) (wk[0].slot == (x))
#define inFlight(t)  (wk[0].flight == (t))
#define toNotify(x)  (wk[0].ended >> (x) & 1)
#define anyWorker(p) (p(0))
#elif WORKERS == 2
#define isRunning(x) (wk[0].slot == (x) || wk[1].slot == (x))
#define inFlight(t)  (wk[0].flight == (t) || wk[1].flight == (t))
#define toNotify(x)  ((wk[0].ended | wk[1].ended) >> (x) & 1)
#define anyWorker(p) (p(0) || p(1))
#else
#define isRunning(x) (wk[0].slot == (x) || wk[1].slot == (x) || wk[2].slot == (x))
#define inFlight(t)  (wk[0].flight == (t) || wk[1].flight == (t) || wk[2].flight == (t))
#define toNotify(x)  ((wk[0].ended | wk[1].ended | wk[2].ended) >> (x) & 1)
#define anyWorker(p) (p(0) || p(1) || p(2))
#endif

#if OWNS == 1
#define anyOwn(p) (p(0))
#else
#define anyOwn(p) (p(0) || p(1))
#endif
#define isOwnPending(x) (own[x].pending)
#define isOrphan(x)     (own[x].orphan)

#if WAITS == 1
#define anyWait(p) (p(0))
#elif WAITS == 2
#define anyWait(p) (p(0) || p(1))
#else
#define anyWait(p) (p(0) || p(1) || p(2))
#endif
