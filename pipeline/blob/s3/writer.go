package s3

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// writeParts is how many parts of a writer are sent at a time; as many, and one more, are in memory.
const writeParts = 2

// Create implements blob.Objects. What is written stays in memory up to the size of a part; the
// object is sent as a whole if there is no more of it.
func (s *Store) Create(ctx context.Context, name string, o blob.CreateOptions) (blob.Writer, error) {
	key, err := s.newKey(name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &writer{store: s, name: name, key: key, o: o, partSize: int(s.o.S3.part()), sum: blob.NewCRC64NVME()}
	w.parent = ctx
	w.group, w.ctx = errgroup.WithContext(ctx)
	w.group.SetLimit(writeParts)
	return w, nil
}

// writer is an object whose size nobody knows yet.
type writer struct {
	store     *Store
	name, key string
	o         blob.CreateOptions
	partSize  int

	parent context.Context // that of Create
	ctx    context.Context // done after an error of the group
	group  *errgroup.Group // sends parts
	buffer []byte
	size   int64
	sum    hash.Hash64
	upload *multipart // nil = nothing was sent yet
	closed bool
}

// Write implements io.Writer.
func (w *writer) Write(b []byte) (int, error) {
	if w.closed {
		return 0, fmt.Errorf("%s: %w", w.store.URL(w.name), fs.ErrClosed)
	}
	written := 0
	for len(b) > 0 {
		n := min(len(b), w.partSize-len(w.buffer))
		w.buffer = append(w.buffer, b[:n]...)
		w.sum.Write(b[:n]) // a hash returns no error
		b, written, w.size = b[n:], written+n, w.size+int64(n)
		if len(w.buffer) == w.partSize {
			if err := w.send(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// send hands the buffer over as a part.
func (w *writer) send() (err error) {
	if err := w.ctx.Err(); err != nil {
		return errors.Join(err, w.group.Wait())
	}
	if w.upload == nil {
		if w.upload, err = w.store.begin(w.parent, w.name, w.key); err != nil {
			w.upload = nil
			return err
		}
	}
	number, err := w.upload.add()
	if err != nil {
		return err
	}
	p := w.store.payloadOf(w.buffer)
	w.buffer = make([]byte, 0, w.partSize)
	m := w.upload
	w.group.Go(func() error { return m.sendAs(w.ctx, number, p) })
	return nil
}

// Finish implements blob.Writer.
func (w *writer) Finish() error {
	if w.closed {
		return fmt.Errorf("%s: %w", w.store.URL(w.name), fs.ErrClosed)
	}
	w.closed = true
	content := blob.Content{Size: w.size, CRC64NVME: blob.ChecksumText(w.sum)}
	again, err := w.finish(content)
	if errors.Is(err, errTaken) || errors.Is(err, errGone) || errors.Is(err, fs.ErrNotExist) {
		// An answer may have been lost: then it is our own that is there.
		if again && w.store.compare(w.parent, w.name, content) == nil {
			return w.Abort()
		}
	}
	switch {
	case w.o.IfTag != "" && (errors.Is(err, errTaken) || errors.Is(err, fs.ErrNotExist)):
		return fmt.Errorf("%w: %w", blob.ErrChanged, err)
	case errors.Is(err, errTaken):
		return &fs.PathError{Op: "create", Path: w.store.URL(w.name), Err: fs.ErrExist}
	case errors.Is(err, errSendAgain):
		return pipeline.TransientFor(awsapi.Unavailable, err)
	case err == nil:
		w.upload = nil
	}
	return err
}

func (w *writer) finish(content blob.Content) (again bool, err error) {
	if w.upload == nil {
		if err := w.group.Wait(); err != nil { // it has sent nothing; this ends its context
			return false, err
		}
		return w.store.put(w.parent, w.name, w.key, w.store.payloadOf(w.buffer), w.o)
	}
	if len(w.buffer) > 0 {
		if err := w.send(); err != nil {
			return false, err
		}
	}
	if err := w.group.Wait(); err != nil {
		return false, err
	}
	if conditional(w.o) {
		// There are servers that mind no condition at the end.
		if err := w.store.meets(w.parent, w.name, w.o); err != nil {
			return false, err
		}
	}
	return w.upload.complete(w.parent, content, w.o)
}

// Abort implements blob.Writer.
func (w *writer) Abort() error {
	w.closed, w.buffer = true, nil
	waited := w.group.Wait() // so that no part comes after the abort
	if w.upload == nil {
		return nil
	}
	m := w.upload
	w.upload = nil
	err := m.abort(w.parent)
	if err != nil && waited != nil {
		return errors.Join(err, waited)
	}
	return err
}
