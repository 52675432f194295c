// Package intests has a deadlock in its test.
package intests
