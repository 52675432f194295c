// Package stdtime implements the API of package time on a [timerwheel.Wheel]:
// timers, tickers, After and Sleep that behave as those of package time do since
// Go 1.23. To migrate a file, make a [Clock] once and change a few names:
//
//	                            clock := stdtime.On(w)
//
//	time.NewTimer(d)            clock.NewTimer(d)
//	time.AfterFunc(d, f)        clock.AfterFunc(d, f)
//	time.NewTicker(d)           clock.NewTicker(d)
//	<-time.After(d)             <-clock.After(d)
//	*time.Timer, *time.Ticker   *stdtime.Timer, *stdtime.Ticker
//
// Durations, dates and formats stay those of package time.
//
// # What is the same
//
// Reset arms a Timer that was stopped or has fired. That includes a Timer from
// AfterFunc; the [timerwheel.Timer] that [timerwheel.Wheel.AfterFunc] returns
// cannot be armed again after that.
//
// When Stop or Reset has returned, no value that was sent before is received, so
// there is no channel to drain. Stop and Reset report whether the firing was
// still to come. With a channel it is still to come until its value has been
// received: Stop and Reset take back a value that was sent and not received. With a
// function it is still to come until the function has begun. So each arming ends
// in exactly one way, however Stop, Reset, the firing and receives race: in a
// receive or a call, or in a Stop or Reset that reports true.
//
// The value on a channel is the time of the firing, not of the receive. When a
// receiver is slow, ticks are dropped; the ticks that it gets lie on the grid
// start + k*d.
//
// Timers and Tickers need not be stopped to be garbage collected: one from whose
// channel the program can no longer receive is garbage, and its timer on the
// wheel is deleted. A reference to the channel alone, as After and Tick return
// it, keeps the timer going. A pending function is called even if the program has
// no reference to its Timer.
//
// # What is different
//
//   - Times have the granularity of the wheel. Nothing fires early. While a worker
//     is free, nothing fires later than two ticks plus the scheduler's delay; a
//     tick is Options.Tick, default 1 ms. A period shorter than the tick is
//     served once a tick. A timer that is due at once still has to wait for a
//     worker: a receive that does not wait may come too early for its value.
//   - The capacity of C is 1, not 0, and len(C) is 1 while a value waits. What
//     can be received, and when, is as with the capacity 0.
//   - A function runs on a worker of the wheel, not on a goroutine of its own. It
//     may block, and functions may overlap, even two calls of one function, if its
//     Timer was reset in between. But at most Options.MaxWorkers run at once, sends
//     on channels included; Close waits for them; and Options.OnPanic gets their
//     panics. In the function, Close returns ErrDeadlock.
//   - AfterFunc with a nil function panics at once, not when it is due.
//   - On a closed wheel nothing fires any more, and neither does what was pending
//     when it closed; Stop and Reset then report false. See [Clock.Sleep].
//   - On a Manual wheel everything happens in Advance, and the values on channels
//     are the wheel's time.
//   - In a bubble of testing/synctest, a Timer or Ticker that is garbage keeps its
//     timer on the wheel until the next firing, which sends nothing.
//
// # What it costs
//
// The cost beside package time and [timerwheel.Wheel.Alloc], for timers of one
// hour on two processors; medians of six runs. The last column is what a pending
// timer holds on the heap:
//
//	                    make, stop      Reset          held
//	AfterFunc, time     184 ns           47 ns         115 B, 1 object
//	AfterFunc, here     155 ns          111 ns         114 B, 1 object
//	Alloc               117 ns           45 ns          50 B, none
//	NewTimer, time      216 ns           63 ns         248 B, 3 objects
//	NewTimer, here     1215 ns           61 ns         426 B, 9 objects
//	NewTicker, time     173 ns                         248 B, 3 objects
//	NewTicker, here    1109 ns                         402 B, 9 objects
//
//	go test -run '^$' -bench 'MakeAndStop|Reset' -count 6 ./stdtime
//	go test -run '^$' -bench Memory -benchtime 3x ./stdtime
//
// AfterFunc costs one object. A channel is expensive to make, here even more than
// with package time: the channel itself takes two objects, and a weak reference and
// a cleanup are needed to find out when it is garbage. Where there are many timers,
// or timers are made all the time, use Alloc, or keep a Timer and Reset it.
//
// # The rules
//
// The promises about races rest on these rules:
//
//   - A Timer with a channel is one timer of the wheel, bound to a lock
//     ([timerwheel.Wheel.AllocLocked]). Under that lock its handler sends, and Stop
//     and Reset delete or move the firing and take back the value. So Stop and Reset
//     find one of two states. Either the firing is still to come, and is theirs to
//     delete or move; or the value has been sent, and is in the channel or received.
//     There is nothing in between.
//   - A Timer with a function is one timer of the wheel for each arming. Each of
//     these timers either is deleted or has begun; the wheel decides which.
//   - A Ticker is one periodic timer of the wheel for each period that it is given.
//     If that timer is replaced while a tick is in flight, the tick finds this out
//     under the Ticker's lock, and sends nothing.
//   - These locks are locked before the wheel's locks, never after them, and are
//     not held while a function runs.
//   - The wheel holds only weak references to channels, and none to Timers and
//     Tickers.
package stdtime
