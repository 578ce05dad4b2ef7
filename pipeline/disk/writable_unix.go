//go:build unix

package disk

import "golang.org/x/sys/unix"

// writable returns why a file can't be made in a folder.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }
