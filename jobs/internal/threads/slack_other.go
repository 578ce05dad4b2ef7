//go:build !cgo || !linux

// Package threads sets up the threads of this process, but not here.
package threads
