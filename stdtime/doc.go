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
// receive or a call, or in a Stop or Reset that reports true. (In Go 1.26 two
// calls of package time's may report the same arming of a timer with a channel:
// golang/go#80760.)
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
//     served once a tick. A value that is due at once is sent by a goroutine of the
//     wheel: a receive that does not wait may come too early for it.
//   - The capacity of C is 1, not 0, and len(C) is 1 while a value waits. What
//     can be received, and when, is as with the capacity 0.
//   - A function runs on a worker of the wheel, not on a goroutine of its own. It
//     may block, and functions may overlap, even two calls of one function, if its
//     Timer was reset in between. But at most Options.MaxWorkers run at once; Close
//     waits for them; and Options.OnPanic gets their panics. In the function, Close
//     returns ErrDeadlock. Sends on channels, ticks and the ends of Sleeps need no
//     worker: they happen in time though MaxWorkers functions wait for them.
//   - AfterFunc with a nil function panics at once, not when it is due.
//   - Closing the wheel ends nothing: what was pending goes on with package time, at
//     its time, and can be stopped and reset as before; what is made on a closed
//     wheel is package time's from the beginning. Close does not wait for a function
//     that has not begun. From then on a function runs as with package time: on a
//     goroutine of its own, and its panic crashes the program even if Options.OnPanic
//     is set.
//   - On a Manual wheel everything happens in Advance, and the values on channels
//     are the wheel's time. The time of a closed Manual wheel stands still: Sleep
//     returns at once there, channels stay silent, and no function is called.
//   - In a bubble of testing/synctest, a Timer or Ticker that is garbage keeps its
//     timer on the wheel until the next firing, which sends nothing.
//
// # What it costs
//
// The cost beside package time and [timerwheel.Wheel.Alloc], for timers of one
// hour on two processors (AMD EPYC, family 25, model 1); medians of three runs. The
// last column is what a pending timer holds on the heap:
//
//	                    make, stop      Reset          held
//	AfterFunc, time     263 ns           51 ns         112 B, 1 object
//	AfterFunc, here     554 ns          317 ns         235 B, 1 object
//	Alloc               366 ns           55 ns          40 B, none
//	NewTimer, time      293 ns           68 ns         248 B, 3 objects
//	NewTimer, here     2341 ns          183 ns         406 B, 7 objects
//	NewTicker, time     275 ns                         248 B, 3 objects
//	NewTicker, here    2587 ns                         408 B, 7 objects
//
//	go test -run '^$' -bench 'MakeAndStop|Reset' -count 3 ./stdtime
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
//   - A Timer with a channel is one timer of the wheel and a lock. Under that lock its
//     firing sends, and Stop and Reset delete or move the firing and take back the
//     value. So Stop and Reset find one of two states. Either the firing is still to
//     come (armed), and is theirs to delete or move; or the value has been sent, and
//     is in the channel or received. There is nothing in between.
//   - The wheel may have taken a firing that has not got the lock yet. Stop clears
//     armed, and the firing sends nothing. Reset sets the time at which the new arming
//     is due: before that time the firing sends nothing. If it comes after that, one
//     of the two firings sends, and the other finds that the timer is not armed any
//     more.
//   - When the wheel is closed it hands over what is pending, and may hand over an
//     earlier arming than the present one. Whichever it is, package time gets the time
//     at which the present one is due, and from then on every firing of the wheel's
//     sends nothing.
//   - A Timer with a function follows the same rules, with one timer of the wheel for
//     each arming, and the call of the function in place of the send.
//   - A Ticker is one timer of the wheel. Each firing arms it for the next instant of
//     the period that was not missed: an instant is missed when the wheel's tick in
//     which it lies has ended. It is armed for the next tick of the wheel at the
//     earliest, so it fires at most once a tick.
//   - These locks are locked before the wheel's locks, never after them, and are
//     not held while a function runs.
//   - The wheel holds only weak references to channels, and none to Timers and
//     Tickers.
package stdtime
