// Ttlcache is a generic cache whose entries expire, built on lock-bound timers: go run
// ./examples/ttlcache
//
// The cache is in cache.go. This file exercises it: several goroutines set, get, touch
// and delete keys with short lives. Each has keys of its own, so it knows the right
// answers of the cache. The program exits with status 1 if an answer is wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/examples/internal/progress"
)

const about = `Ttlcache exercises a cache whose entries expire. It checks every answer of the cache.`

func main() {
	duration := flag.Duration("for", time.Second, "how long to exercise the cache")
	users := flag.Int("users", 4, "goroutines that use the cache at the same time")
	keys := flag.Int("keys", 1000, "keys of each of them")
	ttl := flag.Duration("ttl", 20*time.Millisecond, "longest life of an entry")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), about, "\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()

	if err := run(*users, *keys, *ttl, *duration); err != nil {
		fmt.Fprintln(os.Stderr, "ttlcache:", err)
		os.Exit(1)
	}
}

func run(users, keys int, ttl, duration time.Duration) error {
	if users < 1 || keys < 1 || ttl <= 0 {
		return errors.New("-users, -keys and -ttl must be positive")
	}
	wheel, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		return err
	}
	defer wheel.Close()
	cache := NewCache[key, string](wheel)

	fmt.Printf("ttlcache: %d goroutines set, get, touch and delete %d keys each for %v; entries live for up to %v\n", users, keys, duration, ttl)
	var found findings
	stop := progress.Start(func() string {
		return fmt.Sprintf("%d entries, %d hits, %d misses, %d expired", cache.Len(), found.hits.Load(), found.misses.Load(), cache.Stats().Expired)
	})
	end := time.Now().Add(duration)
	var wg sync.WaitGroup
	for i := range users {
		u := user{cache: cache, id: i, ttl: ttl, mustHold: make([]time.Time, keys), found: &found}
		wg.Go(func() { u.exerciseUntil(end) })
	}
	wg.Wait()
	stop()

	left := cache.Len()
	cache.Close()
	return report(&found, left, cache, wheel.Stats())
}

// A key belongs to one user.
type key struct{ user, number int }

// findings counts the answers of the cache, right and wrong.
type findings struct {
	hits, misses, touches, deletes atomic.Uint64

	tooEarly atomic.Uint64 // entries that expired early
	ghosts   atomic.Uint64 // deleted entries that were found
	mixedUp  atomic.Uint64 // entries with another key's value
	refused  atomic.Uint64 // unexpected errors
}

// A user uses its own keys, and knows the right answers for them.
type user struct {
	cache *Cache[key, string]
	id    int
	ttl   time.Duration
	found *findings

	mustHold []time.Time // for each key, until when the cache must hold it; zero if it must not
}

func (u *user) exerciseUntil(end time.Time) {
	for time.Now().Before(end) {
		n := rand.N(len(u.mustHold))
		switch p := rand.N(100); {
		case p < 60:
			u.get(n)
		case p < 80:
			u.set(n)
		case p < 90:
			u.touch(n)
		default:
			u.delete(n)
		}
	}
}

func (u *user) get(n int) {
	value, ok := u.cache.Get(key{u.id, n})
	u.judge(n, ok)
	if ok && value != u.value(n) {
		u.found.mixedUp.Add(1)
	}
}

func (u *user) set(n int) {
	ttl := rand.N(u.ttl)
	now := time.Now() // before Set: the entry lives at least until now+ttl
	if u.cache.Set(key{u.id, n}, u.value(n), ttl) != nil {
		u.found.refused.Add(1)
	}
	u.mustHold[n] = now.Add(ttl)
}

func (u *user) touch(n int) {
	ttl := rand.N(u.ttl)
	now := time.Now()
	ok, err := u.cache.Touch(key{u.id, n}, ttl)
	if err != nil {
		u.found.refused.Add(1)
	}
	u.judge(n, ok)
	if ok {
		u.found.touches.Add(1)
		u.mustHold[n] = now.Add(ttl)
	}
}

func (u *user) delete(n int) {
	u.judge(n, u.cache.Delete(key{u.id, n}))
	u.found.deletes.Add(1)
	u.mustHold[n] = time.Time{}
}

// judge compares an answer of the cache with what u knows of the key. The cache may still
// hold an entry for a moment after its ttl, because expiry is never early but a little
// late. Once an entry is missing it must not come back.
func (u *user) judge(n int, ok bool) {
	switch {
	case ok && u.mustHold[n].IsZero():
		u.found.ghosts.Add(1)
	case ok:
		u.found.hits.Add(1)
	case time.Now().Before(u.mustHold[n]):
		u.found.tooEarly.Add(1)
	default:
		u.found.misses.Add(1)
	}
	if !ok {
		u.mustHold[n] = time.Time{}
	}
}

func (u *user) value(n int) string { return fmt.Sprint(u.id, "/", n) }

func report(f *findings, left int, cache *Cache[key, string], s timerwheel.Stats) error {
	c := cache.Stats()
	fmt.Printf("          %d hits, %d misses, %d touches, %d deletes\n", f.hits.Load(), f.misses.Load(), f.touches.Load(), f.deletes.Load())
	fmt.Printf("          %d entries inserted, %d expired, %d deleted, %d of these by Close\n", c.Inserted, c.Expired, c.Deleted, left)
	fmt.Printf("          latest expiry %v after its ttl\n\n", s.MaxLate.Round(time.Microsecond))

	failed := 0
	expect := func(ok bool, what string) {
		result := "ok    "
		if !ok {
			result = "FAILED"
			failed++
		}
		fmt.Printf("  %s  %s\n", result, what)
	}
	expect(f.tooEarly.Load() == 0, "no entry expired early")
	expect(f.ghosts.Load() == 0, "no deleted entry was found")
	expect(f.mixedUp.Load() == 0, "no entry had the value of another")
	expect(f.refused.Load() == 0, "no call failed")
	expect(c.Inserted == c.Expired+c.Deleted && cache.Len() == 0, "inserted = expired + deleted, and the cache is empty")
	expect(c.Expired == s.Fired, "expired = fired by the wheel")
	expect(s.Live == 0 && s.Registered == s.Fired+s.Removed, "no timer is left, and Registered = Fired + Removed")
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}
