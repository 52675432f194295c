package conns

import "sync"

// A Flight runs one function after the other.
type Flight struct{ running sync.WaitGroup }

func (f *Flight) Do(work func()) {
	f.running.Wait()
	f.running.Add(1)
	defer f.running.Done()
	work()
}
