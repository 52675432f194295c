package gostack

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A goroutine's bubble is known by its number, however deep the stack is.
func TestBubbleOfTheCaller(t *testing.T) {
	require.Zero(t, Bubble())
	bubbles := make(map[uint64]bool)
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			n := Bubble()
			require.NotZero(t, n)
			require.Equal(t, n, Bubble())
			bubbles[n] = true
		})
	}
	require.Len(t, bubbles, 2)
	for header, want := range map[string]uint64{
		"goroutine 7 [running]:\nsynctest bubble 3]":                            0,
		"goroutine 7 [running, synctest bubble 12]:\n":                          12,
		"goroutine 7 [running, locked to thread, synctest bubble 3 labels:{}]:": 3,
		"": 0,
	} {
		require.Equal(t, want, bubbleOf(header), header)
	}
}

// Innermost finds the innermost call that is in neither the library nor Go's standard
// library, whether the program says where its files were or not.
func TestInnermostCallOfAStack(t *testing.T) {
	defer func(tree string) { goTree = tree }(goTree)
	for _, trimmed := range []bool{false, true} {
		gopath, wheel, user := "/go/src/", "/home/me/timerwheel/", "/home/me/shop/"
		if goTree = gopath; trimmed {
			goTree, gopath, wheel, user = "", "", "github.com/seed76848005/timerwheel/", "shop.example/"
		}
		blocked := "sync.runtime_SemacquireMutex(0x1, 0x0?, 0x1)\n\t" + gopath + "runtime/sema.go:95 +0x25\n" +
			"sync.(*Mutex).Lock(...)\n\t" + gopath + "sync/mutex.go:46\n"
		waits := "github.com/seed76848005/timerwheel.Timer.DelSync({0xc000, 0x1})\n\t" + wheel + "timer.go:215 +0x3d\n"
		runs := "github.com/seed76848005/timerwheel.call({0x1, 0x2})\n\t" + wheel + "worker.go:250 +0x3d\n" +
			"created by time.goFunc in goroutine 1\n\t" + gopath + "time/sleep.go:215 +0x2d\n"
		expire := "shop.example.(*cart).expire(0xc0000)\n\t" + user + "cart.go:31 +0x1d\n"
		literal := "main.main.func1()\n\t" + user + "main.go:9 +0x1d\n"
		created := "created by main.main in goroutine 1\n\t" + user + "main.go:9 +0x1d\n"
		for _, c := range []struct{ stack, want string }{
			{blocked + expire + runs, "shop.example.(*cart).expire " + user + "cart.go:31"},
			{waits + expire + literal + runs, "shop.example.(*cart).expire " + user + "cart.go:31"},
			{blocked + literal + expire, "main.main.func1 " + user + "main.go:9"},
			{blocked + runs, ""}, // the handler is wg.Wait
			{blocked + waits + created, ""},
			{blocked + "created by main.(*T).m in goroutine 1\n\t" + user + "main.go:9 +0x1d\n", ""},
			{"...5 frames elided...\n" + blocked + "...5 frames elided...\n" + literal, "main.main.func1 " + user + "main.go:9"},
			{"", ""},
		} {
			require.Equal(t, c.want, Innermost("goroutine 7 [sync.Mutex.Lock, 3 minutes]:\n"+c.stack), c.stack)
			require.Equal(t, c.want, Innermost("goroutine 7 [running]:\n"+strings.TrimSuffix(c.stack, "\n")), c.stack)
		}
	}
}

// park waits at the end of some calls, so that its stack is long.
func park(depth int, parked chan<- struct{}, release <-chan struct{}) {
	if depth > 0 {
		park(depth-1, parked, release)
		return
	}
	parked <- struct{}{}
	<-release
}

// A goroutine waits if nothing but another goroutine, the clock or the system lets it go on.
func TestWhichGoroutineWaits(t *testing.T) {
	var mu sync.Mutex
	mu.Lock()
	never := make(chan struct{})
	over := make(chan struct{})
	for name, f := range map[string]func(){
		"channel": func() { <-never },
		"mutex":   func() { mu.Lock(); defer mu.Unlock() },
		"select": func() {
			select {
			case <-never:
			case <-over:
			}
		},
		"sleep": func() { // again and again, so that it neither ends before it is seen nor outlives the test
			for {
				select {
				case <-over:
					return
				default:
					time.Sleep(10 * time.Millisecond)
				}
			}
		},
	} {
		ids := make(chan uint64)
		go func() { ids <- ID(); f() }()
		id := <-ids
		require.Eventually(t, func() bool { return waits(t, id) }, 30*time.Second, time.Millisecond, name)
	}
	ids, stop := make(chan uint64), new(atomic.Bool)
	var active sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) { // some run, others could
		active.Go(func() {
			for ids <- ID(); !stop.Load(); runtime.Gosched() {
			}
		})
		require.False(t, waits(t, <-ids))
	}
	stop.Store(true)
	active.Wait()
	close(over)
	require.False(t, waits(t, ID()), "the caller runs")
	mu.Unlock()
	close(never)
	for state, want := range map[string]bool{
		"running": false, "runnable": false, "runnable, synctest bubble 3": false, "running (scan)": false, "preempted": false,
		"GC assist wait": false, "copystack": false, "chan receive (durable), synctest bubble 1": true, "syscall": true,
		"sync.Mutex.Lock, 3 minutes": true, "select": true, "IO wait": true,
	} {
		require.Equal(t, want, Waits([]byte("goroutine 7 ["+state+"]:\nmain.main()\n")), state)
	}
}

// waits looks for a goroutine in a dump, and says whether it waits.
func waits(t *testing.T, id uint64) bool {
	t.Helper()
	for other, stack := range new(Dumper).Dump().All() {
		if other == id {
			return Waits(stack)
		}
	}
	require.Fail(t, "the goroutine is gone")
	return false
}

// A dump has the stack of each goroutine, also where stacks are longer than a Dumper expects. The next
// dump of the same goroutines fits into the buffer that is made first.
func TestADumpHasEveryGoroutine(t *testing.T) {
	parked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	const n = 200
	ids := make(chan uint64, n)
	for range n {
		go func() {
			ids <- ID()
			park(90, parked, release) // more frames than a trace has
		}()
		<-parked
	}
	var d Dumper
	for range 2 {
		each := max(d.each, usualStack)
		dump := d.Dump()
		seen := map[uint64]bool{}
		for id, stack := range dump.All() {
			require.Equal(t, id, IDOf(stack))
			require.False(t, seen[id])
			seen[id] = true
			require.NotContains(t, string(stack), "\n\n", "one goroutine's stack")
		}
		for range n {
			id := <-ids
			require.True(t, seen[id])
			ids <- id
		}
		if each > usualStack {
			require.Less(t, len(dump), 1<<16+runtime.NumGoroutine()*each*5/4)
		}
	}
	require.Greater(t, d.each, usualStack, "or the first dump would not have been too long for its buffer")
}
