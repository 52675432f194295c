package keyed_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs f in a bubble, with timers by key that log what fires.
func bubble(t *testing.T, f func(t *testing.T, w *timerwheel.Wheel, timers *keyed.Timers[string], fired func() []string)) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Close()) }()
		var mu sync.Mutex
		var log []string
		begin := time.Now()
		timers := keyed.New(w, func(key string) {
			mu.Lock()
			defer mu.Unlock()
			log = append(log, fmt.Sprint(key, " ", time.Since(begin)))
		})
		f(t, w, timers, func() []string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Sorted(slices.Values(log))
		})
	})
}

var (
	none    = timerwheel.Found{}
	pending = timerwheel.Found{Pending: true}
	running = timerwheel.Found{Running: true}
)

// The last Set of a key counts, and the function is called once for it, with the key.
func TestTheLastSetOfAKeyFires(t *testing.T) {
	bubble(t, func(t *testing.T, w *timerwheel.Wheel, timers *keyed.Timers[string], fired func() []string) {
		require.NoError(t, timers.Set("a", time.Second))
		require.NoError(t, timers.Set("b", 2*time.Second))
		require.NoError(t, timers.Set("b", 3*time.Second))
		require.NoError(t, timers.Set("c", time.Hour))
		require.NoError(t, timers.Set("c", 4*time.Second))
		require.Equal(t, 3, timers.Len())
		time.Sleep(time.Minute)
		require.Equal(t, []string{"a 1s", "b 3s", "c 4s"}, fired())
		require.Zero(t, timers.Len())
		require.Zero(t, w.Stats().Live)

		require.NoError(t, timers.Set("a", time.Second), "again")
		time.Sleep(time.Minute)
		require.Equal(t, []string{"a 1m1s", "a 1s", "b 3s", "c 4s"}, fired())
	})
}

// Move and Delete reach what is pending, and nothing else.
func TestMoveAndDeleteReachOnlyWhatIsPending(t *testing.T) {
	bubble(t, func(t *testing.T, w *timerwheel.Wheel, timers *keyed.Timers[string], fired func() []string) {
		require.False(t, timers.Move("a", time.Second))
		require.Equal(t, none, timers.Delete("a"))
		require.NoError(t, timers.Set("a", time.Second))
		require.NoError(t, timers.Set("b", time.Second))
		require.True(t, timers.Move("a", 2*time.Second))
		require.Equal(t, pending, timers.Delete("b"))
		require.Equal(t, none, timers.Delete("b"))
		require.Equal(t, 1, timers.Len())
		time.Sleep(time.Minute)
		require.Equal(t, []string{"a 2s"}, fired())
		require.False(t, timers.Move("a", time.Second))
		require.Zero(t, timers.Len())
	})
}

// While the function runs for a key nothing is pending, Set arms it for once more, never beside
// itself, and DeleteSync waits for it and refuses Sets.
func TestWhileTheFunctionRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Close()) }()
		var runs, atOnce atomic.Int32
		end := make(chan struct{})
		var timers *keyed.Timers[int]
		timers = keyed.New(w, func(key int) {
			assert.EqualValues(t, 1, atOnce.Add(1))
			defer atOnce.Add(-1)
			runs.Add(1)
			_, err := timers.DeleteSync(key)
			assert.ErrorIs(t, err, timerwheel.ErrDeadlock)
			<-end
		})
		require.NoError(t, timers.Set(7, time.Second))
		time.Sleep(time.Minute)
		require.Zero(t, timers.Len())
		require.False(t, timers.Move(7, time.Second))
		require.Equal(t, running, timers.Delete(7))

		require.NoError(t, timers.Set(7, time.Second))
		require.Equal(t, 1, timers.Len())
		time.Sleep(time.Minute)
		require.EqualValues(t, 1, runs.Load(), "it never runs twice at once")
		end <- struct{}{}
		time.Sleep(time.Minute)
		require.EqualValues(t, 2, runs.Load())

		require.NoError(t, timers.Set(7, time.Hour))
		var found timerwheel.Found
		returned := make(chan error)
		go func() {
			var err error
			found, err = timers.DeleteSync(7)
			returned <- err
		}()
		synctest.Wait()
		require.ErrorIs(t, timers.Set(7, time.Second), timerwheel.ErrDeleting)
		require.Zero(t, timers.Len())
		end <- struct{}{}
		require.NoError(t, <-returned)
		require.Equal(t, timerwheel.Found{Pending: true, Running: true}, found)
		require.Zero(t, atOnce.Load())
		require.NoError(t, timers.Set(7, time.Second), "the refusal has ended")
		require.Equal(t, 1, timers.Clear())
		time.Sleep(time.Hour)
		require.EqualValues(t, 2, runs.Load())
	})
}

