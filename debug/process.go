package debug

import (
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// A Process is the program whose wheel a Report is about.
type Process struct {
	Host       string  `json:"host"`
	Name       string  `json:"name"` // of the executable
	PID        int     `json:"pid"`
	Go         string  `json:"go"`         // the version of Go that built it
	CPUs       int     `json:"cpus"`       // GOMAXPROCS
	Goroutines int     `json:"goroutines"` // of the whole program
	Uptime     float64 `json:"uptime"`     // since this package was initialised, which is just after the process began
}

var (
	begun   = time.Now()
	host, _ = os.Hostname() // empty if the system does not tell
)

func thisProcess() Process {
	return Process{
		Host:       host,
		Name:       filepath.Base(os.Args[0]),
		PID:        os.Getpid(),
		Go:         runtime.Version(),
		CPUs:       runtime.GOMAXPROCS(0),
		Goroutines: runtime.NumGoroutine(),
		Uptime:     time.Since(begun).Seconds(),
	}
}
