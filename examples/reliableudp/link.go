package main

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
)

// maxDatagram is more than the size of the largest datagram.
const maxDatagram = 256

// A link is a UDP socket that loses some of the datagrams that it sends.
type link struct {
	conn *net.UDPConn
	loss float64
	lost atomic.Uint64
}

func (l *link) addr() netip.AddrPort {
	return l.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func (l *link) send(datagram []byte, to netip.AddrPort) {
	if rand.Float64() < l.loss {
		l.lost.Add(1)
		return
	}
	l.conn.WriteToUDPAddrPort(datagram, to) // an error counts as a loss
}

// receive calls f with each datagram until the link is closed.
func (l *link) receive(f func(datagram []byte, from netip.AddrPort)) {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := l.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		f(buf[:n], from)
	}
}

// A datagram consists of a checksum of the rest, a sequence number and the payload.
const header = 4 + 8

func encode(datagram []byte, seq uint64, payload string) []byte {
	datagram = append(datagram[:0], 0, 0, 0, 0)
	datagram = binary.BigEndian.AppendUint64(datagram, seq)
	datagram = append(datagram, payload...)
	binary.BigEndian.PutUint32(datagram, crc32.ChecksumIEEE(datagram[4:]))
	return datagram
}

func decode(datagram []byte) (seq uint64, payload string, ok bool) {
	if len(datagram) < header || binary.BigEndian.Uint32(datagram) != crc32.ChecksumIEEE(datagram[4:]) {
		return 0, "", false
	}
	return binary.BigEndian.Uint64(datagram[4:]), string(datagram[header:]), true
}