// A key whose function has ended is gone, however it ended.
func TestAFunctionThatDoesNotReturnLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var panics atomic.Int32
		w, err := timerwheel.New(timerwheel.Options{OnPanic: func(timerwheel.HandlerPanic) { panics.Add(1) }})
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Close()) }()
		timers := keyed.New(w, func(key string) {
			if key == "panics" {
				panic(key)
			}
			runtime.Goexit()
		})
		for range 2 {
			require.NoError(t, timers.Set("panics", time.Second))
			require.NoError(t, timers.Set("exits", time.Second))
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, none, timers.Delete("panics"))
			require.Equal(t, none, timers.Delete("exits"))
		}
		require.EqualValues(t, 2, panics.Load())
	})
}

// All yields each pending key once, with its deadline; its body may do anything. Clear deletes all.
func TestAllAndClear(t *testing.T) {
	bubble(t, func(t *testing.T, w *timerwheel.Wheel, timers *keyed.Timers[string], fired func() []string) {
		want := make(map[string]time.Time)
		for i := range 1000 {
			key, d := fmt.Sprint(i), time.Hour+time.Duration(i)*time.Second
			require.NoError(t, timers.Set(key, d))
			want[key] = time.Now().Add(d)
		}
		got := maps.Collect(timers.All())
		require.Len(t, got, len(want))
		for key, when := range got {
			require.True(t, when.Equal(want[key]))
		}
		seen := 0
		for key := range timers.All() {
			seen++
			require.True(t, timers.Move(key, time.Minute))
			if seen == 500 {
				break
			}
		}
		require.Equal(t, 1000, timers.Clear())
		require.Zero(t, timers.Len())
		require.Zero(t, w.Stats().Live)
		for range timers.All() {
			require.Fail(t, "nothing is pending")
		}
		time.Sleep(2 * time.Hour)
		require.Empty(t, fired())
	})
}

// On a closed wheel Set is refused, and nothing fires.
func TestAClosedWheel(t *testing.T) {
	bubble(t, func(t *testing.T, w *timerwheel.Wheel, timers *keyed.Timers[string], fired func() []string) {
		require.NoError(t, timers.Set("a", time.Second))
		require.NoError(t, w.Close())
		require.ErrorIs(t, timers.Set("a", time.Second), timerwheel.ErrClosed)
		require.ErrorIs(t, timers.Set("b", time.Second), timerwheel.ErrClosed)
		require.False(t, timers.Move("a", time.Second))
		for range timers.All() {
			require.Fail(t, "nothing is pending")
		}
		time.Sleep(time.Minute)
		require.Empty(t, fired())
		require.Equal(t, 1, timers.Clear())
		require.Zero(t, timers.Len())
	})
}

func TestNilArgumentsPanic(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	require.Panics(t, func() { keyed.New[int](w, nil) })
	require.Panics(t, func() { keyed.New(nil, func(int) {}) })
	require.PanicsWithValue(t, "keyed: the zero Timers is not usable: call New", func() { _ = new(keyed.Timers[int]).Set(1, 0) })
}

// Under any races: for one key the function never runs twice at once; after DeleteSync it does not
// run; each Set is followed by a call of the function, or was overtaken; nothing is left behind.
func TestRacesOfAllCalls(t *testing.T) {
	const keys = 8
	rounds := 20_000
	if testing.Short() {
		rounds = 3_000
	}
	w, err := timerwheel.New(timerwheel.Options{Tick: 50 * time.Microsecond})
	require.NoError(t, err)
	var atOnce, owner [keys]atomic.Int32
	var faults atomic.Int32
	timers := keyed.New(w, func(key int) {
		if atOnce[key].Add(1) != 1 {
			faults.Add(1)
		}
		runtime.Gosched()
		atOnce[key].Add(-1)
	})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			for range rounds {
				key, d := rng.IntN(keys), time.Duration(rng.Int64N(int64(200*time.Microsecond)))
				switch rng.IntN(6) {
				case 0, 1:
					_ = timers.Set(key, d)
				case 2:
					timers.Move(key, d)
				case 3:
					timers.Delete(key)
				case 4:
					if owner[key].CompareAndSwap(0, 1) { // the only one that deletes in this way
						_, err := timers.DeleteSync(key)
						assert.NoError(t, err)
						owner[key].Store(0)
					}
				default:
					for range timers.All() {
						break
					}
				}
			}
		})
	}
	all.Wait()
	for key := range keys {
		require.NoError(t, timers.Set(key, time.Hour))
		_, err := timers.DeleteSync(key)
		require.NoError(t, err)
		require.Zero(t, atOnce[key].Load(), "after DeleteSync it does not run")
	}
	require.Zero(t, faults.Load(), "runs of one key at once")
	require.Zero(t, timers.Len())
	require.Zero(t, w.Stats().Pending)
	require.NoError(t, w.Close())
}

