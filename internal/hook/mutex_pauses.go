//go:build pauses && !schedules

package hook

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe" // the address that the system call wants
)

// A Mutex guards a shard, or a wheel. This one measures how long it is held, for
// bench/cmd/pauses. It needs Linux.
//
// It measures the processor time of the thread. A goroutine that the system or
// Go's scheduler switches away from in a critical section holds its lock for
// longer, but its critical section does no more work. So a goroutine stays on its
// thread while it holds a Mutex. Page faults, and the work that a garbage
// collection makes an allocation do, are processor time, and count.
type Mutex struct {
	sync.Mutex
	began moment
}

// Lock locks, and starts the measurement.
func (m *Mutex) Lock() {
	m.Mutex.Lock()
	runtime.LockOSThread()
	m.began = clockIn()
}

// TryLock locks if it need not wait, and then starts the measurement.
func (m *Mutex) TryLock() bool {
	if !m.Mutex.TryLock() {
		return false
	}
	runtime.LockOSThread()
	m.began = clockIn()
	return true
}

// Unlock ends the measurement, and unlocks.
func (m *Mutex) Unlock() {
	h := m.began.clockOut()
	m.Mutex.Unlock()
	runtime.UnlockOSThread()
	held.add(h)
}

// A moment is a reading of the thread's clock and of the wall clock.
type moment struct{ own, wall int64 }

var started = time.Now()

// clockIn and clockOut read the clocks in opposite orders, so that the interval on
// the thread's clock, which counts, includes as little as possible of the other
// reading.
func clockIn() (m moment) {
	m.wall = int64(time.Since(started))
	m.own = threadTime()
	return m
}

func (m moment) clockOut() (h hold) {
	h.own = threadTime() - m.own
	h.wall = int64(time.Since(started)) - m.wall
	return h
}

// threadTime returns the processor time that this thread has used, in ns.
func threadTime() int64 {
	const clockThreadCPU = 3 // CLOCK_THREAD_CPUTIME_ID
	var t syscall.Timespec
	// Safe as all calls of the system are: t does not move while it is passed.
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		panic(errno)
	}
	return t.Nano()
}

// A hold says how long a Mutex was held, in ns.
type hold struct{ own, wall int64 }

// clocks is the time that reading the clocks takes. It is subtracted.
var clocks = func() hold {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	least := hold{math.MaxInt64, math.MaxInt64}
	for range 10_000 {
		h := clockIn().clockOut()
		least = hold{min(least.own, h.own), min(least.wall, h.wall)}
	}
	return least
}()

// Pauses says how long the mutexes of all wheels were held.
type Pauses struct {
	Count      uint64
	Max, P9999 time.Duration // processor time, while one was held
	WallMax    time.Duration // wall time, while one was held
	Each       []uint32      // processor time of each hold, ns, in the order in which they ended
	Long       []LongPause   // by where the mutex was released, the longest first
}

// A LongPause names a place where a Mutex was held for more than 20 µs of processor
// time.
type LongPause struct {
	Where string
	Count int
	Max   time.Duration
}

const (
	longPause = 20_000  // ns
	step      = 100     // ns, of the histogram
	steps     = 100_000 // of the histogram
)

// held collects the holds since TakePauses was last called.
var held = new(holds)

type holds struct {
	mu        sync.Mutex
	count     uint64
	max, wall int64
	own       [steps]uint64 // by processor time
	each      []uint32
	long      map[string]LongPause
}

func (all *holds) add(h hold) {
	h = hold{max(h.own-clocks.own, 0), max(h.wall-clocks.wall, 0)}
	all.mu.Lock()
	defer all.mu.Unlock()
	all.count++
	all.max, all.wall = max(all.max, h.own), max(all.wall, h.wall)
	all.own[min(h.own/step, steps-1)]++
	all.each = append(all.each, uint32(min(h.own, math.MaxUint32)))
	if h.own > longPause {
		all.note(time.Duration(h.own), releasedAt())
	}
}

// note records a long hold. Holds mu.
func (all *holds) note(own time.Duration, where string) {
	if all.long == nil {
		all.long = make(map[string]LongPause)
	}
	p := all.long[where]
	all.long[where] = LongPause{where, p.Count + 1, max(p.Max, own)}
}

// releasedAt names the functions that released a Mutex, innermost first.
func releasedAt() string {
	pcs := make([]uintptr, 8)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)]) // 4: not this, add, Unlock
	var names []string
	for f, more := frames.Next(); more && len(names) < 4; f, more = frames.Next() {
		_, name, _ := strings.Cut(f.Function[strings.LastIndexByte(f.Function, '/')+1:], ".")
		if name != "(*shard).unlock" {
			names = append(names, fmt.Sprintf("%s:%d", name, f.Line))
		}
	}
	return strings.Join(names, " < ")
}

// TakePauses returns the pauses since it was last called.
func TakePauses() Pauses {
	held.mu.Lock()
	defer held.mu.Unlock()
	p := Pauses{
		Count:   held.count,
		Max:     time.Duration(held.max),
		P9999:   held.quantile(0.9999),
		WallMax: time.Duration(held.wall),
		Each:    held.each,
		Long:    slices.SortedFunc(maps.Values(held.long), func(a, b LongPause) int { return int(b.Max - a.Max) }),
	}
	held.count, held.max, held.wall, held.long = 0, 0, 0, nil
	held.each = make([]uint32, 0, len(held.each))
	clear(held.own[:])
	return p
}

// quantile returns the time that the fraction q of the holds did not exceed. Holds
// mu.
func (all *holds) quantile(q float64) time.Duration {
	left := uint64(q * float64(all.count))
	for k, n := range all.own {
		if n > left {
			return time.Duration((k + 1) * step)
		}
		left -= n
	}
	return time.Duration(all.max)
}
