package levels

import (
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed76848005/timerwheel/internal/corpus"
)

// levelsBench is the levels, and beside them the plain truth: a map of deadlines. Both count
// in ticks, which are as short as Options allow, so that never is as many of them as it can
// be. It moves timers as a shard does (shard.arm), so that the laziness of moves to a later
// time is tested, too.
type levelsBench struct {
	t       testing.TB
	records Records
	levels  Levels
	truth   map[uint32]int64 // deadlines, ticks
	now     int64
	steps   int

	registered []uint32 // by insert, in their order
	ahead      int      // timers that were moved down ahead of their time
}

const (
	never   = math.MaxInt64
	minTick = time.Microsecond
)

func newLevelsBench(t testing.TB) *levelsBench {
	b := &levelsBench{t: t, truth: map[uint32]int64{}}
	b.levels = New(int64(minTick), &b.records)
	return b
}

// nanos returns the time at which a tick begins.
func nanos(tick int64) int64 {
	if tick > never/int64(minTick) {
		return never
	}
	return tick * int64(minTick)
}

func (b *levelsBench) insert(when int64) {
	if b.records.Free() == 0 {
		b.records.Grow(NewChunk())
	}
	i := b.records.Alloc()
	b.registered = append(b.registered, i)
	b.arm(i, when)
}

// arm registers a timer, perhaps anew, perhaps for earlier.
func (b *levelsBench) arm(i uint32, when int64) {
	r, ns, now := b.records.At(i), nanos(when), nanos(b.now)
	_, pending := b.truth[i]
	b.truth[i] = max(when, b.now)
	switch {
	case pending && ns > now && r.CanStay(ns):
		r.When, r.Flags = ns, r.Flags&^Prompt
		return
	case pending:
		b.levels.Remove(i, r)
	}
	r.When, r.Flags = ns, 0
	if ns <= now {
		r.Flags = Prompt
	}
	b.levels.CatchUp(now)
	b.levels.Insert(i, r)
}

func (b *levelsBench) remove(i uint32) {
	b.levels.Remove(i, b.records.At(i))
	b.records.Release(i)
	delete(b.truth, i)
}

// nextWake returns the time at which the levels must be looked at next, as a shard does.
func (b *levelsBench) nextWake() int64 {
	if !b.levels.Empty(Due) {
		return 0
	}
	tick, ok := b.levels.Next()
	if !ok {
		return never
	}
	return nanos(tick)
}

// advance fires all that is due by now.
func (b *levelsBench) advance(now int64) {
	b.now = max(b.now, now)
	b.take(math.MaxInt)
	if when := b.first(); when <= b.now {
		require.Fail(b.t, "lost or late", "due at %d, now %d", when, b.now)
	}
}

// take fires what is due, but no more than n timers: the rest remains pending, some of it out
// of its bucket already. Each timer must be the first of all.
func (b *levelsBench) take(n int) {
	for ; n > 0 && b.findDue(); n-- {
		i := b.levels.Last(Due)
		if when := b.truth[i]; when > b.now || when != b.first() {
			require.Fail(b.t, "early, or out of order", "due at %d, now %d; the first is due at %d", when, b.now, b.first())
		}
		b.remove(i)
	}
}

// findDue reports whether something is due. It looks with an odd budget, so that buckets are
// left half empty in between.
func (b *levelsBench) findDue() bool {
	for more := true; more && b.levels.Empty(Due); {
		more = b.levels.Expire(b.now, blockLen+7)
		b.check()
	}
	return !b.levels.Empty(Due)
}

// moveAhead moves up to n blocks of timers down ahead of their time.
func (b *levelsBench) moveAhead(n int) {
	list := bucketList(1, (b.levels.cur>>LowBits+1)<<LowBits)
	for ; n > 0 && b.levels.Empty(Due); n-- {
		before := b.levels.Count(list)
		b.levels.MoveAhead(1, blockLen)
		b.ahead += before - b.levels.Count(list)
		b.check()
	}
}

// first returns the earliest deadline of all; MaxInt64, if there is no timer.
func (b *levelsBench) first() int64 {
	first := int64(math.MaxInt64)
	for _, when := range b.truth {
		first = min(first, when)
	}
	return first
}

