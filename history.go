package timerwheel

// A history is what a shard remembers, with Debug, of its last timers that were recycled.
// The shard's lock guards it.
type history struct {
	ids     []uint64 // of the timers that are remembered; a ring
	oldest  int      // in ids
	origins map[uint64]*origin
}

// historyLen is the number of recycled timers that a wheel remembers; its shards have
// equal shares. With some 300 bytes each that is somewhat more than a megabyte.
const historyLen = 4096

// remember remembers a timer that is being recycled, if its origin is kept. Its handles are not
// stale yet.
func (sh *shard) remember(i uint32, s *record) {
	if o := sh.originOf(i, s); o != nil {
		sh.past.add(sh.id(i, s), o, historyLen/len(sh.w.shards))
	}
}

// add remembers one timer more, and forgets the oldest if there are too many.
func (h *history) add(id uint64, from *origin, most int) {
	h.origins[id] = from
	if len(h.ids) < most {
		h.ids = append(h.ids, id)
		return
	}
	delete(h.origins, h.ids[h.oldest])
	h.ids[h.oldest] = id
	h.oldest = (h.oldest + 1) % most
}

// recall returns what is known of a recycled timer; nil, if that is nothing.
func (h *history) recall(id uint64) *origin { return h.origins[id] }
