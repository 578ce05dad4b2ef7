//go:build !unix

package postgres

import "testing"

// cpuSeconds is not known here.
func cpuSeconds(testing.TB) float64 { return 0 }