// check verifies that no timer will be looked at too late.
func (b *levelsBench) check() {
	if soonest, due := b.nextWake(), nanos(b.first()); soonest > due {
		require.Fail(b.t, "looked at too late", "at %d, but one is due at %d", soonest, due)
	}
	if b.steps++; b.steps%16 == 0 {
		b.checkLists()
	}
}

// checkLists verifies the levels themselves.
func (b *levelsBench) checkLists() {
	n, err := b.levels.Check(func(i uint32, _ *Record) bool { _, ok := b.truth[i]; return ok })
	require.NoError(b.t, err)
	require.Equal(b.t, len(b.truth), n, "timers in lists")
}

// any returns one of the timers, chosen by n.
func (b *levelsBench) any(n uint64) (uint32, bool) {
	if len(b.truth) == 0 {
		return 0, false
	}
	all := make([]uint32, 0, len(b.truth))
	for i := range b.truth {
		all = append(all, i)
	}
	slices.Sort(all)
	return all[n%uint64(len(all))], true
}

// levelsDistance makes a duration out of n that is as likely short as long, and often on the
// edge of a level.
func levelsDistance(n uint64) int64 {
	level := n >> 4 % levelsEdges
	edge := int64(1) << (level * DigitBits)
	switch n % 4 {
	case 0:
		return edge - 1
	case 1:
		return edge
	case 2:
		return edge + 1
	default:
		return int64(n >> 8 % uint64(edge*Digits))
	}
}

// levelsEdges is the number of powers of 64 that are before levelsLimit.
const levelsEdges = 9

// levelsRotate makes a second number of n, for a move: the first has chosen the timer.
func levelsRotate(n uint64) uint64 { return bits.RotateLeft64(n, -3) }

// levelsLimit is the latest tick that there is: never, in the shortest tick.
const levelsLimit = never/int64(minTick) + 1

// at returns the tick that is a distance made out of n away.
func (b *levelsBench) at(n uint64) int64 { return min(b.now+levelsDistance(n), levelsLimit) }

// A program is steps of nine bytes: an operation and its operand.
const (
	levelsInsert      = iota
	levelsInsertAgain // twice as likely
	levelsRemove
	levelsMove
	levelsAdvance
	levelsTake
	levelsOps

	levelsStep = 9
)

func levelsSteps(program []byte) iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		for step := range slices.Chunk(program, levelsStep) {
			if len(step) < levelsStep || !yield(int(step[0]%levelsOps), binary.LittleEndian.Uint64(step[1:])) {
				return
			}
		}
	}
}

// run interprets a program, and then runs dry.
func (b *levelsBench) run(program []byte) {
	for op, n := range levelsSteps(program) {
		i, ok := b.any(n)
		switch {
		case op <= levelsInsertAgain:
			b.insert(b.at(n))
		case op == levelsAdvance:
			b.advance(min(b.at(n), levelsLimit-1)) // never is never reached
		case op == levelsTake:
			b.now = max(b.now, min(b.at(n), levelsLimit-1))
			b.take(int(n >> 60))
			b.moveAhead(int(n >> 57 % 8))
		case !ok:
		case op == levelsRemove:
			b.remove(i)
		case op == levelsMove:
			b.arm(i, b.at(levelsRotate(n)))
		}
		b.check()
	}
	b.drain()
}

// drain goes from one wake-up to the next, as the wheel does. Each must do something: fire a
// timer, or bring one down a level.
func (b *levelsBench) drain() {
	for i, when := range b.truth {
		if when == levelsLimit {
			b.remove(i)
		}
	}
	steps := (2*NumLevels + 1) * len(b.truth) // half of it for timers that were moved to later
	for ; len(b.truth) > 0; steps-- {
		require.Positive(b.t, steps, "looked at too often")
		b.advance(b.nextWake() / b.levels.tick)
	}
	require.Equal(b.t, int64(never), b.nextWake())
	b.checkLists()
	require.Zero(b.t, b.levels.blocks.Live(), "blocks are left")
}

