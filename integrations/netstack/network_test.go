package netstack_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// This file contains the network of the tests: two real stacks, joined by a cable that loses
// frames.

const (
	nic  = tcpip.NICID(1)
	port = 80
	mtu  = 1500
)

// A network is two hosts and the cable between them.
type network struct {
	client, server *stack.Stack
	ends           [2]*channel.Endpoint // the client's, the server's
	cable          *cable
	unplug         func() // ends the cable's goroutines; a second call has no effect
}

// newNetwork joins two stacks that use clock. The caller ends it with destroy.
func newNetwork(t testing.TB, clock tcpip.Clock, c *cable) *network {
	t.Helper()
	n := &network{cable: c}
	n.client, n.ends[0] = newHost(t, clock, 1)
	n.server, n.ends[1] = newHost(t, clock, 2)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { c.carry(ctx, 0, n.ends[0], n.ends[1]) })
	wg.Go(func() { c.carry(ctx, 1, n.ends[1], n.ends[0]) })
	n.unplug = func() { cancel(); wg.Wait() }
	return n
}

// destroy unplugs the cable and destroys both stacks as a program would.
func (n *network) destroy() {
	n.unplug()
	n.client.Destroy()
	n.server.Destroy()
	for _, end := range n.ends {
		end.Drain()
	}
}

// retryWithin limits the time between retransmissions, so that a test in real time cannot
// take minutes by bad luck.
func (n *network) retryWithin(t *testing.T, d time.Duration) {
	limit := tcpip.TCPMaxRTOOption(d)
	require.Nil(t, n.client.SetTransportProtocolOption(tcp.ProtocolNumber, &limit))
	require.Nil(t, n.server.SetTransportProtocolOption(tcp.ProtocolNumber, &limit))
}

// report logs the lost frames and the retransmissions of the client.
func (n *network) report(t *testing.T) {
	c := n.client.Stats().TCP
	t.Logf("%d and %d frames lost; client: %d segments sent, %d retransmitted, %d of them in fast recovery, %d timeouts", n.cable.lost[0].Load(),
		n.cable.lost[1].Load(), c.SegmentsSent.Value(), c.Retransmits.Value(), c.FastRetransmit.Value(), c.Timeouts.Value())
}

// newHost makes a stack with one Ethernet card and addresses that end in no. On Ethernet it
// has to discover its neighbours.
func newHost(t testing.TB, clock tcpip.Clock, no byte) (*stack.Stack, *channel.Endpoint) {
	t.Helper()
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
		Clock:              clock,
	})
	end := channel.New(4096, mtu, card(no))
	require.Nil(t, s.CreateNIC(nic, ethernet.New(end)))
	for _, v := range versions {
		addr := tcpip.ProtocolAddress{Protocol: v.number, AddressWithPrefix: v.addr(no).WithPrefix()}
		require.Nil(t, s.AddProtocolAddress(nic, addr, stack.AddressProperties{}))
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}, {Destination: header.IPv6EmptySubnet, NIC: nic}})
	return s, end
}

// card returns the Ethernet address of a host.
func card(no byte) tcpip.LinkAddress { return tcpip.LinkAddress([]byte{2, 0, 0, 0, 0, no}) }

// An ipVersion holds what differs between the tests over IPv4 and IPv6.
type ipVersion struct {
	name   string
	number tcpip.NetworkProtocolNumber
	addr   func(no byte) tcpip.Address
}

var (
	v4 = ipVersion{"IPv4", ipv4.ProtocolNumber, func(no byte) tcpip.Address { return tcpip.AddrFrom4([4]byte{10, 0, 0, no}) }}
	v6 = ipVersion{"IPv6", ipv6.ProtocolNumber, func(no byte) tcpip.Address { return tcpip.AddrFrom16([16]byte{0: 0xfd, 15: no}) }}

	versions = []ipVersion{v4, v6}
)

// service returns the address at which the server listens.
func (v ipVersion) service() tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: v.addr(2), Port: port}
}

// A cable carries frames in order. The seed and the number of a frame decide whether it is
// lost, so the n-th frame of a direction always has the same fate.
//
// The last frames must arrive. Netstack's TCP, on its own clock as well as on ours, can
// forget the timer of the last segment of a connection: a retransmission timeout sets the
// count of outstanding segments to 0, and if the tail loss probe finds it so, it leaves no
// timer behind.
type cable struct {
	seed  uint64
	loss  float64                             // fraction of the frames that are lost
	lossy int                                 // frames of a direction to which loss applies, from the first on
	cut   atomic.Bool                         // whether all frames are lost
	tap   func(direction int, frame []byte)   // sees every frame that is sent, lost or not; may be nil
	delay func(direction int, deliver func()) // calls deliver later, in order; if nil, there is no delay
	lost  [2]atomic.Uint64                    // frames, by direction
}

// carry carries the frames of one direction until ctx ends.
func (c *cable) carry(ctx context.Context, direction int, from, to *channel.Endpoint) {
	rng := rand.New(rand.NewPCG(c.seed, uint64(direction)))
	for no := 0; ; no++ {
		pkt := from.ReadContext(ctx)
		if pkt == nil {
			return
		}
		frame := pkt.ToBuffer()
		pkt.DecRef()
		if c.tap != nil {
			c.tap(direction, frame.Flatten())
		}
		if no < c.lossy && rng.Float64() < c.loss || c.cut.Load() {
			c.lost[direction].Add(1)
			frame.Release()
			continue
		}
		arriving := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: frame})
		deliver := func() {
			to.InjectInbound(0, arriving) // the Ethernet header contains the protocol
			arriving.DecRef()
		}
		if c.delay != nil {
			c.delay(direction, deliver)
		} else {
			deliver()
		}
	}
}

// segment returns the TCP segment in a frame; ok is false if there is none.
func segment(frame []byte) (s header.TCP, ok bool) {
	packet := frame[header.EthernetMinimumSize:]
	switch header.Ethernet(frame).Type() {
	case header.IPv4ProtocolNumber:
		ip := header.IPv4(packet)
		return header.TCP(ip.Payload()), ip.TransportProtocol() == header.TCPProtocolNumber
	case header.IPv6ProtocolNumber:
		ip := header.IPv6(packet)
		return header.TCP(ip.Payload()), ip.NextHeader() == uint8(header.TCPProtocolNumber)
	}
	return nil, false
}
