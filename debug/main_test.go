package debug_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/debug"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain fails the package if a test leaves a goroutine behind: a Handler has none.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openWheel makes a wheel and closes it at the end of the test. In a bubble, t must be the
// bubble's own.
func openWheel(t *testing.T, o timerwheel.Options) *timerwheel.Wheel {
	t.Helper()
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.CloseContext(ctx); err != nil && !t.Failed() {
			t.Errorf("the wheel does not close: %v", err)
		}
	})
	return w
}

// ask sends a request to a handler.
func ask(h http.Handler, method, url string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest(method, url, nil))
	return answer
}

// reportOf requests a Report. It fails if the answer has a field that Report lacks.
func reportOf(t *testing.T, h http.Handler, query string) (r debug.Report) {
	t.Helper()
	answer := ask(h, http.MethodGet, "/?format=json"+query)
	require.Equal(t, http.StatusOK, answer.Code)
	require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
	decoder := json.NewDecoder(answer.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&r))
	return r
}

// closedAtTheEnd makes a channel that handlers wait for. It closes the channel at the end of
// a test that failed before it did so itself, because the wheel could not close otherwise.
func closedAtTheEnd(t *testing.T) (end chan struct{}) {
	end = make(chan struct{})
	t.Cleanup(func() {
		select {
		case <-end:
		default:
			close(end)
		}
	})
	return end
}
