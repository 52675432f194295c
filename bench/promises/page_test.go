package promises

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPage checks that RIVALS.md has the table that the tests check, of the versions that they
// run.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../RIVALS.md")
	require.NoError(t, err)
	require.Contains(t, string(page), table(), "the page must have this table")
	module, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	versions := regexp.MustCompile(`(?m)^\t(github.com/(?:RussellLuo|antlabs|zeromicro)/[^ ]* v[^ ]*)$`).FindAllString(string(module), -1)
	require.Len(t, versions, 3)
	for _, v := range versions {
		require.Contains(t, string(page), "`"+strings.TrimSpace(v)+"`")
	}
}

// table returns the promises of all libraries, one row for each promise.
func table() string {
	head, line := "| |", "|---|"
	for _, l := range libraries() {
		head += " " + l.name + " |"
		line += "---|"
	}
	text := head + " test |\n" + line + "---|\n"
	for _, row := range []struct {
		name string
		cell func(library) string
		test string
	}{
		{"A handler starts before its deadline", tooSoon, "Early"},
		{"Stop of a pending timer says", func(l library) string { return code(l.pending) }, "WhatStopSays"},
		{"… while the handler runs", func(l library) string { return code(l.running) }, "WhatStopSays"},
		{"… after the handler has returned", func(l library) string { return code(l.returned) }, "WhatStopSays"},
		{"… for the second time", func(l library) string { return code(l.stopped) }, "WhatStopSays"},
		{"A stop that waits for the handler", func(l library) string { return l.waits }, "StopThatWaits"},
		{"… called in that handler", func(l library) string { return code(l.ownHandler) }, "StopInTheHandler"},
		{"Wake-ups, one timer an hour away", wakes, "WakeUpsWhenIdle"},
		{"Memory of a pending timer and its handle", func(l library) string { return fmt.Sprintf("%d B", l.bytes) }, "Memory"},
		{"Memory of a stopped timer is released", func(l library) string { return l.releases }, "Memory"},
	} {
		text += "| " + row.name + " |"
		for _, l := range libraries() {
			text += " " + row.cell(l) + " |"
		}
		text += " `Test" + row.test + "` |\n"
	}
	return text
}

func tooSoon(l library) string {
	if l.early == 0 {
		return "never"
	}
	return fmt.Sprintf("by up to %d ms", l.early/time.Millisecond)
}

func wakes(l library) string {
	if l.ticks == 0 {
		return "none"
	}
	return fmt.Sprintf("%d a second", l.ticks)
}

// code sets words of a program.
func code(cell string) string {
	switch cell {
	case none, hangs, nothing:
		return cell
	}
	return "`" + cell + "`"
}
