// Bolt keeps deadlines in a file, so that they survive the process: cd examples/durable && go run ./bolt
//
// The service is in service.go: deadlines by key, stored with bbolt before they are armed with package
// keyed, and armed again at each start. A cache beside them shows the other way: it is not stored, but
// for a clean shutdown, by Wheel.Timers. docs/beyond.md says what each way promises.
//
// The program runs the service in a process of its own, and kills it (SIGKILL) again and again, while
// users set, move and cancel deadlines. Then it compares what the users were told with what has fired. It
// exits with status 1 if a deadline was lost, doubled or early.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel/examples/durable/internal/report"
	"github.com/seed76848005/timerwheel/examples/internal/progress"
)

const about = `Bolt keeps deadlines in a file of bbolt. It kills the process that has armed them, many times, and checks
that each has fired once.`

func main() { os.Exit(command(os.Args[1:])) }

// command runs the program with arguments, and returns its status.
func command(args []string) int {
	flags := flag.NewFlagSet("bolt", flag.ContinueOnError)
	kills := flags.Int("kills", 20, "how many times the process is killed")
	number := flags.Int("users", 8, "goroutines that set, move and cancel deadlines")
	ahead := flags.Duration("ahead", 2*time.Second, "how far away deadlines are at most")
	serving := flags.Bool("serve", false, "be the process that is killed: take commands from standard input (serve.go)")
	file := flags.String("db", "", "the file; a temporary one, if empty")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), about, "\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	var err error
	if *serving {
		err = child(*file)
	} else {
		err = run(*file, *kills, *number, *ahead)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bolt:", err)
		return 1
	}
	return 0
}

func child(file string) error {
	s, armed, err := start(file, time.Minute)
	if err != nil {
		return err
	}
	hook(s)
	return serve(s, armed, os.Stdin, os.Stdout)
}

// hook is for tests.
var hook = func(*service) {}

func run(file string, kills, number int, ahead time.Duration) error {
	if kills < 0 || number < 1 || ahead <= 0 {
		return errors.New("-kills must not be negative, -users and -ahead must be positive")
	}
	if file == "" {
		dir, err := os.MkdirTemp("", "bolt")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		file = filepath.Join(dir, "deadlines")
	}
	fmt.Printf("bolt: %d users set, move and cancel deadlines of up to %v, in a process that is killed %d times\n", number, ahead, kills)
	u := newUsers(ahead)
	u.start(number)
	stop := progress.Start(func() string { return fmt.Sprintf("%d commands were answered", u.ops.Load()) })
	armed, err := killAgainAndAgain(u, file, kills)
	stop()
	if err != nil {
		return err
	}
	warm, err := cacheAcross(file)
	if err != nil {
		return err
	}
	v, err := look(u, file)
	if err != nil {
		return err
	}
	return v.report(kills, armed, warm)
}

// killAgainAndAgain lets processes serve the users, and kills each when it has answered some commands.
// It returns when the last one, which is not killed, has fired all that was left, and how many
// deadlines the processes have armed at their starts.
func killAgainAndAgain(u *users, file string, kills int) (armed int, err error) {
	for n := 0; ; n++ {
		c, err := startClient(file)
		if err != nil {
			return armed, err
		}
		u.serve(c)
		last := n == kills
		// Some processes are killed while they start. The others serve until they have answered
		// so many, however long that takes.
		if n%5 != 1 || last {
			found, ok := <-c.armed
			if !ok {
				return armed, fmt.Errorf("a process ended by itself: %w", c.stop())
			}
			armed += found
			enough := 1 + rand.N[int64](300)
			if last {
				enough = 300
			}
			for ; c.answers.Load() < enough; time.Sleep(time.Millisecond) {
				select {
				case <-c.ended:
					return armed, fmt.Errorf("a process ended by itself: %w", c.stop())
				default:
				}
			}
		} else {
			time.Sleep(rand.N(20 * time.Millisecond)) // anything is right
		}
		if !last {
			c.kill()
			continue
		}
		if err := u.stop(); err != nil {
			return armed, err
		}
		return armed, drain(c)
	}
}

// drain waits until all deadlines have fired, and lets the process shut down.
func drain(c *client) error {
	for end := time.Now().Add(5 * time.Minute); ; {
		left, err := c.do("left")
		if err != nil {
			return err
		}
		if left == "0" {
			return c.stop()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s deadlines do not fire", left)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// look reads what has fired, in the store and outside of it.
func look(u *users, file string) (*verdict, error) {
	s, err := openStore(file)
	if err != nil {
		return nil, err
	}
	defer s.close()
	fired, err := s.firings()
	if err != nil {
		return nil, err
	}
	lines, err := os.ReadFile(file + ".outbox")
	if err != nil {
		return nil, err
	}
	outside := map[string]int{}
	for line := range strings.Lines(string(lines)) {
		outside[strings.Fields(line)[1]]++
	}
	return judge(u.histories, fired, outside), nil
}

// report prints what has happened, and checks it.
func (v *verdict) report(kills, armed int, warm warmth) error {
	fmt.Printf("      %d deadlines were set, %d commands cancelled one, %d commands were not answered\n", v.sets, v.cancels, v.unanswered)
	fmt.Printf("      %d fired, %d were replaced and %d cancelled before; %d were armed again at a start\n", v.fired, v.replaced, v.cancelled, armed)
	fmt.Printf("      outside of the store %d were done again, each with the ID of the first time\n\n", v.again)
	for _, line := range v.examples {
		fmt.Println("     ", line)
	}
	var r report.Report
	r.Expect(v.fired > 0, "deadlines fired")
	r.Expect(v.lost == 0, "no deadline that was acknowledged was lost")
	r.Expect(v.doubled == 0, "none fired twice in the store")
	r.Expect(v.revoked == 0, "none fired that was replaced or cancelled")
	r.Expect(v.early == 0, "none fired early, by the wall clock")
	r.Expect(v.strange == 0, "none fired that was not set")
	r.Expect(v.unheard == 0, "each was done outside of the store at least once")
	r.Expect(v.again <= kills*handlers, "and more than once at most "+strconv.Itoa(handlers)+" times a kill")
	r.Expect(warm.clean, "a clean shutdown kept the cache, and its deadlines")
	r.Expect(warm.crash, "after a kill the cache was empty")
	return r.Err()
}
