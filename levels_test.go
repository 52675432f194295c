package timerwheel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// bench is the levels with their timers and, beside them, the dumb truth: a
// slice of deadlines. A tick is 1 ns, so deadlines are ticks, unless a test
// says otherwise.
type levelsBench struct {
	t      testing.TB
	timers *slab[slot]
	levels levels
	truth  map[uint32]int64 // deadlines, ticks
	now    int64
}

func newLevelsBench(t testing.TB) *levelsBench {
	b := &levelsBench{t: t, timers: &slab[slot]{shift: 4}, truth: map[uint32]int64{}}
	b.levels = newLevels(1, b.timers)
	return b
}

func (b *levelsBench) insert(when int64) uint32 {
	i, _ := b.timers.alloc()
	s := b.timers.at(i)
	s.when = when
	b.truth[i] = when
	b.levels.catchUp(b.now)
	start := b.levels.insert(i, s)
	require.LessOrEqual(b.t, start, max(when, b.now), "insert(%d) at %d: looked at too late", when, b.now)
	return i
}

func (b *levelsBench) remove(i uint32) {
	b.levels.remove(i, b.timers.at(i))
	b.timers.free(i)
	delete(b.truth, i)
}

// later pushes a deadline back without moving the timer, as shard.arm does.
func (b *levelsBench) later(i uint32, when int64) {
	if when >= b.truth[i] {
		b.timers.at(i).when = when
		b.truth[i] = when
	}
}

// advance fires all that is due by now and compares that with the truth, tick
// by tick.
func (b *levelsBench) advance(now int64) {
	b.now = max(b.now, now)
	var want []int64
	for _, when := range b.truth {
		if when <= b.now {
			want = append(want, when)
		}
	}
	slices.Sort(want)
	var got []int64
	for more := true; more; {
		more = b.levels.expire(b.now, 7) // an odd budget, so that slots are left half empty
		for b.levels.tails[listDue] != 0 {
			i := b.levels.last(listDue)
			got = append(got, b.truth[i])
			b.remove(i)
			more = true
		}
		b.checkNext()
	}
	require.Equal(b.t, want, got, "advance(%d)", b.now)
}

// checkNext verifies that next is a lower bound, and empty only when all is.
func (b *levelsBench) checkNext() {
	start, _, ok := b.levels.next()
	require.Equal(b.t, len(b.truth) > 0, ok)
	for i, when := range b.truth {
		if start > max(when, b.levels.cur) {
			require.Fail(b.t, "next is too late", "%d, but timer %d is due at %d", start, i, when)
		}
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
	level := n >> 4 % numLevels
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

// levelsLimit is the latest tick that there is: never, in the shortest tick.
const levelsLimit = never/1000 + 1

// at returns the tick that is a distance made out of n away.
func (b *levelsBench) at(n uint64) int64 { return min(b.now+levelsDistance(n), levelsLimit) }

// run interprets a program: each step is an operation and its operand.
func (b *levelsBench) run(program []byte) {
	for len(program) >= 9 {
		op, n := program[0], binary.LittleEndian.Uint64(program[1:])
		program = program[9:]
		switch op % 5 {
		case 0, 1:
			b.insert(b.at(n))
		case 2:
			if i, ok := b.any(n); ok {
				b.remove(i)
			}
		case 3:
			if i, ok := b.any(n); ok {
				b.later(i, b.at(n>>3))
			}
		case 4:
			b.advance(min(b.at(n), levelsLimit-1)) // never does not come
		}
		b.checkNext()
	}
	for i, when := range b.truth {
		if when == levelsLimit {
			b.remove(i)
		}
	}
	b.advance(levelsLimit - 1)
	require.Empty(b.t, b.truth)
	require.Zero(b.t, b.levels.blocks.live, "blocks are left")
}

// The levels against a dumb oracle, for any program of operations.
func FuzzLevels(f *testing.F) {
	step := func(op byte, n uint64) []byte { return binary.LittleEndian.AppendUint64([]byte{op}, n) }
	for level := range uint64(numLevels) {
		var program []byte
		for edge := range uint64(3) { // 64^level - 1, 64^level, 64^level + 1
			program = append(program, step(0, level<<4|edge)...)
		}
		for edge := range uint64(3) {
			program = append(program, step(4, level<<4|edge)...)
		}
		f.Add(program)
	}
	f.Add(slices.Concat(step(0, 8<<4|3), step(3, math.MaxUint64), step(4, 8<<4), step(2, 0)))
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 9*2000 {
			t.Skip("the oracle is quadratic")
		}
		newLevelsBench(t).run(program)
	})
}

// A long random walk.
func TestLevelsAgainstOracle(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		program := make([]byte, 9*400)
		for k := range program {
			program[k] = byte(r.Uint32())
		}
		t.Logf("seed %d", seed)
		newLevelsBench(t).run(program)
	}
}

// Every distance at the edges of the levels, seen from many a now.
func TestLevelsFireAtTheirTick(t *testing.T) {
	for level := range numLevels {
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
		moved := 0
		for b.levels.tails[listDue] != 0 {
			b.remove(b.levels.last(listDue))
			moved++
		}
		require.LessOrEqual(t, moved, budget)
		due += moved
	}
	require.GreaterOrEqual(t, calls, 2*n/budget, "cascaded once and expired once each")
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
		require.Equal(t, c.want, l.tickOf(&slot{when: c.when, flags: c.f}), "%+v", c)
	}
}
