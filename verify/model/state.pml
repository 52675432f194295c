/* state.pml is the structs of the code, and beside them the ghosts: what promises.pml
   remembers, and no step of the protocol looks at. */

mtype = { wheel, due, held };  /* the lists of pending timers; 0: none */
mtype = { ok, ErrStale, ErrFreed, ErrShutdown, ErrDeleting, ErrClosed, ErrDeadlock, ErrContext };
mtype = { again, enlisted };   /* a delSync that is not through: it looks again; it waits */
mtype = { awaited, joined };   /* the end of the crew */

/* slot is handle.go's. */
typedef Slot {
	bool live;       /* it has a body */
	byte gen = 1;    /* the generation of the handles to it */
	byte owners;
	bool pending;    /* the wheel's reference */
	mtype list;      /* where it is pending */
	bool running;    /* a worker's reference */
	bool locking;    /* a worker waits for its lock */
	bool deleting;   /* a deletion waits for the run in flight */
	bool shutdown;
	byte tenant = 1  /* ghost: counts the tenants, whatever becomes of gen */
}
Slot slot[SLOTS];

#ifndef LAST_GEN
#define LAST_GEN 3 /* then the slot is retired */
#endif
#define MAX_OWNERS 2

/* A handle is one number, as in Go: slot and generation. It carries the tenant as a
   ghost, by which the model knows a handle that has reached another's timer. */
/* = handle.go: (*shard).id "return uint64(s.gen)<<32 | uint64(i)<<shardBits | uint64(sh.no)" */
#define handle(i)   ((i) | slot[i].gen << 2 | slot[i].tenant << 5)
#define indexOf(t)  ((t) & 3)
#define genOf(t)    ((t) >> 2 & 7)
#define tenantOf(t) ((t) >> 5)
#define lives(t)    (slot[indexOf(t)].live && slot[indexOf(t)].tenant == tenantOf(t))

/* worker is worker.go's. */
typedef Worker {
	byte slotNo = SLOTS; /* the running slot: the timer that runs, or SLOTS */
	byte waits;      /* the deletions that wait for the end of this run: a set */
	byte groups;     /* how many of them are of the group */
	byte waiting;    /* the deletion in which its handler waits, plus one */
	bool locked;     /* it holds the timer's lock for the handler */
	byte ended;      /* the deletions that it is to tell: a set */
	bool rung;       /* the alarm has called it, and it has not come in */
	byte flight;     /* ghost: the timer whose handler it runs, or is about to run; or 0 */
	bool promised;   /* ghost: somebody waits, or has waited, for this run */
	byte really      /* ghost: the runs that its handler waits for, whatever waiting says */
}
Worker wk[WORKERS];

#define NOBODY  WORKERS /* in the place of a worker */
#define runs(w) (wk[w].slotNo != SLOTS)
#define runsMember(w) (runs(w) && member(wk[w].slotNo))
#define EVERYBODY ((1 << WORKERS) - 1)

/* wait is sync_del.go's. There is one for each call that may be in flight at a time. */
typedef Wait {
	byte on;     /* the runs that have not ended: a set of workers */
	byte untold; /* the runs whose channel is not closed: a set of workers */
	bool async;  /* it is a DelAsync's */
	bool group;  /* it is a group's: the runs that it waits for count in group.deleting */
	bool edges;  /* it has found a run to wait for, which may have ended */
	byte seen;   /* the workers at which a group's has looked: a set */
	byte from;   /* the worker in whose handler the deletion was called, or NOBODY */
	byte timer;  /* ghost: the timer that is deleted; 0 when the call has returned */
	bool finding; /* ghost: it is a group's, and has not found all runs to wait for */
	bool quiet   /* ghost: since the call began, that neither was pending nor ran for an instant */
}
Wait wait[WAITS];

#define ALL 255 /* as timer of a wait: the whole group */

/* group is group.go's. Which timers are its members the scenario says. */
typedef Group {
	byte deleting
}
Group group;

/* Of shard.go. */
int ledger;       /* counters.registered - counters.fired - counters.removed */
bool shardClosed;

/* Of wheel.go, crew.go and alarm.go. */
bool wheelClosed;
byte crew;   /* the goroutines that have come in */
byte coming; /* the dones that were sent and have not come in: a set of waits */
byte rings;  /* the calls of the alarm that have not come in */
mtype gone;  /* awaited, if Close waits for the end of the crew; joined, when that has come */

/* Of the user. */
byte userLock;  /* who holds the lock of lock-bound timers: a worker plus one, USER, or 0 */
#define USER 255

byte shutDown;  /* ghost: the timer for which Shutdown was called, or 0 */
bool hasClosed; /* ghost: Close has returned nil */

/* Scratch, for the length of a section. */
hidden byte k, n, r, next;
hidden byte ignored;      /* an error that nobody looks at */
hidden byte foundRunning; /* found.Running of the last delete */
hidden byte theRun;       /* the worker that runOf has found */
hidden byte reach;        /* the workers that leadsTo has come to */

/* Of some slot, some worker, and some wait. */
#if SLOTS == 1
#define anySlot(p) (p(0))
#elif SLOTS == 2
#define anySlot(p) (p(0) || p(1))
#else
#define anySlot(p) (p(0) || p(1) || p(2))
#endif
#define isPending(i) (slot[i].pending)
#define inLine(i)    (slot[i].pending && slot[i].list == due)
#define onWheel(i)   (slot[i].pending && slot[i].list == wheel)

#if WORKERS == 1
#define isRunning(x) (wk[0].slotNo == (x))
#define inFlight(t)  (wk[0].flight == (t))
#define isTold(x)    (wk[0].ended >> (x) & 1)
#define anyWorker(p) (p(0))
#elif WORKERS == 2
#define isRunning(x) (wk[0].slotNo == (x) || wk[1].slotNo == (x))
#define inFlight(t)  (wk[0].flight == (t) || wk[1].flight == (t))
#define isTold(x)    ((wk[0].ended | wk[1].ended) >> (x) & 1)
#define anyWorker(p) (p(0) || p(1))
#else
#define isRunning(x) (wk[0].slotNo == (x) || wk[1].slotNo == (x) || wk[2].slotNo == (x))
#define inFlight(t)  (wk[0].flight == (t) || wk[1].flight == (t) || wk[2].flight == (t))
#define isTold(x)    ((wk[0].ended | wk[1].ended | wk[2].ended) >> (x) & 1)
#define anyWorker(p) (p(0) || p(1) || p(2))
#endif

#if WAITS == 1
#define anyWait(p) (p(0))
#elif WAITS == 2
#define anyWait(p) (p(0) || p(1))
#else
#define anyWait(p) (p(0) || p(1) || p(2))
#endif
