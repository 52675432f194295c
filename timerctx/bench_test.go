package timerctx_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
)

// These benchmarks compare this package with package context, for the same work. Compare only
// within one run:
//
//	go test -run '^$' -bench . -benchmem ./timerctx

// withMakers runs f against package context and against this package, with a number of other
// timeouts pending.
func withMakers(b *testing.B, others int, f func(b *testing.B, m maker)) {
	for _, of := range []string{"context", "timerctx"} {
		b.Run(fmt.Sprintf("%s/others=%d", of, others), func(b *testing.B) {
			var m maker
			if of == "timerctx" {
				m.w = openWheel(b, timerwheel.Options{})
			}
			cancels := make([]context.CancelFunc, others)
			for i := range cancels {
				_, cancels[i] = m.timeout(context.Background(), time.Hour+rand.N(time.Hour), nil)
			}
			b.ReportAllocs()
			f(b, m)
			b.StopTimer()
			for _, cancel := range cancels {
				cancel()
			}
		})
	}
}

func others() []int { return []int{0, 100_000} }

// A context is made and cancelled, without a call of Done.
func BenchmarkMakeCancel(b *testing.B) {
	for _, n := range others() {
		withMakers(b, n, func(b *testing.B, m maker) {
			for b.Loop() {
				_, cancel := m.timeout(context.Background(), time.Minute, nil)
				cancel()
			}
		})
	}
}

// A request's timeout: below a context that can be cancelled, with a call of Done.
func BenchmarkMakeDoneCancel(b *testing.B) {
	for _, n := range others() {
		withMakers(b, n, func(b *testing.B, m maker) {
			parent, cancelParent := context.WithCancel(context.Background())
			defer cancelParent()
			for b.Loop() {
				ctx, cancel := m.timeout(parent, time.Minute, nil)
				ctx.Done()
				cancel()
			}
		})
	}
}

// A call's timeout below a request's, which is of the same kind, on all processors.
func BenchmarkNestedParallel(b *testing.B) {
	for _, n := range others() {
		withMakers(b, n, func(b *testing.B, m maker) {
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					request, cancelRequest := m.timeout(context.Background(), time.Minute, nil)
					call, cancelCall := m.timeout(request, time.Second, nil)
					call.Done()
					cancelCall()
					cancelRequest()
				}
			})
		})
	}
}

// One operation is ten thousand contexts that time out at once, from their deadline until the
// last one is done. Those of this package begin at the end of a tick, so up to two ticks
// later, which is 0.2 µs of each.
func BenchmarkFire(b *testing.B) {
	withMakers(b, 0, func(b *testing.B, m maker) {
		ctxs := make([]context.Context, 10_000)
		cancels := make([]context.CancelFunc, len(ctxs))
		for b.Loop() {
			b.StopTimer()
			at := time.Now().Add(100 * time.Millisecond)
			for i := range ctxs {
				ctxs[i], cancels[i] = m.deadline(context.Background(), at, nil)
				ctxs[i].Done()
			}
			time.Sleep(time.Until(at))
			b.StartTimer()
			for _, ctx := range ctxs {
				<-ctx.Done()
			}
			b.StopTimer()
			for _, cancel := range cancels {
				cancel()
			}
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N*len(ctxs)), "ns/timeout")
	})
}

// Err is the method called most often on a context that has not ended.
func BenchmarkErr(b *testing.B) {
	withMakers(b, 0, func(b *testing.B, m maker) {
		parent, cancelParent := context.WithCancel(context.Background())
		defer cancelParent()
		ctx, cancel := m.timeout(parent, time.Hour, nil)
		defer cancel()
		for b.Loop() {
			if ctx.Err() != nil {
				b.Fatal("ended")
			}
		}
	})
}

func BenchmarkAfterFunc(b *testing.B) {
	w := openWheel(b, timerwheel.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		_, stop := timerctx.AfterFunc(ctx, w, time.Minute, func() {})
		stop()
	}
}
