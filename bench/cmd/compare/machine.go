package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
)

// describe returns the kind of this machine's processors, and a description of the machine,
// as far as the system describes them.
func describe() (figure.Processor, string) {
	info, _ := os.ReadFile("/proc/cpuinfo") // only Linux has it
	name, kind := processor(string(info))
	return kind, fmt.Sprintf("%s, %d processors, %s/%s", name, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
}

// kindFields are the lines of /proc/cpuinfo that say of which kind a processor is, on x86 and
// on ARM, and what they are called here.
var kindFields = []struct{ field, called string }{
	{"vendor_id", ""}, {"cpu family", "family "}, {"model", "model "},
	{"CPU implementer", "implementer "}, {"CPU variant", "variant "}, {"CPU part", "part "},
}

// processor returns the name and the kind of the first processor in the text of
// /proc/cpuinfo. Without such a text both are the architecture.
func processor(cpuinfo string) (name string, kind figure.Processor) {
	var parts []string
	for _, f := range kindFields {
		if value := cpuField(cpuinfo, f.field); value != "" {
			parts = append(parts, f.called+value)
		}
	}
	if len(parts) == 0 {
		parts = []string{runtime.GOARCH}
	}
	text := strings.Join(parts, ", ")
	name = text
	if model := cpuField(cpuinfo, "model name"); model != "" {
		name = fmt.Sprintf("%s (%s)", model, text)
	}
	return name, figure.Processor(text)
}

// cpuField returns the first value of a field, or "" if there is none.
func cpuField(cpuinfo, field string) string {
	m := regexp.MustCompile(`(?m)^` + field + `[ \t]*:[ \t]*(.*?)[ \t]*$`).FindStringSubmatch(cpuinfo)
	if m == nil {
		return ""
	}
	return m[1]
}
