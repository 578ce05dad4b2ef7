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

// Repeatable reports whether a call that failed may be made again as it is: what it has
// done already does not show. A conditional Finish would meet the object that it has made
// itself, and the writer of a Write does not know how much was taken.
func (o Op) Repeatable() bool {
	switch o {
	case OpWrite, OpFinish, OpAbort:
		return false
	}
	return true
}

// Call is one call of a store.
type Call struct {
	Op   Op
	Name string // of the object, or the prefix
}

// Wrapper makes a call by do, as often as it likes if it is repeatable, and returns what
// the caller is to get.
type Wrapper func(ctx context.Context, c Call, do func() error) error

// Wrap returns the store with a wrapper around each call. A listing is one call from its
// first object to its last.
func Wrap(s Store, w Wrapper) Store { return &wrappedStore{Store: s, around: w} }

type wrappedStore struct {
	Store
	around Wrapper
}

func (s *wrappedStore) List(ctx context.Context, prefix string, o ListOptions) iter.Seq2[Info, error] {
	return listAgain(ctx, s.around, Call{OpList, prefix}, func(i Info) string { return i.Name }, func() iter.Seq2[Info, error] { return s.Store.List(ctx, prefix, o) })
}

func (s *wrappedStore) Unfinished(ctx context.Context, prefix string) iter.Seq2[UnfinishedObject, error] {
	return listAgain(ctx, s.around, Call{OpUnfinished, prefix}, func(u UnfinishedObject) string { return u.ID }, func() iter.Seq2[UnfinishedObject, error] { return s.Store.Unfinished(ctx, prefix) })
}

// listAgain yields what a listing does. If it is made again, what was yielded already is
// passed over.
func listAgain[T any](ctx context.Context, around Wrapper, c Call, key func(T) string, list func() iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		yielded, ended := map[string]bool{}, false
		err := around(ctx, c, func() error {
			for v, err := range list() {
				if err != nil {
					return err
				}
				if yielded[key(v)] {
					continue
				}
				yielded[key(v)] = true
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
	err := s.around(ctx, Call{OpOpen, name}, func() (err error) {
		if o != nil { // of an attempt whose success was not believed
			err = o.Close()
		}
		if err == nil {
			o, err = s.Store.Open(ctx, name)
		}
		return err
	})
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
	r := &wrappedRange{of: o, ctx: ctx, at: offset, left: length}
	if err := o.around(ctx, o.call, r.open); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// wrappedRange is a range that is opened again where a read of it failed.
type wrappedRange struct {
	of       *wrappedObject
	ctx      context.Context
	at, left int64         // left < 0: to the end
	body     io.ReadCloser // nil = it is to be opened
}

func (r *wrappedRange) open() (err error) {
	if r.body == nil {
		r.body, err = r.of.Object.Range(r.ctx, r.at, r.left)
	}
	return err
}

func (r *wrappedRange) Read(b []byte) (n int, err error) {
	end := false
	err = r.of.around(r.ctx, r.of.call, func() error {
		if err := r.open(); err != nil {
			return err
		}
		n, err = r.body.Read(b)
		r.at += int64(n)
		if r.left > 0 {
			r.left = max(0, r.left-int64(n))
		}
		if end = err == io.EOF; end || n > 0 {
			return nil // an error behind bytes comes again
		}
		if err != nil {
			return errors.Join(err, r.Close())
		}
		return nil
	})
	if err == nil && end {
		err = io.EOF
	}
	return n, err
}

func (r *wrappedRange) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
