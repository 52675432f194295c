package netstack_test

import (
	"fmt"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/netstack"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// One wheel of the program serves any number of stacks.
func ExampleNewClock() {
	wheel, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer wheel.Close() // after the stacks
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
		Clock:              netstack.NewClock(wheel),
	})
	defer s.Destroy()
	fmt.Println(s.Clock().NowMonotonic().Milliseconds() < 60_000)
	// Output: true
}

// On a Manual wheel the program sets the time of a stack.
func ExampleNewClock_simulated() {
	wheel, err := timerwheel.New(timerwheel.Options{Manual: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer wheel.Close()
	clock := netstack.NewClock(wheel)
	s := stack.New(stack.Options{Clock: clock})
	defer s.Destroy()

	s.Clock().AfterFunc(2*time.Hour, func() { fmt.Println("fired after", clock.NowMonotonic().Milliseconds(), "ms") })
	for next, ok := wheel.Next(); ok; next, ok = wheel.Next() {
		wheel.Advance(next)
	}
	// Output: fired after 7200000 ms
}
