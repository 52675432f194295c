package main

import (
	"fmt"
	"sync"

	"github.com/seed76848005/timerwheel"
)

// A pipeline has three stages, each of which has a timeout that stops the next.
//
// Its deadlock: if all three time out at once, each handler waits for the next
// one's, in a circle. DelSync sees that, too: the call that would close it returns
// ErrDeadlock, the others go on. (Cure: Del, or one owner who stops all, by a Group.)
type pipeline struct {
	read, parse, write timerwheel.Timer

	atOnce sync.WaitGroup // they do time out at once
	ended  chan error
	looked <-chan struct{} // closed when nobody looks at who waits for whom any more
}

func newPipeline(w *timerwheel.Wheel, looked <-chan struct{}) *pipeline {
	p := &pipeline{ended: make(chan error, 3), looked: looked}
	p.atOnce.Add(3)
	p.read = w.Alloc(p.readTimeout)
	p.parse = w.Alloc(p.parseTimeout)
	p.write = w.Alloc(p.writeTimeout)
	for _, t := range []timerwheel.Timer{p.read, p.parse, p.write} {
		_ = t.Register(0)
	}
	return p
}

func (p *pipeline) readTimeout(timerwheel.Timer) {
	p.others()
	_, err := p.parse.DelSync()
	p.end("read", err)
}

func (p *pipeline) parseTimeout(timerwheel.Timer) {
	p.others()
	_, err := p.write.DelSync()
	p.end("parse", err)
}

func (p *pipeline) writeTimeout(timerwheel.Timer) {
	p.others()
	_, err := p.read.DelSync()
	p.end("write", err)
}

// others waits until the other two have timed out as well.
func (p *pipeline) others() {
	p.atOnce.Done()
	p.atOnce.Wait()
}

// end ends a stage's handler. Of who would have closed the circle that may take a
// while, in which the two others do wait.
func (p *pipeline) end(stage string, err error) {
	if err != nil {
		err = fmt.Errorf("the stage %q: %w", stage, err)
	}
	p.ended <- err
	<-p.looked
}