// The levels against a plain oracle, for any program of operations. The names of the files of
// its corpus say what they are about.
func FuzzLevels(f *testing.F) {
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > levelsStep*2000 {
			t.Skip("the oracle is quadratic")
		}
		newLevelsBench(t).run(program)
	})
}

// The fuzzer begins with the cases that matter: for each level timers at its edges, and steps
// onto them; steps of years, and timers that never fire; timers that are moved to later and to
// earlier; and due timers of which some are left.
func TestCorpusOfFuzzLevels(t *testing.T) {
	const year = int64(365 * 24 * time.Hour / minTick)
	var used [levelsOps]map[int64]bool // by operation: the distances
	for op := range used {
		used[op] = map[int64]bool{}
	}
	for _, program := range corpus.Seeds(t, "FuzzLevels") {
		for op, n := range levelsSteps(program) {
			if op == levelsMove {
				n = levelsRotate(n)
			}
			used[op][levelsDistance(n)] = true
		}
	}
	for level := range levelsEdges {
		for off := range int64(3) {
			edge := int64(1)<<(level*DigitBits) + off - 1
			for _, op := range []int{levelsInsert, levelsAdvance} {
				require.Contains(t, used[op], edge, "operation %d", op)
			}
		}
	}
	for _, d := range []int64{year - 1, year, year + 1, 100 * year} {
		require.Contains(t, used[levelsAdvance], d)
	}
	for _, op := range []int{levelsInsert, levelsMove, levelsAdvance, levelsTake} {
		require.Contains(t, used[op], int64(1<<(levelsEdges*DigitBits)-1), "never, operation %d", op)
	}
	require.NotEmpty(t, used[levelsRemove])
	require.Contains(t, used[levelsMove], int64(0), "and to now")
}

// A long random walk.
func TestLevelsAgainstOracle(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		program := make([]byte, levelsStep*400)
		for k := range program {
			program[k] = byte(r.Uint32())
		}
		t.Logf("seed %d", seed)
		newLevelsBench(t).run(program)
	}
}

// Every distance at the edges of the levels, seen from many a now.
func TestLevelsFireAtTheirTick(t *testing.T) {
	for level := range levelsEdges {
		for _, off := range []int64{-1, 0, 1} {
			for _, from := range []int64{0, 1, 62, 63, 64, 4095, 4096, 1<<18 - 1, 1<<30 + 7} {
				d := int64(1)<<(level*DigitBits) + off
				b := newLevelsBench(t)
				b.advance(from)
				b.insert(from + d)
				b.advance(from + d - 1)
				require.Equal(t, d > 0, len(b.truth) == 1, "%d from %d: early", d, from)
				b.advance(from + d)
				require.Empty(t, b.truth, "%d from %d: late", d, from)
			}
		}
	}
}

// A call of Expire moves no more timers than its budget, however many are in the bucket, so
// that a critical section is short.
func TestLevelsExpireKeepsToItsBudget(t *testing.T) {
	b := newLevelsBench(t)
	const n, budget = 1000, 64
	for range n {
		b.insert(5000)
	}
	calls := 0
	for due := 0; due < n; calls++ {
		require.True(t, b.levels.Empty(Due))
		b.levels.Expire(5000, budget)
		count, moved := b.levels.Count(Due), 0
		for !b.levels.Empty(Due) {
			b.remove(b.levels.Last(Due))
			moved++
		}
		require.Equal(t, moved, count)
		require.LessOrEqual(t, moved, budget)
		due += moved
	}
	require.GreaterOrEqual(t, calls, 2*n/budget, "cascaded once and expired once each")
}

// The timers of a bucket become due in pieces. Timers that were registered anew for later move
// on, even if that is all of them.
func TestLevelsExpireABucketInPieces(t *testing.T) {
	for _, later := range []int{1, 2, 3, 1000} { // every timer, every other one, ...
		b := newLevelsBench(t)
		for range 500 {
			b.insert(50)
		}
		for i := range maps.Keys(maps.Clone(b.truth)) {
			if int(i)%later == 0 {
				b.arm(i, 50+int64(i)%7)
			}
		}
		for now := range int64(60) {
			b.advance(now)
		}
		require.Empty(t, b.truth)
	}
}

