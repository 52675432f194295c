package timerctx

import "context"

// A timeout whose parent is a timeout ends as part of it: the parent keeps a
// list of such children.

// enclosing returns the timeout that ends if, and only if, parent does: it is
// parent, or parent adds a value to it, say.
func enclosing(parent context.Context) *timeout {
	if p, ok := parent.(*timeout); ok {
		return p
	}
	if p, ok := parent.Value(self{}).(*timeout); ok && p.Done() == parent.Done() {
		return p
	}
	return nil
}

// adopt puts c in p's list, unless p has ended: c must look afterwards.
func (p *timeout) adopt(c *timeout) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended.Load() != nil {
		return
	}
	c.above, c.next = p, p.first
	if p.first != nil {
		p.first.prev = c
	}
	p.first = c
}

// disown takes c out of p's list. If p's end has done that, the list is empty,
// and stays so.
func (p *timeout) disown(c *timeout) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		p.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// finishChildren ends those in the list, which it empties. Holds mu.
func (p *timeout) finishChildren(e *ending) {
	for c := p.first; c != nil; c = p.first {
		p.first = c.next
		c.prev, c.next = nil, nil
		c.finish(e)
	}
}
