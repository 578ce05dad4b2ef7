//go:build !unix

package terminal

import "io"

// columnsOf returns how wide a terminal is; 0 = unknown.
func columnsOf(io.Writer) int { return 0 }