// The timers of one tick fire in the order of their registration, however many they are, and
// however far away that tick is.
func TestLevelsFireInTheOrderOfTheirRegistration(t *testing.T) {
	for _, d := range []int64{0, 1, 63, 64, 100, 5000, 300_000, 1 << 40} {
		for _, n := range []int{1, blockLen, blockLen + 1, 2 * blockLen, 2*blockLen + 1, 3000} {
			b := newLevelsBench(t)
			for range n {
				b.insert(d)
			}
			b.now = d
			require.Equal(t, b.registered, b.fire(n), "%d timers, %d ticks away", n, d)
		}
	}
}

// fire takes up to n due timers, with the budget that a shard has, and returns them.
func (b *levelsBench) fire(n int) (fired []uint32) {
	for len(fired) < n {
		for more := true; more && b.levels.Empty(Due); {
			more = b.levels.Expire(b.now, 64)
		}
		if b.levels.Empty(Due) {
			break
		}
		i := b.levels.Last(Due)
		b.levels.Remove(i, b.records.At(i)) // the record is not used again: its number says when it was registered
		delete(b.truth, i)
		fired = append(fired, i)
	}
	return fired
}

// A long random walk against simple lists, one for each tick: registrations for few ticks, near
// and far, some of them while a bucket is half emptied, and firings in between. The lists hold
// the numbers of timers, which are those of their registrations.
func TestLevelsAgainstSimpleLists(t *testing.T) {
	halfEmptied, ahead := 0, 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		b, lists := newLevelsBench(t), map[int64][]uint32{}
		fire := func(n int) {
			for _, i := range b.fire(n) {
				first := slices.Min(slices.Collect(maps.Keys(lists)))
				require.Equal(t, lists[first][0], i, "seed %d: due at %d, now %d", seed, first, b.now)
				if lists[first] = lists[first][1:]; len(lists[first]) == 0 {
					delete(lists, first)
				}
			}
		}
		ticks := []int64{4096, 4097, 4160, 5000, 8192, 12_000, 1 << 18, 1<<18 + 1, 1<<18 + 5000, 1 << 19}
		register := func() {
			tick := b.now
			if later := slices.DeleteFunc(slices.Clone(ticks), func(tick int64) bool { return tick < b.now }); len(later) > 0 && r.IntN(4) > 0 {
				tick = later[r.IntN(min(4, len(later)))]
			}
			for range 1 + r.IntN(100) {
				i := uint32(len(b.registered))
				b.insert(tick)
				lists[tick] = append(lists[tick], i)
				if l := &b.levels; l.Cascading() && l.ListOf(b.records.At(i)) == bucketList(uint(l.cascading), l.cur) {
					halfEmptied++
				}
			}
		}
		for range 200 {
			switch r.IntN(5) {
			case 0, 1:
				register()
			case 2:
				b.now += r.Int64N(1 << r.IntN(14))
				b.levels.Expire(b.now, blockLen+r.IntN(2*blockLen))
			case 3:
				fire(r.IntN(200))
			case 4:
				b.moveAhead(r.IntN(8))
			}
			b.check()
		}
		b.now = 1 << 20
		fire(math.MaxInt)
		require.Empty(t, lists)
		ahead += b.ahead
	}
	require.NotZero(t, halfEmptied, "nothing was registered into a bucket that was half emptied")
	require.NotZero(t, ahead, "nothing was moved down ahead of its time")
}

