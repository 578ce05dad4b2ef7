package reference

import (
	"context"
	"errors"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
)

// source is where a reference is read from. One goroutine calls its methods, but for String.
type source interface {
	// String names it for people, without secrets.
	fmt.Stringer
	// open readies it before the first read; what fails there is the configuration or
	// the machine's.
	open(ctx context.Context, env pipeline.Env) error
	// read returns the reference as it is now, whole, and whoever calls it owns it; or nil,
	// where it is known without reading it that it is what read returned last. again = read it
	// all the same. After errUnstable it may be read a moment later.
	read(ctx context.Context, again bool) (*snapshot, error)
	// close ends what open has begun. It may be called without it.
	close()
}

// errUnstable says that the reference is changing: a file may still be being written.
var errUnstable = errors.New("the file is being written to")
