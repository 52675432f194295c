package centrifugewheel_test

import (
	"context"
	"fmt"

	"github.com/centrifugal/centrifuge"

	"github.com/seed76848005/timerwheel"
	centrifugewheel "github.com/seed76848005/timerwheel/integrations/centrifuge"
)

// The timers of all connections of a node are on one wheel.
func ExampleOn() {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		panic(err)
	}
	defer w.Close() // after the node

	node, err := centrifuge.New(centrifuge.Config{ClientTimerScheduler: centrifugewheel.On(w)})
	if err != nil {
		panic(err)
	}
	if err := node.Run(); err != nil {
		panic(err)
	}
	fmt.Println(node.Shutdown(context.Background()))
	// Output: <nil>
}
