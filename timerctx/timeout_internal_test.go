package timerctx

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// The goroutine that watches the parent may be in the midst of ending the context when another
// goroutine, which has ended the parent, calls Done and Err. Both wait until the inner context has
// ended.
func TestDoneIsClosedDuringTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		defer w.Close()
		parent, endParent := context.WithCancel(context.Background())
		ctx, cancel := WithTimeout(parent, w, time.Hour)
		defer cancel()
		ctx.Done() // makes the inner context
		c := ctx.(*timeout)
		midst, end := make(chan struct{}), c.endInner
		c.endInner = func() { <-midst; end() }
		endParent()
		synctest.Wait()
		require.NotNil(t, c.ended.Load(), "its end has begun")

		var closed bool
		var got error
		go func() {
			select {
			case <-ctx.Done():
				closed = true
			default:
			}
		}()
		go func() { got = ctx.Err() }()
		synctest.Wait()
		close(midst)
		synctest.Wait()
		require.Equal(t, context.Canceled, got)
		require.True(t, closed, "the context has ended, and Done returned an open channel")
	})
}