// A bucket of level 1 that holds enough timers is moved down ahead of its time, a few timers at a time.
// Next then returns the first of their deadlines. Timers that are registered later are not lost.
func TestMoveAheadEmptiesTheNextBucket(t *testing.T) {
	const n = 10 * blockLen
	for _, from := range []int64{0, 5, 3*Lowest + 7, 62*Lowest + 1, 64*Lowest + 1} {
		b := newLevelsBench(t)
		b.advance(from)
		next := (from>>LowBits + 1) << LowBits
		list := bucketList(1, next)
		b.insert(next + 2*Lowest) // in another bucket
		for k := range int64(n) {
			b.insert(next + 3 + k%100)
		}
		for k := range uint32(blockLen / 2) {
			b.arm(b.registered[1+2*k], next+Lowest+1) // it stays in this bucket
		}
		b.levels.MoveAhead(n+1, n)
		require.Equal(t, n, b.levels.Count(list), "it is not worth it")
		b.levels.MoveAhead(n, 2*blockLen+1)
		require.Equal(t, n-2*blockLen, b.levels.Count(list), "more or less than the budget")
		b.checkLists()
		soonest, ok := b.levels.Next()
		require.True(t, ok)
		require.Equal(t, next, soonest, "something is left in the bucket")
		for b.levels.Count(list) > 0 {
			b.levels.MoveAhead(1, blockLen)
		}
		soonest, ok = b.levels.Next()
		require.True(t, ok)
		require.Equal(t, next+3, soonest)
		b.insert(next + 1)
		b.insert(from + 2)
		for tick := from; tick < next+110; tick++ {
			b.advance(tick)
		}
		require.Len(t, b.truth, 1+blockLen/2)
	}
}

// MoveAhead moves nothing of a bucket that comes after one of a higher level: that may hold timers of it.
func TestMoveAheadStaysInItsLevel(t *testing.T) {
	for _, edge := range []int64{Digits * Lowest, 1 << 24} {
		b := newLevelsBench(t)
		b.advance(edge - 10)
		for range 2 * blockLen {
			b.insert(edge + 1)
		}
		b.moveAhead(3)
		require.Zero(t, b.ahead)
		b.advance(edge)
		require.Len(t, b.truth, 2*blockLen)
		b.advance(edge + 1)
		require.Empty(t, b.truth)
	}
}

// An idle timer that follows the ticks of the lowest level waits on a higher level, if a bucket of that
// comes first.
func TestAnIdleTimerStaysBehindABucketOfAHigherLevel(t *testing.T) {
	b := newLevelsBench(t)
	b.insert(Digits*Lowest + 1)
	b.levels.CatchUp(nanos(Digits*Lowest - 10))
	_, start := b.idle(Digits*Lowest + 9)
	require.Equal(t, int64(Digits*Lowest), start)
	soonest, ok := b.levels.Next()
	require.True(t, ok)
	require.Equal(t, int64(Digits*Lowest), soonest)
}

// Timers whose deadlines may have been put off go to the list Due, a block's at a time.
func TestMoveAheadSendsOpenTimersToDue(t *testing.T) {
	b := newLevelsBench(t)
	for range 3 * blockLen {
		_, start := b.idle(2*Lowest + 9)
		require.Equal(t, int64(2*Lowest), start)
	}
	b.levels.CatchUp(nanos(2*Lowest - 1))
	require.False(t, b.levels.Expire(2*Lowest-1, 64))
	_, start := b.idle(2*Lowest + 9)
	require.Equal(t, int64(2*Lowest+9), start, "it need not wait on level 1")
	for left := 3 * blockLen; left > 0; left -= blockLen {
		b.levels.MoveAhead(1, 10*blockLen)
		require.Equal(t, blockLen, b.levels.Count(Due))
		require.Equal(t, left-blockLen, b.levels.Count(bucketList(1, 2*Lowest)))
		for !b.levels.Empty(Due) {
			i := b.levels.Last(Due)
			require.False(t, b.levels.DueNow(b.records.At(i)))
			b.levels.Remove(i, b.records.At(i))
		}
	}
}

// A removal changes the place of one other timer at most, and so does a move, which makes the
// timer the last of its new tick.
func TestARemovalChangesThePlaceOfOneOther(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := newLevelsBench(t)
		for range 1000 {
			b.insert(5000)
		}
		place := make([]int, 1000, 1200) // by number: when it was registered last
		for i := range place {
			place[i] = i
		}
		changes := r.IntN(100)
		for k := range changes {
			i, _ := b.any(r.Uint64())
			b.levels.Remove(i, b.records.At(i))
			if k%2 == 0 {
				delete(b.truth, i)
				continue
			}
			b.levels.Insert(i, b.records.At(i))
			place[i] = len(place) + k
		}
		b.now = 5000
		var places []int
		for _, i := range b.fire(1000) {
			places = append(places, place[i])
		}
		require.Len(t, places, len(b.registered)-(changes+1)/2)
		require.LessOrEqual(t, len(places)-longestAscent(places), changes, "seed %d", seed)
	}
}

