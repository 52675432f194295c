package main

import (
	"net"
	"slices"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A cost is what one way to put an idle timeout off takes.
type cost struct {
	call   string
	each   time.Duration
	remark string
}

// A peer is a connection with four idle timeouts of an hour.
type peer struct {
	net.Conn
	idle, plain timerwheel.Timer
	std         *time.Timer
}

// compare measures what a read pays for the timeout, in four ways, on the same connections.
func compare(wheel *timerwheel.Wheel, addr string, conns int) ([]cost, error) {
	const limit = time.Hour
	peers, err := dial(wheel, addr, min(conns, 1000), limit)
	defer hangUp(peers)
	if err != nil {
		return nil, err
	}
	costs := []cost{
		{"Timer.Touch", 0, "finds out whether the timeout has won"},
		{"Timer.Register", 0, "so does this"},
		{"time.Timer.Reset", 0, ""},
		{"conn.SetReadDeadline", 0, "needs no goroutine, but ends only a Read"},
	}
	calls := []func(*peer){
		func(p *peer) { p.idle.Touch() },
		func(p *peer) { p.plain.Register(limit) },
		func(p *peer) { p.std.Reset(limit) },
		func(p *peer) { p.SetReadDeadline(time.Now().Add(limit)) },
	}
	const rounds = 5
	samples := make([][]time.Duration, len(calls))
	for range rounds { // in turns, so that noise hits all
		for k, call := range calls {
			samples[k] = append(samples[k], measure(peers, call))
		}
	}
	for k := range costs {
		slices.Sort(samples[k])
		costs[k].each = samples[k][rounds/2]
	}
	return costs, nil
}

// measure returns what a call takes on average.
func measure(peers []*peer, call func(*peer)) time.Duration {
	const laps = 20
	began := time.Now()
	for range laps {
		for _, p := range peers {
			call(p)
		}
	}
	return time.Since(began) / time.Duration(laps*len(peers))
}

func dial(wheel *timerwheel.Wheel, addr string, n int, limit time.Duration) (peers []*peer, err error) {
	for range n {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return peers, err
		}
		p := &peer{Conn: nc, idle: wheel.Alloc(ignore), plain: wheel.Alloc(ignore), std: time.AfterFunc(limit, func() {})}
		p.idle.RegisterIdle(limit)
		peers = append(peers, p)
	}
	return peers, nil
}

func hangUp(peers []*peer) {
	for _, p := range peers {
		p.idle.Del()
		p.idle.Free()
		p.plain.Del()
		p.plain.Free()
		p.std.Stop()
		p.Close()
	}
}

func ignore(timerwheel.Timer) {}
