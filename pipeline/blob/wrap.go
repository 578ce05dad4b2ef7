package blob

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Op is a kind of call.
type Op string

// The calls that a wrapper sees.
const (
	OpList       Op = "list"
	OpStat       Op = "stat"
	OpOpen       Op = "open"
	OpRead       Op = "read" // ReadAt, Range, and what is read of a Range
	OpCreate     Op = "create"
	OpWrite      Op = "write" // of a Writer or a Tail
	OpFinish     Op = "finish"
	OpAbort      Op = "abort" // of a Writer; Close of a Tail
	OpDelete     Op = "delete"
	OpUpload     Op = "upload"
	OpAppend     Op = "append"
	OpUnfinished Op = "unfinished"
	OpDiscard    Op = "discard"
	OpPrune      Op = "prune"
	OpWritable   Op = "writable"
)

// Call is one call of a store.
type Call struct {
	Op   Op
	Name string // of the object, or the prefix
}

// Wrapper makes a call by do, or does not, and returns what the caller is to get.
type Wrapper func(ctx context.Context, c Call, do func() error) error

// Wrap returns the store with a wrapper around each call. A listing is one call from its
// first object to its last.
func Wrap(s Store, w Wrapper) Store { return &wrappedStore{Store: s, around: w} }

type wrappedStore struct {
	Store
	around Wrapper
}

func (s *wrappedStore) List(ctx context.Context, prefix string, o ListOptions) iter.Seq2[Info, error] {
	return wrappedList(ctx, s.around, Call{OpList, prefix}, s.Store.List(ctx, prefix, o))
}

func (s *wrappedStore) Unfinished(ctx context.Context, prefix string) iter.Seq2[UnfinishedObject, error] {
	return wrappedList(ctx, s.around, Call{OpUnfinished, prefix}, s.Store.Unfinished(ctx, prefix))
}

func wrappedList[T any](ctx context.Context, around Wrapper, c Call, list iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ended := false
		err := around(ctx, c, func() error {
			for v, err := range list {
				if err != nil {
					return err
				}
				if ended = !yield(v, nil); ended {
					break
				}
			}
			return nil
		})
		if err != nil && !ended {
			var none T
			yield(none, err)
		}
	}
}

func (s *wrappedStore) Stat(ctx context.Context, name string) (i Info, err error) {
	err = s.around(ctx, Call{OpStat, name}, func() error { i, err = s.Store.Stat(ctx, name); return err })
	return i, err
}

func (s *wrappedStore) Open(ctx context.Context, name string) (Object, error) {
	var o Object
	err := s.around(ctx, Call{OpOpen, name}, func() (err error) { o, err = s.Store.Open(ctx, name); return err })
	if err != nil {
		if o != nil {
			err = errors.Join(err, o.Close())
		}
		return nil, err
	}
	return &wrappedObject{Object: o, ctx: ctx, call: Call{OpRead, name}, around: s.around}, nil
}

type wrappedObject struct {
	Object
	ctx    context.Context // that of Open: ReadAt has none
	call   Call
	around Wrapper
}

func (o *wrappedObject) ReadAt(b []byte, at int64) (n int, err error) {
	end := false // of the object is no failure
	err = o.around(o.ctx, o.call, func() error {
		n, err = o.Object.ReadAt(b, at)
		if end = err == io.EOF; end {
			return nil
		}
		return err
	})
	if err == nil && end {
		err = io.EOF
	}
	return n, err
}

func (o *wrappedObject) Range(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	var r io.ReadCloser
	err := o.around(ctx, o.call, func() (err error) { r, err = o.Object.Range(ctx, offset, length); return err })
	if err != nil {
		if r != nil {
			err = errors.Join(err, r.Close())
		}
		return nil, err
	}
	return &wrappedRange{ReadCloser: r, of: o, ctx: ctx}, nil
}

type wrappedRange struct {
	io.ReadCloser
	of  *wrappedObject
	ctx context.Context
}

func (r *wrappedRange) Read(b []byte) (n int, err error) {
	end := false // of the range is no failure
	err = r.of.around(r.ctx, r.of.call, func() error {
		n, err = r.ReadCloser.Read(b)
		if end = err == io.EOF; end {
			return nil
		}
		return err
	})
	if err == nil && end {
		err = io.EOF
	}
	return n, err
}
