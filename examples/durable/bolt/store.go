package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// A store keeps deadlines, and what they have done, in a file of bbolt. It knows no timers.
//
// Each method that changes something returns after its transaction has been committed and
// synced. Methods that are called at the same time share a transaction (bbolt's Batch).
type store struct{ db *bbolt.DB }

// A deadline is what the store keeps for a key.
type deadline struct {
	When time.Time // by the wall clock: a monotonic reading means nothing to another process
	ID   string    // of this deadline: the key's next one has another
}

// A firing is what a deadline does in this program: it leaves a record in the store.
type firing struct {
	Key string
	deadline
	At time.Time // when it fired
}

var (
	deadlines = []byte("deadlines") // key: deadline
	firings   = []byte("firings")   // sequence number: firing. Not by key: a second firing must show
	cached    = []byte("cached")    // key: cacheEntry; what a clean shutdown has saved
)

func openStore(file string) (*store, error) {
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		return nil, err
	}
	db.MaxBatchDelay = time.Millisecond // how long a change waits for others that share its transaction
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{deadlines, firings, cached} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		db.Close()
		return nil, err
	}
	return &store{db}, nil
}

func (s *store) close() error { return s.db.Close() }

// put stores the key's deadline, and reports whether it replaced one.
func (s *store) put(key string, d deadline) (replaced bool, err error) {
	err = s.db.Batch(func(tx *bbolt.Tx) error {
		b := tx.Bucket(deadlines)
		replaced = b.Get([]byte(key)) != nil
		return putJSON(b, []byte(key), d)
	})
	return replaced, err
}

// remove removes the key's deadline, and reports whether there was one.
func (s *store) remove(key string) (found bool, err error) {
	err = s.db.Batch(func(tx *bbolt.Tx) error {
		b := tx.Bucket(deadlines)
		found = b.Get([]byte(key)) != nil
		return b.Delete([]byte(key))
	})
	return found, err
}

func (s *store) get(key string) (d deadline, found bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket(deadlines).Get([]byte(key))
		found = value != nil
		if !found {
			return nil
		}
		return json.Unmarshal(value, &d)
	})
	return d, found, err
}

// fire replaces the key's deadline by the record of its firing, in one transaction: so the two are
// never both there, and never both gone. If the store has another deadline than d for the key, or
// none, fire does nothing.
func (s *store) fire(key string, d deadline, at time.Time) error {
	return s.db.Batch(func(tx *bbolt.Tx) error {
		b := tx.Bucket(deadlines)
		var stored deadline
		value := b.Get([]byte(key))
		if value == nil {
			return nil
		}
		if err := json.Unmarshal(value, &stored); err != nil {
			return err
		}
		if stored.ID != d.ID {
			return nil
		}
		if err := b.Delete([]byte(key)); err != nil {
			return err
		}
		f := tx.Bucket(firings)
		n, err := f.NextSequence()
		if err != nil {
			return err
		}
		return putJSON(f, binary.BigEndian.AppendUint64(nil, n), firing{key, d, at})
	})
}

// deadlines returns all deadlines, by key.
func (s *store) deadlines() (map[string]deadline, error) {
	all := map[string]deadline{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(deadlines).ForEach(func(key, value []byte) error {
			var d deadline
			if err := json.Unmarshal(value, &d); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			all[string(key)] = d
			return nil
		})
	})
	return all, err
}

// firings returns the records of all firings, in their order.
func (s *store) firings() (all []firing, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(firings).ForEach(func(_, value []byte) error {
			var f firing
			if err := json.Unmarshal(value, &f); err != nil {
				return err
			}
			all = append(all, f)
			return nil
		})
	})
	return all, err
}

// saveCache stores the cache's entries.
func (s *store) saveCache(entries []cacheEntry) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(cached)
		for _, e := range entries {
			if err := putJSON(b, []byte(e.Key), e); err != nil {
				return err
			}
		}
		return nil
	})
}

// takeCache returns what saveCache has stored, and removes it: a crash must not find an old cache.
func (s *store) takeCache() (entries []cacheEntry, err error) {
	err = s.db.Update(func(tx *bbolt.Tx) error {
		err := tx.Bucket(cached).ForEach(func(_, value []byte) error {
			var e cacheEntry
			if err := json.Unmarshal(value, &e); err != nil {
				return err
			}
			entries = append(entries, e)
			return nil
		})
		if err != nil {
			return err
		}
		if err := tx.DeleteBucket(cached); err != nil {
			return err
		}
		_, err = tx.CreateBucket(cached)
		return err
	})
	return entries, err
}

func putJSON(b *bbolt.Bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, text)
}