// longestAscent returns the most numbers, of some in a row, that ascend if the others are left out.
func longestAscent(numbers []int) int {
	var ends []int // by length: the least number that an ascent of that length ends with
	for _, n := range numbers {
		k, _ := slices.BinarySearch(ends, n)
		ends = append(ends[:k], append([]int{n}, ends[min(k+1, len(ends)):]...)...)
	}
	return len(ends)
}

// What is due within the Lowest level is looked at at its tick, once; what is farther away
// when that level comes to it.
func TestLevelsLookAtWhatIsNearAtItsTick(t *testing.T) {
	for tick, looked := range map[int64]int64{1: 1, 63: 63, 64: 64, 100: 100, Lowest - 1: Lowest - 1, Lowest + 5: Lowest, 3*Lowest - 1: 2 * Lowest} {
		b := newLevelsBench(t)
		b.insert(tick)
		start, _, ok := b.levels.next()
		require.True(t, ok)
		require.Equal(t, looked, start, "due at %d", tick)
	}
}

// idle puts an idle timer where it is looked at at a tick or before; its deadline is far behind that.
func (b *levelsBench) idle(tick int64) (i uint32, start int64) {
	if b.records.Free() == 0 {
		b.records.Grow(NewChunk())
	}
	i = b.records.Alloc()
	r := b.records.At(i)
	r.When, r.Flags = nanos(20*tick), Open
	return i, b.levels.InsertAt(i, r, tick)
}

// Promise 14: an idle timer goes to the list Due when its bucket is emptied, on any level, due or not.
func TestLevelsSendIdleTimersToDue(t *testing.T) {
	for _, tick := range []int64{1, Digits, Lowest - 1, Lowest, Lowest + 1, 10 * Lowest, 1 << 20, 1 << 40} {
		b := newLevelsBench(t)
		i, start := b.idle(tick)
		require.LessOrEqual(t, start, tick)
		require.Greater(t, start, tick/2, "it is looked at not much earlier")
		b.levels.Expire(start-1, 64)
		require.True(t, b.levels.Empty(Due))
		b.levels.Expire(start, 64)
		require.Equal(t, Due, b.levels.ListOf(b.records.At(i)))
		require.False(t, b.levels.DueNow(b.records.At(i)))
	}
}

// Promise 14: a look moves the timer out of the bucket that is being emptied, though others that belong
// into that go to its end: otherwise looks had no end. Nor is it looked at in the same tick again.
func TestALookLeavesTheBucketThatIsBeingEmptied(t *testing.T) {
	b := newLevelsBench(t)
	i, start := b.idle(3*Lowest - 1)
	for range 10 * blockLen {
		b.insert(start + 10)
	}
	r := b.records.At(i)
	b.levels.Expire(start, blockLen)
	require.Equal(t, Due, b.levels.ListOf(r))
	require.True(t, b.levels.Cascading())
	b.levels.Remove(i, r)
	require.Equal(t, start+1, b.levels.LookTick(r, nanos(start)), "not now again")
	require.Equal(t, start+9, b.levels.LookTick(r, nanos(start+9)))
	require.Equal(t, 20*(3*int64(Lowest)-1), b.levels.LookTick(r, never), "at its deadline at the latest")
	require.Equal(t, start+9, b.levels.InsertAt(i, r, start+9))
	for b.levels.Expire(start+8, 64) {
		require.True(t, b.levels.Empty(Due))
	}
	require.True(t, b.levels.Empty(Due))
}

// To count a bucket's timers looks at its first and its last block only, however many timers
// there are: what Inspect does of a million costs what it does of one.
func TestCountWalksNoList(t *testing.T) {
	b := newLevelsBench(t)
	const blocks = 100
	for range blocks*blockLen - 1 {
		b.insert(50)
	}
	last := b.levels.blocks.At(b.levels.tails[50] - 1)
	first := b.levels.blocks.At(last.next - 1)
	next, prev := first.next, last.prev
	require.NotZero(t, prev)
	first.next, last.prev = 0, 0 // the rest of the list is out of reach
	require.Equal(t, blocks*blockLen-1, b.levels.Count(50))
	first.next, last.prev = next, prev
}

