package slab

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Pages hold what was pushed and not popped, in its order, at any length; and keep
// nothing of what was popped.
func TestPagesAreAList(t *testing.T) {
	var p Pages[*int]
	var want []*int
	for _, peak := range []int{1, pageLen, pageLen + 1, 100 * pageLen, 3} {
		for len(want) < peak {
			v := new(int)
			p.Push(v)
			want = append(want, v)
		}
		for k := range want {
			require.Same(t, want[k], *p.At(uint32(k)))
		}
		for rest := rand.N(2 * pageLen); len(want) > rest; {
			last := len(want) - 1
			require.Same(t, want[last], *p.At(uint32(last)))
			p.Pop()
			want = want[:last]
		}
		require.Equal(t, len(want), p.n)
		for k := p.n; k < p.room; k++ {
			require.Nil(t, *p.At(uint32(k)))
		}
		require.LessOrEqual(t, len(p.pages), len(want)/pageLen+2, "empty pages")
	}
}

// To push to pages and to pop from them never moves what they hold.
func TestPagesDoNotMove(t *testing.T) {
	var p Pages[int]
	for range pageLen {
		p.Push(0)
	}
	for k := range 1000 * pageLen { // the first page is full
		at := p.At(uint32(rand.N(p.n)))
		*at = k
		n := p.n
		p.Push(0)
		require.Equal(t, 1, p.n-n)
		require.Equal(t, k, *at)
		require.LessOrEqual(t, cap(p.pages[len(p.pages)-1]), pageLen)
	}
	first := p.At(0)
	for p.n > 1 {
		p.Pop()
		require.Same(t, first, p.At(0))
	}
	require.Less(t, p.Bytes(), int64(4*pageLen*8), "a peak is over")
}

// What comes and goes where a page begins makes no page anew each time.
func TestPagesKeepOneForTheNext(t *testing.T) {
	var p Pages[int]
	for range 3 * pageLen {
		p.Push(0)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		p.Push(0)
		p.Pop()
		p.Pop()
		p.Push(0)
	}))
}
