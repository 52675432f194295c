package timerctx_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
	"github.com/stretchr/testify/require"
)

// A watchedParent counts what is registered with it.
type watchedParent struct {
	context.Context
	children int
}

func (p *watchedParent) Done() <-chan struct{} { return make(chan struct{}) }

func (p *watchedParent) AfterFunc(func()) func() bool {
	p.children++
	return func() bool { p.children--; return true }
}

// In a bubble that the wheel was not made in a context cannot be made: that panics, and leaves nothing
// with the parent.
func TestABubbleRefusesContextsOfAWheelFromOutside(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		parent := &watchedParent{Context: context.Background()}
		require.Panics(t, func() { timerctx.WithTimeout(parent, w, time.Hour) })
		require.Panics(t, func() { timerctx.WithDeadline(parent, w, time.Now().Add(time.Hour)) })
		require.Panics(t, func() { timerctx.AfterFunc(parent, w, time.Hour, func() {}) })
		require.Zero(t, parent.children)
	})
	ctx, cancel := timerctx.WithTimeout(context.Background(), w, time.Millisecond)
	defer cancel()
	<-ctx.Done()
	require.NoError(t, w.Close())
}
