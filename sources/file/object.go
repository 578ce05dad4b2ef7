package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/sources/file/listing"
)

// What is asked of a store before it is needed: each request takes tens of milliseconds,
// however little it asks for.
const (
	// wholeObjectBytes is the size up to which an object is asked for in one request.
	wholeObjectBytes = 1 << 20
	// objectHeadBytes is how much of a larger one is asked for when its first bytes are
	// looked at.
	objectHeadBytes = 64 << 10
	// openAheadMax is the number of objects that are opened before they are read. They take
	// up to wholeObjectBytes of memory each.
	openAheadMax = 32
)

// openFile opens a file, or an object of a store.
func openFile(ctx context.Context, files *listing.Tree, path string) (blob.Object, error) {
	o, err := files.Open(ctx, path)
	switch {
	case err != nil:
		return nil, err
	case o.Info().File() != nil:
		return o, nil
	case o.Info().Size > wholeObjectBytes:
		return &headObject{Object: o}, nil
	}
	content, err := contentOfObject(ctx, o)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return &wholeObject{Reader: bytes.NewReader(content), of: o}, nil
}

// contentOfObject returns all that an object holds.
func contentOfObject(ctx context.Context, o storedBytes) (content []byte, err error) {
	r, err := o.Range(ctx, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

// headObject is an object whose first bytes are kept when they were looked at.
type headObject struct {
	blob.Object
	head []byte
}

// ReadAt implements io.ReaderAt.
func (o *headObject) ReadAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) > objectHeadBytes {
		return o.Object.ReadAt(b, at)
	}
	if o.head == nil {
		head, err := part(o.Object, 0, objectHeadBytes)
		if err != nil {
			return 0, err
		}
		o.head = head
	}
	return bytes.NewReader(o.head).ReadAt(b, at)
}

// wholeObject is an object whose content is in memory.
type wholeObject struct {
	*bytes.Reader
	of blob.Object
}

// Info implements blob.Object.
func (o *wholeObject) Info() blob.Info { return o.of.Info() }

// Range implements blob.Object.
func (o *wholeObject) Range(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	return inMemory{o.Reader}.Range(ctx, offset, length)
}

// Close implements blob.Object.
func (o *wholeObject) Close() error { return o.of.Close() }

// inMemory is storedBytes in memory.
type inMemory struct{ *bytes.Reader }

// Range implements storedBytes.
func (m inMemory) Range(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if length < 0 {
		length = max(0, m.Size()-offset)
	}
	return io.NopCloser(io.NewSectionReader(m.Reader, offset, length)), ctx.Err()
}

// openAhead opens objects in their order, the next ones while others are read. One goroutine
// calls its methods.
type openAhead struct {
	ctx    context.Context
	cancel context.CancelFunc
	files  *listing.Tree
	paths  []string          // not begun yet
	begun  []chan openResult // in order, not taken yet
	tasks  sync.WaitGroup
}

// openResult is an open object, or why it can't be opened.
type openResult struct {
	object blob.Object
	err    error
}

// newOpenAhead begins to open what the paths name. The caller closes it.
func newOpenAhead(ctx context.Context, files *listing.Tree, paths []string) *openAhead {
	a := &openAhead{files: files, paths: paths}
	a.ctx, a.cancel = context.WithCancel(ctx)
	a.begin()
	return a
}

func (a *openAhead) begin() {
	for len(a.paths) > 0 && len(a.begun) < openAheadMax {
		path, result := a.paths[0], make(chan openResult, 1)
		a.paths, a.begun = a.paths[1:], append(a.begun, result)
		a.tasks.Go(func() {
			o, err := openFile(a.ctx, a.files, path)
			result <- openResult{o, err}
		})
	}
}

// next returns what waits for the next object, which comes soon once the ctx has ended. It has to be called,
// once, by any goroutine; whoever calls it closes the object.
func (a *openAhead) next() func() (blob.Object, error) {
	result := a.begun[0]
	a.begun = a.begun[1:]
	a.begin()
	return func() (blob.Object, error) {
		r := <-result
		return r.object, r.err
	}
}

// close closes what was opened and not given, and waits for what is being opened.
func (a *openAhead) close() error {
	a.cancel()
	a.tasks.Wait()
	var errs []error
	for _, result := range a.begun {
		if r := <-result; r.object != nil {
			errs = append(errs, r.object.Close())
		}
	}
	a.begun = nil
	return errors.Join(errs...)
}
