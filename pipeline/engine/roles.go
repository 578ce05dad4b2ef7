package engine

import (
	"context"
	"runtime/pprof"
)

// withRole returns f with the label "role" in profiles: which of the goroutines that doc.go
// names runs it. Goroutines that it starts have it too.
func withRole(role string, f func() error) func() error {
	return func() (err error) {
		pprof.Do(context.Background(), pprof.Labels("role", role), func(context.Context) { err = f() })
		return err
	}
}
