//go:build !unix

package main

// descriptorLimit returns false: the limit is unknown on this system.
func descriptorLimit() (uint64, bool) { return 0, false }
