package timerwheel

import (
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// levelsBench is the levels, in the shard that uses them, and beside them the
// dumb truth: a map of deadlines. Both count in ticks, which are as short as
// they can be, so that never is as many of them as it can be. Register's own
// code places the timers (shard.arm), so its laziness is on the bench, too.
type levelsBench struct {
	t      testing.TB
	sh     *shard
	levels *levels
	truth  map[uint32]int64 // deadlines, ticks
	now    int64
}

func newLevelsBench(t testing.TB) *levelsBench {
	w, err := New(Options{Manual: true, Tick: minTick})
	require.NoError(t, err)
	sh := w.shards[0]
	return &levelsBench{t: t, sh: sh, levels: &sh.levels, truth: map[uint32]int64{}}
}

func (b *levelsBench) insert(when int64) {
	if b.sh.records.free == 0 {
		b.sh.initChunk(b.sh.records.grow(newChunk[record, [1 << chunkBits]record]()), new(values))
	}
	i, _ := b.sh.newTimer(func() {}, nil)
	b.arm(i, when)
}

// arm registers a timer, perhaps anew, perhaps for earlier.
func (b *levelsBench) arm(i uint32, when int64) {
	b.sh.arm(i, b.sh.records.at(i), b.sh.nanos(when), b.sh.nanos(b.now))
	b.truth[i] = max(when, b.now)
}

func (b *levelsBench) remove(i uint32) {
	s := b.sh.records.at(i)
	b.sh.disarm(i, s)
	b.sh.release(i, s)
	delete(b.truth, i)
}

// advance fires all that is due by now.
func (b *levelsBench) advance(now int64) {
	b.now = max(b.now, now)
	b.take(math.MaxInt)
	if when := b.first(); when <= b.now {
		require.Fail(b.t, "lost or late", "due at %d, now %d", when, b.now)
	}
}

// take fires what is due, but no more than n timers: what remains is pending,
// some of it out of its slot already. Each must be the first of all.
func (b *levelsBench) take(n int) {
	for ; n > 0 && b.findDue(); n-- {
		i := b.levels.last(listDue)
		if when := b.truth[i]; when > b.now || when != b.first() {
			require.Fail(b.t, "early, or out of turn", "due at %d, now %d; the first is due at %d", when, b.now, b.first())
		}
		b.remove(i)
	}
}

// findDue reports whether something is due. It looks with an odd budget, so
// that slots are left half empty in between.
func (b *levelsBench) findDue() bool {
	for more := true; more && b.levels.tails[listDue] == 0; {
		more = b.levels.expire(b.now, blockLen+7)
		b.check()
	}
	return b.levels.tails[listDue] != 0
}

// first returns the earliest deadline of all; one that there is not, if there
// is no timer.
func (b *levelsBench) first() int64 {
	first := int64(math.MaxInt64)
	for _, when := range b.truth {
		first = min(first, when)
	}
	return first
}

// check verifies that no timer will be looked at too late.
func (b *levelsBench) check() {
	if soonest, due := b.sh.nextWake(), b.sh.nanos(b.first()); soonest > due {
		require.Fail(b.t, "looked at too late", "at %d, but one is due at %d", soonest, due)
	}
	if checkInvariants {
		b.sh.check()
	}
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

// distance makes a duration out of n that is as likely near as far, and often
// on the edge of a level.
func levelsDistance(n uint64) int64 {
	level := n >> 4 % levelsEdges
	edge := int64(1) << (level * digitBits)
	switch n % 4 {
	case 0:
		return edge - 1
	case 1:
		return edge
	case 2:
		return edge + 1
	default:
		return int64(n >> 8 % uint64(edge*digits))
	}
}

// levelsEdges is the number of powers of 64 that are before levelsLimit.
const levelsEdges = 9

// levelsRotate makes a second number of n, for a move: the first has chosen the
// timer.
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
			b.advance(min(b.at(n), levelsLimit-1)) // never does not come
		case op == levelsTake:
			b.now = max(b.now, min(b.at(n), levelsLimit-1))
			b.take(int(n >> 60))
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

// drain goes from one soonest time to the next, as the wheel does. Each must be
// good for something: to fire a timer, or to bring one down a level.
func (b *levelsBench) drain() {
	for i, when := range b.truth {
		if when == levelsLimit {
			b.remove(i)
		}
	}
	steps := (2*numLevels + 1) * len(b.truth) // the half of it for those that were moved to later
	for ; len(b.truth) > 0; steps-- {
		require.Positive(b.t, steps, "looked at too often")
		b.advance(b.sh.nextWake() / b.levels.tick)
	}
	require.Equal(b.t, int64(never), b.sh.nextWake())
	require.Zero(b.t, b.levels.blocks.live, "blocks are left")
}

// The levels against a dumb oracle, for any program of operations. What its
// corpus is about stands in the names of its files.
func FuzzLevels(f *testing.F) {
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > levelsStep*2000 {
			t.Skip("the oracle is quadratic")
		}
		newLevelsBench(t).run(program)
	})
}