func Example() {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		panic(err)
	}
	expired := make(chan string)
	sessions := keyed.New(w, func(name string) { expired <- name })

	_ = sessions.Set("alice", time.Hour)
	_ = sessions.Set("alice", time.Millisecond) // the last one counts
	_ = sessions.Set("bob", time.Hour)
	fmt.Println(<-expired)
	fmt.Println(sessions.Delete("bob").Pending)
	fmt.Println(w.Close())
	// Output:
	// alice
	// true
	// <nil>
}

func ExampleTimers_Move() {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	sessions := keyed.New(w, func(string) {})
	fmt.Println(sessions.Move("alice", time.Hour)) // not pending: stays so
	_ = sessions.Set("alice", time.Minute)
	fmt.Println(sessions.Move("alice", time.Hour), sessions.Len())
	// Output:
	// false
	// true 1
}

func ExampleTimers_DeleteSync() {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	sessions := keyed.New(w, func(string) {})
	_ = sessions.Set("alice", time.Minute)
	_ = sessions.Set("bob", time.Minute)
	fmt.Println(sessions.DeleteSync("alice")) // waits for the function, if it runs
	for name := range sessions.All() {
		fmt.Println(name)
	}
	sessions.Clear()
	fmt.Println(sessions.Len())
	// Output:
	// {true false} <nil>
	// bob
	// 0
}

// The wheel calls OnNext while Timers holds no lock: OnNext may Advance the wheel and call everything.
func TestTheHostIsToldUnderNoLock(t *testing.T) {
	var w *timerwheel.Wheel
	var timers *keyed.Timers[int]
	told, fired := 0, 0
	start := time.Now()
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: start, OnNext: func(time.Time) {
		told++
		timers.Len()
		if told == 1 {
			_, err := w.Advance(start.Add(time.Second))
			assert.NoError(t, err)
		}
	}})
	require.NoError(t, err)
	timers = keyed.New(w, func(int) { fired++ })
	require.NoError(t, timers.Set(1, time.Millisecond))
	require.Equal(t, []int{1, 1}, []int{told, fired})
	require.NoError(t, timers.Set(1, time.Hour))
	_, ok := w.Next()
	require.True(t, ok)
	require.True(t, timers.Move(1, time.Minute))
	require.Equal(t, 3, told)
	require.NoError(t, w.Close())
}

// What the wheel's Close has dropped is no misuse of the user's.
func TestACallAfterCloseIsNoMisuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{Debug: true, OnMisuse: func(err error) { t.Error(err) }})
		require.NoError(t, err)
		timers := keyed.New(w, func(int) {})
		require.NoError(t, timers.Set(1, time.Hour))
		require.NoError(t, w.Close())
		require.ErrorIs(t, timers.Set(1, time.Hour), timerwheel.ErrClosed)
		require.False(t, timers.Move(1, time.Hour))
		synctest.Wait()
		require.Zero(t, w.Stats().Misuses)
	})
}

func TestAKeyThatIsNotEqualToItselfIsRejected(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	timers := keyed.New(w, func(float64) {})
	require.Panics(t, func() { _ = timers.Set(math.NaN(), time.Hour) })
	require.Zero(t, timers.Len())
}

// The wheel names the user's function in what it reports, and what is pending is yielded by All only.
func TestTheWheelKnowsTheFunction(t *testing.T) {
	for _, debug := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, err := timerwheel.New(timerwheel.Options{Debug: debug})
			require.NoError(t, err)
			end := make(chan struct{})
			timers := keyed.New(w, func(int) { <-end })
			require.NoError(t, timers.Set(1, 0))
			require.NoError(t, timers.Set(2, time.Hour))
			synctest.Wait()
			runs := w.Inspect().Runs
			require.Len(t, runs, 1)
			require.Contains(t, runs[0].Handler, "keyed_test.TestTheWheelKnowsTheFunction.")
			require.Empty(t, maps.Collect(w.Timers()))
			require.Len(t, maps.Collect(timers.All()), 1)
			go close(end)
			require.NoError(t, w.Close())
		})
	}
}
