package gostack

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Innermost finds the innermost call that is in neither the library nor Go's standard
// library, whether the program says where its files were or not.
func TestInnermostCallOfAStack(t *testing.T) {
	defer func(tree string) { goTree = tree }(goTree)
	for _, trimmed := range []bool{false, true} {
		gopath, wheel, user := "/go/src/", "/home/me/timerwheel/", "/home/me/shop/"
		if goTree = gopath; trimmed {
			goTree, gopath, wheel, user = "", "", "github.com/seed76848005/timerwheel/", "shop.example/"
		}
		blocked := "sync.runtime_SemacquireMutex(0x1, 0x0?, 0x1)\n\t" + gopath + "runtime/sema.go:95 +0x25\n" +
			"sync.(*Mutex).Lock(...)\n\t" + gopath + "sync/mutex.go:46\n"
		waits := "github.com/seed76848005/timerwheel.Timer.DelSync({0xc000, 0x1})\n\t" + wheel + "timer.go:215 +0x3d\n"
		runs := "github.com/seed76848005/timerwheel.call({0x1, 0x2})\n\t" + wheel + "worker.go:250 +0x3d\n" +
			"created by time.goFunc in goroutine 1\n\t" + gopath + "time/sleep.go:215 +0x2d\n"
		expire := "shop.example.(*cart).expire(0xc0000)\n\t" + user + "cart.go:31 +0x1d\n"
		literal := "main.main.func1()\n\t" + user + "main.go:9 +0x1d\n"
		created := "created by main.main in goroutine 1\n\t" + user + "main.go:9 +0x1d\n"
		for _, c := range []struct{ stack, want string }{
			{blocked + expire + runs, "shop.example.(*cart).expire " + user + "cart.go:31"},
			{waits + expire + literal + runs, "shop.example.(*cart).expire " + user + "cart.go:31"},
			{blocked + literal + expire, "main.main.func1 " + user + "main.go:9"},
			{blocked + runs, ""}, // the handler is wg.Wait
			{blocked + waits + created, ""},
			{blocked + "created by main.(*T).m in goroutine 1\n\t" + user + "main.go:9 +0x1d\n", ""},
			{"...5 frames elided...\n" + blocked + "...5 frames elided...\n" + literal, "main.main.func1 " + user + "main.go:9"},
			{"", ""},
		} {
			require.Equal(t, c.want, Innermost("goroutine 7 [sync.Mutex.Lock, 3 minutes]:\n"+c.stack), c.stack)
			require.Equal(t, c.want, Innermost("goroutine 7 [running]:\n"+strings.TrimSuffix(c.stack, "\n")), c.stack)
		}
	}
}
