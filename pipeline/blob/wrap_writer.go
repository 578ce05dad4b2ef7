package blob

import (
	"context"
	"errors"
)

func (s *wrappedStore) Around(name string) ([]Store, error) {
	all, err := s.Store.Around(name)
	for i := range all {
		all[i] = Wrap(all[i], s.around)
	}
	return all, err
}

func (s *wrappedStore) Writable(ctx context.Context) error {
	return s.around(ctx, Call{OpWritable, ""}, func() error { return s.Store.Writable(ctx) })
}

func (s *wrappedStore) Create(ctx context.Context, name string, o CreateOptions) (Writer, error) {
	var w Writer
	err := s.around(ctx, Call{OpCreate, name}, func() (err error) { w, err = s.Store.Create(ctx, name, o); return err })
	if err != nil {
		if w != nil {
			err = errors.Join(err, w.Abort())
		}
		return nil, err
	}
	return &wrappedWriter{Writer: w, ctx: ctx, name: name, around: s.around}, nil
}

// wrappedWriter has the context of Create: its methods have none.
type wrappedWriter struct {
	Writer
	ctx    context.Context
	name   string
	around Wrapper
}

func (w *wrappedWriter) Write(b []byte) (n int, err error) {
	err = w.around(w.ctx, Call{OpWrite, w.name}, func() error { n, err = w.Writer.Write(b); return err })
	return n, err
}

func (w *wrappedWriter) Finish() error {
	return w.around(w.ctx, Call{OpFinish, w.name}, w.Writer.Finish)
}

func (w *wrappedWriter) Abort() error {
	// What is dropped is dropped though nobody waits any longer.
	return w.around(context.WithoutCancel(w.ctx), Call{OpAbort, w.name}, w.Writer.Abort)
}

func (s *wrappedStore) Append(ctx context.Context, name string) (Tail, error) {
	var t Tail
	err := s.around(ctx, Call{OpAppend, name}, func() (err error) { t, err = s.Store.Append(ctx, name); return err })
	if err != nil {
		if t != nil {
			err = errors.Join(err, t.Close())
		}
		return nil, err
	}
	return &wrappedTail{Tail: t, ctx: ctx, name: name, around: s.around}, nil
}

type wrappedTail struct {
	Tail
	ctx    context.Context
	name   string
	around Wrapper
}

func (t *wrappedTail) WriteAt(b []byte, at int64) (n int, err error) {
	err = t.around(t.ctx, Call{OpWrite, t.name}, func() error { n, err = t.Tail.WriteAt(b, at); return err })
	return n, err
}

func (t *wrappedTail) Truncate(size int64) error {
	return t.around(t.ctx, Call{OpWrite, t.name}, func() error { return t.Tail.Truncate(size) })
}

func (t *wrappedTail) Finish() error {
	return t.around(t.ctx, Call{OpFinish, t.name}, t.Tail.Finish)
}

func (t *wrappedTail) Close() error {
	return t.around(context.WithoutCancel(t.ctx), Call{OpAbort, t.name}, t.Tail.Close)
}

func (s *wrappedStore) Delete(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	return s.around(ctx, Call{OpDelete, names[0]}, func() error { return s.Store.Delete(ctx, names...) })
}

func (s *wrappedStore) Upload(ctx context.Context, file, name string, o UploadOptions) error {
	return s.around(ctx, Call{OpUpload, name}, func() error { return s.Store.Upload(ctx, file, name, o) })
}

func (s *wrappedStore) Discard(ctx context.Context, u UnfinishedObject) error {
	return s.around(ctx, Call{OpDiscard, u.Name}, func() error { return s.Store.Discard(ctx, u) })
}

func (s *wrappedStore) Prune(ctx context.Context, prefix string) error {
	return s.around(ctx, Call{OpPrune, prefix}, func() error { return s.Store.Prune(ctx, prefix) })
}
