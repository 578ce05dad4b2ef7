package reference

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
)

// quietPeriod is how long a file must not have been written to before it is read.
const quietPeriod = time.Second

// file is a reference in a file of the local disk, or in an object of a store, which appears as a
// whole.
type file struct {
	path string
	cfg  bloburl.ReaderConfig
	now  func() time.Time
	load func(ctx context.Context, object blob.Object) (*snapshot, error)

	store blob.Store
	name  string    // in it
	last  blob.Info // that was read last; zero = none

	seen   blob.Info // the file when it was last looked at, and when that was
	seenAt time.Time
}

var _ source = (*file)(nil)

// String implements source.
func (f *file) String() string { return f.path }

// open implements source.
func (f *file) open(_ context.Context, env pipeline.Env) (err error) {
	f.store, f.name, err = f.cfg.File(f.path, env)
	return err
}

func (f *file) close() {}

func (f *file) remote() bool { return bloburl.IsRemote(f.path) }

// read implements source: the version is the time at which the file was last changed.
func (f *file) read(ctx context.Context, again bool) (*snapshot, error) {
	info, err := f.store.Stat(ctx, f.name)
	if errors.Is(err, fs.ErrNotExist) && f.remote() {
		err = fmt.Errorf("%w: there is no such object, or no such bucket: see path, region and endpoint", err)
	}
	if err != nil {
		return nil, err
	}
	if !again && f.last.Name != "" && f.same(info, f.last) {
		return nil, nil
	}
	if !f.remote() && !f.settled(info, f.now()) {
		return nil, fmt.Errorf("%s: %w", f.path, errUnstable)
	}
	s, err := f.readObject(ctx, info)
	if err != nil {
		return nil, err
	}
	s.version, f.last = info.Modified.UnixMicro(), info
	return s, nil
}

// same reports whether two descriptions are of one content. Of an object that its tag says, which
// stays when the same is written again.
func (f *file) same(a, b blob.Info) bool {
	if f.remote() && a.Tag != "" && b.Tag != "" {
		return a.Tag == b.Tag && a.Size == b.Size
	}
	return a.Same(b)
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
func (f *file) readObject(ctx context.Context, info blob.Info) (s *snapshot, err error) {
	unstable := fmt.Errorf("%s: %w", f.path, errUnstable)
	o, err := f.store.Open(ctx, info.Name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if !f.same(o.Info(), info) {
		return nil, unstable
	}
	s, err = f.loadObject(ctx, o)
	after, statErr := f.store.Stat(ctx, info.Name)
	switch {
	case errors.Is(err, blob.ErrChanged), errors.Is(statErr, fs.ErrNotExist), statErr == nil && !f.same(after, info):
		return nil, unstable // neither s nor err counts
	case err == nil && statErr != nil:
		return nil, statErr
	}
	return s, err
}

// loadObject loads the object. One that is not on the local disk is read once, from begin to end: its
// reader goes back and forth in it, and each step would be a request.
func (f *file) loadObject(ctx context.Context, o blob.Object) (*snapshot, error) {
	if !f.remote() || o.Info().Size > bytesMax {
		return f.load(ctx, o)
	}
	content, err := o.Range(ctx, 0, -1)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(make([]byte, 0, o.Info().Size+bytes.MinRead))
	_, err = b.ReadFrom(content)
	if err := errors.Join(err, content.Close()); err != nil {
		return nil, err
	}
	return f.load(ctx, memoryObject{o, bytes.NewReader(b.Bytes())})
}

// memoryObject is an object whose content is in memory.
type memoryObject struct {
	blob.Object
	content *bytes.Reader
}

// ReadAt reads from memory.
func (o memoryObject) ReadAt(p []byte, offset int64) (int, error) { return o.content.ReadAt(p, offset) }

// Range reads from memory.
func (o memoryObject) Range(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	if length < 0 {
		length = o.content.Size() - offset
	}
	return io.NopCloser(io.NewSectionReader(o.content, offset, length)), nil
}
