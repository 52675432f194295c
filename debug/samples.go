package debug

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// A Sample holds some of a wheel's Stats at the time of a request.
type Sample struct {
	No         uint64    `json:"no"` // 1, 2, 3...
	At         time.Time `json:"at"`
	Live       int       `json:"live"`
	Pending    int       `json:"pending"`
	Due        int       `json:"due"`
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
	memory   = 300         // number of samples that are kept
	interval = time.Second // least distance between two samples
)

// samples is a ring of the last samples. Sample n is at index n % memory.
type samples struct {
	ring [memory]Sample
	last uint64 // the number of the last sample, or 0 if there is none
}

// add appends a sample, unless the last one is less than interval old.
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
		Due:        stats.Due,
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

// after returns the samples after number no, in order, with the times as the wall clock, which
// may have been set since, shows them now. If that number is not yet in use, the client has it
// from another Handler, and after returns all samples.
func (s *samples) after(no uint64, now time.Time) []Sample {
	if no > s.last {
		no = 0
	}
	if s.last > memory {
		no = max(no, s.last-memory)
	}
	list := make([]Sample, 0, s.last-no)
	for no < s.last {
		no++
		sample := s.ring[no%memory]
		sample.At = now.Add(sample.At.Sub(now))
		list = append(list, sample)
	}
	return list
}