// The fuzzer begins with what matters: for each level timers at its edges, and
// steps onto them; steps of years, and timers that never come; timers that are
// moved to later and to earlier; and dues that are left half taken.
func TestCorpusOfFuzzLevels(t *testing.T) {
	const year = int64(365 * 24 * time.Hour / minTick)
	var used [levelsOps]map[int64]bool // by operation: the distances
	for op := range used {
		used[op] = map[int64]bool{}
	}
	for _, program := range Corpus(t, "FuzzLevels") {
		for op, n := range levelsSteps(program) {
			if op == levelsMove {
				n = levelsRotate(n)
			}
			used[op][levelsDistance(n)] = true
		}
	}
	for level := range levelsEdges {
		for off := range int64(3) {
			edge := int64(1)<<(level*digitBits) + off - 1
			for _, op := range []int{levelsInsert, levelsAdvance} {
				require.Contains(t, used[op], edge, "operation %d", op)
			}
		}
	}
	for _, d := range []int64{year - 1, year, year + 1, 100 * year} {
		require.Contains(t, used[levelsAdvance], d)
	}
	for _, op := range []int{levelsInsert, levelsMove, levelsAdvance, levelsTake} {
		require.Contains(t, used[op], int64(1<<(levelsEdges*digitBits)-1), "never, operation %d", op)
	}
	require.NotEmpty(t, used[levelsRemove])
	require.Contains(t, used[levelsMove], int64(0), "and to now")
}

// Corpus returns the seeds of a fuzz test, by their names.
func Corpus(t testing.TB, fuzz string) map[string][]byte {
	files, err := filepath.Glob("testdata/fuzz/" + fuzz + "/*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	corpus := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		seed, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "go test fuzz v1\n[]byte(")
		require.True(t, ok, file)
		program, err := strconv.Unquote(strings.TrimSuffix(seed, ")"))
		require.NoError(t, err, file)
		corpus[filepath.Base(file)] = []byte(program)
	}
	return corpus
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
				d := int64(1)<<(level*digitBits) + off
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

// A call of expire moves no more timers than its budget, however many there
// are in the slot, so that a critical section is short.
func TestLevelsExpireKeepsToItsBudget(t *testing.T) {
	b := newLevelsBench(t)
	const n, budget = 1000, 64
	for range n {
		b.insert(5000)
	}
	calls := 0
	for due := 0; due < n; calls++ {
		before := b.levels.tails[listDue]
		require.Zero(t, before)
		b.levels.expire(5000, budget)
		count, moved := b.levels.count(listDue), 0
		for b.levels.tails[listDue] != 0 {
			b.remove(b.levels.last(listDue))
			moved++
		}
		require.Equal(t, moved, count)
		require.LessOrEqual(t, moved, budget)
		due += moved
	}
	require.GreaterOrEqual(t, calls, 2*n/budget, "cascaded once and expired once each")
}

// What is due at once becomes due in pieces, and what was registered anew for later, in
// the slot where it stood, moves on, even if that is all.
func TestLevelsRipenInPieces(t *testing.T) {
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

// Few timers, all of one tick, fire in the order of their registration, however far away
// that tick is. Nobody is promised that.
func TestLevelsFireInTheOrderOfTheirRegistration(t *testing.T) {
	for _, d := range []int64{0, 1, 63, 64, 100, 5000, 1 << 40} {
		b := newLevelsBench(t)
		var want, got []uint32
		for k := range uint32(5) {
			b.insert(d)
			want = append(want, k)
		}
		for b.now = d; b.findDue(); {
			i := b.levels.last(listDue)
			got = append(got, i)
			b.remove(i)
		}
		require.Equal(t, want, got, "%d ticks away", d)
	}
}

// What is due within the lowest level is looked at at its tick, once; what is farther away
// when that level comes to it.
func TestLevelsLookAtWhatIsNearAtItsTick(t *testing.T) {
	for tick, looked := range map[int64]int64{1: 1, 63: 63, 64: 64, 100: 100, lowest - 1: lowest - 1, lowest + 5: lowest, 3*lowest - 1: 2 * lowest} {
		b := newLevelsBench(t)
		b.insert(tick)
		start, _, ok := b.levels.next()
		require.True(t, ok)
		require.Equal(t, looked, start, "due at %d", tick)
	}
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

// A timer registered after a quiet time stands where it belongs as seen from
// now, so that it is looked at once, when it is due.
func TestLevelsCatchUpAfterQuietTime(t *testing.T) {
	b := newLevelsBench(t)
	b.insert(1 << 40)
	b.now = 1<<30 - 1 // nobody has advanced
	b.insert(b.now + 10)
	start, level, _ := b.levels.next()
	require.Equal(t, b.now+10-start, int64(b.now+10)&63, "start of its slot at most one digit before")
	require.LessOrEqual(t, level, uint(5))
	b.advance(b.now + 9)
	require.Len(t, b.truth, 2)
	b.advance(b.now + 1)
	require.Len(t, b.truth, 1)
}

// A deadline in ns is rounded up to a tick, but for one that was due at once.
func TestLevelsTickOf(t *testing.T) {
	l := newLevels(1000, nil)
	for _, c := range []struct {
		when int64
		f    flags
		want int64
	}{
		{0, 0, 0}, {1, 0, 1}, {999, 0, 1}, {1000, 0, 1}, {1001, 0, 2},
		{999, prompt, 0}, {1000, prompt, 1}, {1999, prompt, 1},
		{never, 0, never/1000 + 1},
	} {
		require.Equal(t, c.want, l.tickOf(&record{when: c.when, flags: c.f}), "%+v", c)
	}
}
