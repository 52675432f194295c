// Package stdtime gives a wheel the face of package time: timers, tickers, After
// and Sleep that behave as that package's do since Go 1.23, and pend on a
// [timerwheel.Wheel]. A file is migrated by a constructor and a few names:
//
//	time.NewTimer(d)            clock := stdtime.On(w) // once
//	                            clock.NewTimer(d)
//	time.AfterFunc(d, f)        clock.AfterFunc(d, f)
//	time.NewTicker(d)           clock.NewTicker(d)
//	<-time.After(d)             <-clock.After(d)
//	*time.Timer, *time.Ticker   *stdtime.Timer, *stdtime.Ticker
//
// Durations, dates and formats stay package time's.
//
// # What is the same
//
// Stop then Reset works, and Reset after the firing works, also of a Timer from
// AfterFunc (which a [timerwheel.Timer] from its namesake does not do). After
// Stop or Reset has returned nothing that was sent before is received, so
// there is no channel to drain. Stop and Reset report whether the firing was
// still to come: with a channel, until it has been received, as it is taken back
// if need be; with a function, until that has begun. So each arming ends in
// exactly one way, however Stop, Reset, the firing and receives race: in a
// receive or a call, or in a Stop or Reset that reports true.
//
// The value on a channel is the time of the firing, not of the receive. A slow
// receiver drops ticks, and those that it gets lie on the grid start + k*d.
//
// Nothing needs to be stopped to be collected: what nobody can receive from any
// more is garbage, and its timer is deleted. The channel alone, as After and
// Tick return it, keeps it going. A function that pends is called even if nobody
// knows its Timer.
//
// # What is different
//
//   - Time has the wheel's grain. Nothing is early, and while a worker is free
//     nothing is later than two ticks plus the scheduler's delay (1 ms is a tick,
//     if Options.Tick does not say otherwise). A period shorter than the tick is
//     served once a tick. What is due at once takes a worker's turn: a receive
//     that does not wait may come too early for it.
//   - The capacity of C is 1, not 0, and len(C) is 1 while a value waits. What
//     can be received, and when, is as with the capacity 0.
//   - A function runs on a worker of the wheel, not on a goroutine of its own. It
//     may block, and functions may overlap, even calls of one by a Timer that was
//     reset meanwhile. But MaxWorkers bounds how many run at once, channels
//     included, Close waits for them, and OnPanic gets their panics. In the
//     function, Close returns ErrDeadlock.
//   - AfterFunc with a nil function panics at once, not when it is due.
//   - On a closed wheel nothing fires any more, and what pended does not; Stop and
//     Reset then report false. See [Clock.Sleep].
//   - On a Manual wheel everything happens in Advance, and the values on channels
//     are the wheel's time.
//   - In a bubble of testing/synctest, what is garbage is let go at its next
//     firing, which is sent to nobody, and not before.
//
// # What it costs
//
// Beside package time and beside [timerwheel.Wheel.Alloc], in an hour's timers
// on two processors, medians of six runs; the bytes are those that a
// pending timer holds on the heap:
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
// AfterFunc's price is one object. Making a channel is dear, here even more than
// with package time: it takes two objects itself, and a weak reference and a
// cleanup to know when it is garbage. Where timers are many, or are made all the
// time, use Alloc, or keep a Timer and Reset it.
//
// # The rules
//
// What the promises about races rest on, and where:
//
//   - A Timer with a channel is one timer of the wheel, bound to a lock
//     ([timerwheel.Wheel.AllocLocked]). Its handler sends; Stop and Reset delete
//     or move the firing, and take back the value, under that lock. So to them the
//     firing is either to come, and theirs, or the value has been sent, and is
//     in the channel or received: there is nothing in between.
//   - A Timer with a function is one timer of the wheel for each arming, which is
//     deleted or has begun; the wheel decides which.
//   - A Ticker is one periodic timer of the wheel for each period that it is
//     given. A tick that was in flight when its timer was replaced finds so,
//     under the Ticker's lock, and sends nothing.
//   - The locks are held around calls of the wheel, never the other way round, and
//     never while a function runs.
//   - The wheel knows channels weakly, and Timers and Tickers not at all.
package stdtime
