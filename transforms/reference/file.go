package reference

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

// quietPeriod is how long a file must not have been written to before it is read.
const quietPeriod = time.Second

// file is a reference in a file.
type file struct {
	path string
	now  func() time.Time
	load func(ctx context.Context, object blob.Object) (*snapshot, error)

	last blob.Info // that was read last; zero = none

	seen   blob.Info // the file when it was last looked at, and when that was
	seenAt time.Time
}

var _ source = (*file)(nil)

// String implements source.
func (f *file) String() string { return f.path }

func (f *file) open(context.Context, pipeline.Env) error { return nil }

func (f *file) close() {}

// read implements source: the version is the time at which the file was last changed.
func (f *file) read(ctx context.Context, again bool) (*snapshot, error) {
	store, name := blob.File(f.path, disk.Shared)
	info, err := store.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	if !again && f.last.Name != "" && info.Same(f.last) {
		return nil, nil
	}
	if !f.settled(info, f.now()) {
		return nil, fmt.Errorf("%s: %w", f.path, errUnstable)
	}
	s, err := f.readObject(ctx, store, info)
	if err != nil {
		return nil, err
	}
	s.version, f.last = info.Modified.UnixMicro(), info
	return s, nil
}

// settled reports whether the file has not been written to for a while: by its
// own time, or, should that be in the future, as far as we have seen.
func (f *file) settled(info blob.Info, at time.Time) bool {
	if at.Sub(info.Modified) >= quietPeriod {
		return true
	}
	if f.seen.Name == "" || !info.Same(f.seen) {
		f.seen, f.seenAt = info, at
	}
	return info.Modified.After(at) && at.Sub(f.seenAt) >= quietPeriod
}

// readObject reads the file whole, and reads nothing of one that changes meanwhile.
func (f *file) readObject(ctx context.Context, store blob.Store, info blob.Info) (s *snapshot, err error) {
	o, err := store.Open(ctx, info.Name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if !o.Info().Same(info) {
		return nil, fmt.Errorf("%s: %w", f.path, errUnstable)
	}
	s, err = f.load(ctx, o)
	after, statErr := store.Stat(ctx, info.Name)
	if statErr != nil || !after.Same(info) {
		return nil, fmt.Errorf("%s: %w", f.path, errUnstable) // neither s nor err counts
	}
	return s, err
}
