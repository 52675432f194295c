package timerctx_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// A context takes no more allocations than given here, also relative to package context.
func TestAllocations(t *testing.T) {
	std := maker{}
	ours := maker{openWheel(t, timerwheel.Options{})}
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	wheel, cancel := ours.timeout(context.Background(), 24*time.Hour, nil)
	defer cancel()

	for _, c := range []struct {
		name   string
		parent context.Context
		use    func(ctx context.Context)
		most   float64 // allocations of this package
		more   float64 // allocations beyond those of package context
	}{
		{"Background", context.Background(), func(context.Context) {}, 3, -1},
		{"Background, Err", context.Background(), func(ctx context.Context) { _ = ctx.Err() }, 3, -1},
		{"Background, Done", context.Background(), func(ctx context.Context) { ctx.Done() }, 8, 3},
		{"Background, a child", context.Background(), func(ctx context.Context) {
			_, cancel := context.WithCancel(ctx)
			cancel()
		}, 12, 3},
		{"WithCancel", parent, func(context.Context) {}, 6, 2},
		{"WithCancel, Done", parent, func(ctx context.Context) { ctx.Done() }, 11, 6},
		{"ours", wheel, func(context.Context) {}, 3, -1},
		{"ours, Done", wheel, func(ctx context.Context) { ctx.Done() }, 8, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			allocs := func(m maker) float64 {
				return testing.AllocsPerRun(1000, func() {
					ctx, cancel := m.timeout(c.parent, time.Hour, nil)
					c.use(ctx)
					cancel()
				})
			}
			theirs, here := allocs(std), allocs(ours)
			t.Logf("%v allocations, package context's %v", here, theirs)
			require.LessOrEqual(t, here, c.most)
			require.LessOrEqual(t, here, theirs+c.more)
		})
	}
}
