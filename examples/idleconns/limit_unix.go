//go:build unix

package main

import "syscall"

// descriptorLimit returns how many files this process may have open. The Go runtime has
// already raised the soft limit to the hard limit.
func descriptorLimit() (uint64, bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return uint64(limit.Cur), true
}
