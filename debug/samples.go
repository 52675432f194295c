package debug

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// A Sample is what some of a wheel's Stats were at a time at which somebody
// looked.
type Sample struct {
	No         uint64    `json:"no"` // 1, 2, 3...
	At         time.Time `json:"at"`
	Live       int       `json:"live"`
	Pending    int       `json:"pending"`
	Running    int       `json:"running"`
	Workers    int       `json:"workers"`
	Registered uint64    `json:"registered"`
	Fired      uint64    `json:"fired"`
	Removed    uint64    `json:"removed"`
	Refused    uint64    `json:"refused"`
	SyncWaits  uint64    `json:"sync_waits"`
	Misuses    uint64    `json:"misuses"`
	Bytes      int64     `json:"bytes"`
}

const (
	memory   = 300         // samples that are kept
	interval = time.Second // two of them are never closer to each other
)

// samples are the last ones, a ring: the one with number n is at n % memory.
type samples struct {
	ring [memory]Sample
	last uint64 // the number of the last one; 0: there is none
}

// add takes a sample, unless there is one that is new.
func (s *samples) add(now time.Time, stats *timerwheel.Stats) {
	if s.last > 0 && now.Sub(s.ring[s.last%memory].At) < interval {
		return
	}
	s.last++
	s.ring[s.last%memory] = Sample{
		No:         s.last,
		At:         now,
		Live:       stats.Live,
		Pending:    stats.Pending,
		Running:    stats.Running,
		Workers:    stats.Workers,
		Registered: stats.Registered,
		Fired:      stats.Fired,
		Removed:    stats.Removed,
		Refused:    stats.Refused,
		SyncWaits:  stats.SyncWaits,
		Misuses:    stats.Misuses,
		Bytes:      stats.Bytes,
	}
}

// after returns the samples that come after number no, in their order. Who has
// seen a number that is yet to come has seen another handler's: it gets all.
func (s *samples) after(no uint64) []Sample {
	if no > s.last {
		no = 0
	}
	if s.last > memory {
		no = max(no, s.last-memory)
	}
	list := make([]Sample, 0, s.last-no)
	for no < s.last {
		no++
		list = append(list, s.ring[no%memory])
	}
	return list
}
