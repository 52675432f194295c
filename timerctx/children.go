package timerctx

import "context"

// A timeout whose parent is a timeout ends as part of it: the parent keeps a
// list of such children.

// enclosing returns the timeout that ends if, and only if, parent ends: parent
// itself, or a timeout inside it, for example when parent adds a value to one. It
// returns nil if there is none.
func enclosing(parent context.Context) *timeout {
	if p, ok := parent.(*timeout); ok {
		return p
	}
	if p, ok := parent.Value(selfKey{}).(*timeout); ok && p.Done() == parent.Done() {
		return p
	}
	return nil
}

// addChild puts c in p's list, unless p has ended: the caller must call c.checkParent
// afterwards.
func (p *timeout) addChild(c *timeout) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended.Load() != nil {
		return
	}
	c.listedBy, c.next = p, p.first
	if p.first != nil {
		p.first.prev = c
	}
	p.first = c
}

// removeChild takes c out of p's list. If p's end has done that, the list is empty,
// and stays empty.
func (p *timeout) removeChild(c *timeout) {
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

// endChildren ends the children in the list, and empties it. The caller holds mu.
func (p *timeout) endChildren(e *ending) {
	for c := p.first; c != nil; c = p.first {
		p.first = c.next
		c.prev, c.next = nil, nil
		c.endTree(e)
	}
}
