package main

import (
	"fmt"
	"os"
	"strings"
)

// A journal is a file in which a worker says what it is about to do, a line each. It survives a kill of
// the worker, and tells the program's checks what the worker did. A worker in production needs none.
//
//	claim ID N   the worker got the engine's N-th delivery of a deadline
//	fire ID N    it is about to fire it
//	ack ID N     the engine knows that it has fired
//	lapse ID N   it has dropped its claim, which may be another's by now
//	late - 0     it was held up, or the engine was, so that claims may have lapsed
type journal struct{ file *os.File }

func openJournal(name string) (journal, error) {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return journal{file}, err
}

// write adds a line, in one system call.
func (j journal) write(what, id string, delivery uint64) error {
	_, err := fmt.Fprintf(j.file, "%s %s %d\n", what, id, delivery)
	return err
}

// An entry is a line of a journal.
type entry struct {
	what, id string
	delivery uint64
}

// readJournal returns the entries of a journal. If there is none yet, there are none.
func readJournal(name string) (all []entry, err error) {
	text, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var e entry
		if _, err := fmt.Sscan(line, &e.what, &e.id, &e.delivery); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", name, line, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// held returns the claims that a worker with these entries has, and by how many firings it has not
// acknowledged.
func held(entries []entry) (claims, unacked int) {
	type claim struct {
		id       string
		delivery uint64
	}
	fired := map[claim]bool{}
	for _, e := range entries {
		c := claim{e.id, e.delivery}
		switch e.what {
		case "claim":
			fired[c] = false
		case "fire":
			fired[c] = true
		case "ack":
			delete(fired, c)
		case "lapse":
			if !fired[c] {
				delete(fired, c)
			}
		}
	}
	for _, f := range fired {
		if f {
			unacked++
		}
	}
	return len(fired), unacked
}
