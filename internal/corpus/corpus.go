// Package corpus reads the seeds of a fuzz test, for tests that check what its corpus covers.
package corpus

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Seeds returns the seeds of a fuzz test of the package under test, by their names. The fuzz
// test takes one []byte.
func Seeds(t testing.TB, fuzz string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/fuzz/" + fuzz + "/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no seeds of %s: %v", fuzz, err)
	}
	seeds := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		quoted, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "go test fuzz v1\n[]byte(")
		if !ok {
			t.Fatalf("%s is no seed of one []byte", file)
		}
		program, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		seeds[filepath.Base(file)] = []byte(program)
	}
	return seeds
}
