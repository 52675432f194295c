package main

import (
	"fmt"
	"sync"

	"github.com/seed76848005/timerwheel"
)

// A pipeline has three stages. Each has a timeout that stops the next stage.
//
// Its deadlock: if all three time out at once, each handler waits for the next one,
// in a circle. DelSync detects that: the call that would close the circle returns
// ErrDeadlock, the others continue. (Cure: Del, or one owner that stops a Group.)
type pipeline struct {
	read, parse, write timerwheel.Timer

	atOnce sync.WaitGroup // makes them time out at once
	ended  chan error
	held   <-chan struct{} // closed when the waits need not be shown any more
}

func newPipeline(w *timerwheel.Wheel, held <-chan struct{}) *pipeline {
	p := &pipeline{ended: make(chan error, 3), held: held}
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

// end ends a stage's handler. The handler that would have closed the circle waits for
// held first, and the two others wait for it.
func (p *pipeline) end(stage string, err error) {
	if err != nil {
		err = fmt.Errorf("the stage %q: %w", stage, err)
	}
	p.ended <- err
	<-p.held
}
