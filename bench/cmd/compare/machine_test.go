package main

import (
	"os"
	"runtime"
	"testing"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/stretchr/testify/require"
)

func TestProcessor(t *testing.T) {
	for text, want := range map[string]struct {
		name string
		kind figure.Processor
	}{
		"processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nprocessor\t: 1\nmodel\t\t: 1\n": {
			"AMD EPYC (AuthenticAMD, family 25, model 17)", "AuthenticAMD, family 25, model 17",
		},
		"processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n": {
			"implementer 0x41, variant 0x3, part 0xd0c", "implementer 0x41, variant 0x3, part 0xd0c",
		},
		"": {runtime.GOARCH, figure.Processor(runtime.GOARCH)},
	} {
		name, kind := processor(text)
		require.Equal(t, want.name, name)
		require.Equal(t, want.kind, kind)
	}
}

// The results name the processor, so a check knows which figures are known of it.
func TestResultsNameTheProcessor(t *testing.T) {
	if _, err := os.Stat("/proc/cpuinfo"); err != nil {
		t.Skip("the system does not say which it is")
	}
	r := emptyResults()
	require.NotEmpty(t, r.Processor)
	require.Contains(t, r.Machine, string(r.Processor))
	require.Contains(t, r.Page(), string(r.Processor))
}
