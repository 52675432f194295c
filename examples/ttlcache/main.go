// Ttlcache is a generic cache whose entries expire, built on lock-bound timers: go run
// ./examples/ttlcache
//
// The cache is in cache.go. This file exercises it: several goroutines set,
// get, touch and delete keys with short lives. Each has keys of its own, so it
// knows what the cache has to answer. The program exits with status 1 if the
// cache ever answers otherwise.
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
)

func main() {
	duration := flag.Duration("for", time.Second, "how long to exercise the cache")
	users := flag.Int("users", 4, "goroutines that use the cache at the same time")
	keys := flag.Int("keys", 1000, "keys of each of them")
	ttl := flag.Duration("ttl", 20*time.Millisecond, "longest life of an entry")
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

	var found findings
	end := time.Now().Add(duration)
	var wg sync.WaitGroup
	for i := range users {
		u := user{cache: cache, id: i, ttl: ttl, sure: make([]time.Time, keys), found: &found}
		wg.Go(func() { u.exerciseUntil(end) })
	}
	wg.Wait()

	left := cache.Len()
	cache.Close()
	return report(&found, left, cache, wheel.Stats())
}

// A key belongs to one user.
type key struct{ user, number int }

// findings counts what users found, right and wrong.
type findings struct {
	hits, misses, touches, deletes atomic.Uint64

	tooEarly atomic.Uint64 // entries gone before their time
	ghosts   atomic.Uint64 // entries there although deleted
	mixedUp  atomic.Uint64 // entries with another key's value
	refused  atomic.Uint64 // errors, where there is no reason for any
}

// A user knows what to expect of its own keys.
type user struct {
	cache *Cache[key, string]
	id    int
	ttl   time.Duration
	sure  []time.Time // until then the key must be there; zero: it must not
	found *findings
}

func (u *user) exerciseUntil(end time.Time) {
	for time.Now().Before(end) {
		n := rand.N(len(u.sure))
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
	u.sure[n] = now.Add(ttl)
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
		u.sure[n] = now.Add(ttl)
	}
}

func (u *user) delete(n int) {
	u.judge(n, u.cache.Delete(key{u.id, n}))
	u.found.deletes.Add(1)
	u.sure[n] = time.Time{}
}

// judge compares what the cache has just said of a key with what u knows. An
// entry whose time is over may be found for a moment, since expiry is never
// early but a little late; one that was missed once must not come back.
func (u *user) judge(n int, ok bool) {
	switch {
	case ok && u.sure[n].IsZero():
		u.found.ghosts.Add(1)
	case ok:
		u.found.hits.Add(1)
	case time.Now().Before(u.sure[n]):
		u.found.tooEarly.Add(1)
	default:
		u.found.misses.Add(1)
	}
	if !ok {
		u.sure[n] = time.Time{}
	}
}

func (u *user) value(n int) string { return fmt.Sprint(u.id, "/", n) }

func report(f *findings, left int, cache *Cache[key, string], s timerwheel.Stats) error {
	c := cache.Stats()
	fmt.Printf("ttlcache: %d hits, %d misses, %d touches, %d deletes\n", f.hits.Load(), f.misses.Load(), f.touches.Load(), f.deletes.Load())
	fmt.Printf("          %d entries inserted, %d expired, %d deleted, %d of these by Close\n", c.Inserted, c.Expired, c.Deleted, left)
	fmt.Printf("          latest expiry %v after its time\n\n", s.MaxLate.Round(time.Microsecond))

	failed := 0
	that := func(ok bool, what string) {
		result := "ok    "
		if !ok {
			result = "FAILED"
			failed++
		}
		fmt.Printf("  %s  %s\n", result, what)
	}
	that(f.tooEarly.Load() == 0, "no entry expired before its time")
	that(f.ghosts.Load() == 0, "no deleted entry was found again")
	that(f.mixedUp.Load() == 0, "no entry had another's value")
	that(f.refused.Load() == 0, "no call failed")
	that(c.Inserted == c.Expired+c.Deleted && cache.Len() == 0, "inserted = expired + deleted, and the cache is empty")
	that(c.Expired == s.Fired, "expired = fired by the wheel")
	that(s.Live == 0 && s.Registered == s.Fired+s.Removed, "no timer is left, and Registered = Fired + Removed")
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}