// Reached visits each bucket that begins by then, on each level, and no other.
func TestReachedIsWhatBeginsByThen(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	at := func(bits int64) int64 { // often at the edge of a word
		return random.Int64N(1<<bits) &^ (random.Int64N(2) * (Digits - 1))
	}
	b := newLevelsBench(t)
	for range 3000 {
		b.insert(at(2 + random.Int64N(40)))
	}
	for step := range int64(40) {
		b.moveAhead(3)
		limit := b.now + at(step)
		want := map[uint32]bool{}
		for level := range uint(NumLevels) {
			words := uint(1)
			if level == 0 {
				words = LowWords
			}
			for word := range words {
				for start := range b.levels.Buckets(level, word) {
					for block := range b.levels.All(bucketList(level, start)) {
						for _, i := range block {
							if start <= limit {
								want[i] = true
							}
						}
					}
				}
			}
		}
		seen := map[uint32]bool{}
		for block := range b.levels.Reached(limit) {
			for _, i := range block {
				seen[i] = true
			}
		}
		require.Equal(t, want, seen, "by tick %d, at %d", limit, b.now)
		for i, when := range b.truth {
			require.Falsef(t, when <= limit && !seen[i], "tick %d, by tick %d", when, limit)
		}
		b.advance(b.now + random.Int64N(1<<(step/2+1)))
	}
	require.Positive(t, b.ahead)
}

// A huge step costs its timers, not its ticks: this would take centuries.
func TestLevelsHugeStep(t *testing.T) {
	b := newLevelsBench(t)
	for k := range 50 {
		b.insert(int64(k+1) << 47)
	}
	b.advance(1<<53 - 1)
	require.Empty(t, b.truth)
}

// A timer registered after a quiet time stands where it belongs as seen from now, so that it
// is looked at once, when it is due.
func TestLevelsCatchUpAfterQuietTime(t *testing.T) {
	b := newLevelsBench(t)
	b.insert(1 << 40)
	b.now = 1<<30 - 1 // without an advance
	b.insert(b.now + 10)
	start, level, _ := b.levels.next()
	require.Equal(t, b.now+10-start, int64(b.now+10)&63, "start of its bucket at most one digit before")
	require.LessOrEqual(t, level, uint(5))
	b.advance(b.now + 9)
	require.Len(t, b.truth, 2)
	b.advance(b.now + 1)
	require.Len(t, b.truth, 1)
}

// A deadline in ns is rounded up to a tick, unless it was due at once.
func TestLevelsTickOf(t *testing.T) {
	l := New(1000, nil)
	for _, c := range []struct {
		when int64
		f    Flags
		want int64
	}{
		{0, 0, 0}, {1, 0, 1}, {999, 0, 1}, {1000, 0, 1}, {1001, 0, 2},
		{999, Prompt, 0}, {1000, Prompt, 1}, {1999, Prompt, 1},
		{never, 0, never/1000 + 1},
	} {
		require.Equal(t, c.want, l.tickOf(&Record{When: c.when, Flags: c.f}), "%+v", c)
	}
}

// Coarsest returns a time in between, of the begins of ticks the one whose number has the most
// zeros at its end.
func TestCoarsestIsTheRoundestTickInBetween(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		tick := 1 + rng.Int64N(1000)
		l := New(tick, nil)
		from := 1 + rng.Int64N(1<<(1+rng.IntN(20)))
		to := from + rng.Int64N(100*tick)
		want, zeros := from, -1
		for k := (from + tick - 1) / tick; k*tick <= to; k++ {
			if n := bits.TrailingZeros64(uint64(k)); n > zeros {
				want, zeros = k*tick, n
			}
		}
		require.Equal(t, want, l.Coarsest(from, to), "%d to %d, tick %d", from, to, tick)
	}
	far := New(7, nil)
	require.GreaterOrEqual(t, far.Coarsest(math.MaxInt64, math.MaxInt64), int64(math.MaxInt64))
	require.GreaterOrEqual(t, far.Coarsest(math.MaxInt64-100, math.MaxInt64), int64(math.MaxInt64-100))
}
