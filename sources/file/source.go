package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/starlift-etl/starlift/pipeline"
)

const (
	blockBytes = 1 << 20
	queued     = 4 // blocks
	// listed bounds the mistakes that one error names.
	listed = 10
)

// Source reads local files. It is bounded: Read ends with io.EOF.
type Source struct {
	name   string
	cfg    Config
	format pipeline.Format

	// What tests change.
	blockBytes int
	open       func(path string) (handle, error)

	read  atomic.Int64
	total int64

	queue  chan *pipeline.Records
	err    error // why queue was closed; read after that
	cancel context.CancelFunc
	reader sync.WaitGroup
}

var (
	_ pipeline.Source = (*Source)(nil)
	_ pipeline.Sized  = (*Source)(nil)
)

// input is one file to read.
type input struct {
	partition string
	path      string
	at        *cursor   // nil = its start
	promised  *dataFile // what an export's manifest says of it; nil = nothing
}

// New returns a source. All mistakes in the configuration are *spec.FieldError,
// joined.
func New(name string, cfg Config) (*Source, error) {
	if cfg.MaxRecord == 0 {
		cfg.MaxRecord = defaultMaxRecord
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Source{name: name, cfg: cfg, blockBytes: blockBytes, open: openFile}, nil
}

// Open lists the files, compares those that have cursors with what was read of
// them, and begins to read ahead. Cursors of files that are gone are ignored.
func (s *Source) Open(ctx context.Context, cursors map[string][]byte) error {
	if s.cancel != nil {
		return errors.New("file source: opened twice")
	}
	s.format = s.cfg.format()
	inputs, err := s.list()
	if err != nil {
		return err
	}
	s.total = 0
	s.read.Store(0)
	var todo []input
	var errs []error
	for _, in := range inputs {
		if err := ctx.Err(); err != nil {
			return err
		}
		left, done, err := s.place(&in, cursors[in.partition])
		if err != nil && len(errs) < listed {
			errs = append(errs, err)
		}
		s.total += left
		if !done {
			todo = append(todo, in)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	working, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.queue = make(chan *pipeline.Records, queued)
	s.reader.Go(func() {
		s.err = s.readAll(working, todo)
		close(s.queue)
	})
	return nil
}

// list returns the files in the order in which they are read.
func (s *Source) list() ([]input, error) {
	if s.format.Encoding == pipeline.DynamoDBExport {
		return s.listExport()
	}
	paths, err := doublestar.FilepathGlob(s.cfg.Path, doublestar.WithFailOnIOErrors(), doublestar.WithNoHidden())
	if err != nil {
		return nil, transient(fmt.Errorf("path %q: %w", s.cfg.Path, err))
	}
	slices.Sort(paths)
	var inputs []input
	folders := 0
	for _, path := range slices.Compact(paths) {
		info, err := os.Stat(path)
		if err != nil {
			return nil, transient(fmt.Errorf("path %q: %w", s.cfg.Path, err))
		}
		if info.IsDir() {
			folders++
			continue
		}
		inputs = append(inputs, input{partition: path, path: path})
	}
	if len(inputs) > 0 {
		return inputs, nil
	}
	if folders > 0 {
		return nil, fmt.Errorf("path %q: only folders match: to read the files in them, write %s/*", s.cfg.Path, s.cfg.Path)
	}
	where, err := os.Getwd()
	if err != nil {
		where = "the working directory"
	}
	return nil, fmt.Errorf("path %q: no file matches (paths are relative to %s)", s.cfg.Path, where)
}

// place reads the file's cursor and returns the bytes that are left to read.
func (s *Source) place(in *input, saved []byte) (left int64, done bool, err error) {
	if saved == nil {
		info, err := os.Stat(in.path)
		if err != nil {
			return 0, false, transient(err)
		}
		return info.Size(), false, nil
	}
	in.at, err = decodeCursor(saved)
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", in.path, err)
	}
	st, err := openStored(in.path, s.open)
	if err != nil {
		return 0, false, err
	}
	err = errors.Join(in.at.check(st), st.file.Close())
	switch {
	case err != nil:
		return 0, false, err
	case in.at.Done && in.at.Size == st.size:
		return 0, true, nil
	case st.packing == plain:
		return st.size - in.at.Offset, false, nil
	}
	return st.size, false, nil
}

// Read returns the records of the next block.
func (s *Source) Read(ctx context.Context) (*pipeline.Records, error) {
	if s.queue == nil {
		return nil, errors.New("file source: not open")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r, ok := <-s.queue:
		if !ok {
			return nil, s.err
		}
		return r, nil
	}
}

// readAll reads the files and returns why it ended, io.EOF when all are read.
func (s *Source) readAll(ctx context.Context, inputs []input) error {
	u := &unpacker{raw: counter{total: &s.read}}
	defer u.close()
	for i := range inputs {
		if err := s.readFile(ctx, u, &inputs[i]); err != nil {
			return err
		}
	}
	return io.EOF
}

// readFile reads one file from its cursor to its end.
func (s *Source) readFile(ctx context.Context, u *unpacker, in *input) (err error) {
	st, err := openStored(in.path, s.open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.file.Close()) }()
	at := cursor{Line: 1, Head: headOf(st.first), Packing: st.packing}
	if in.at != nil {
		at = *in.at
		if err := at.check(st); err != nil { // it may have been replaced since Open
			return err
		}
	}
	at.Done, at.Cut, at.Size = false, false, st.size
	if s.format.Encoding != pipeline.JSON {
		at.Layout = lines
	}
	if in.promised != nil {
		if err := in.promised.verify(ctx, st); err != nil {
			return err
		}
	}
	if err := u.start(ctx, st, at.Offset); err != nil {
		return fmt.Errorf("%s: %w", st.path, err)
	}
	return s.readBlocks(ctx, newBlocks(u, in.path, at, s.blockBytes, int(s.cfg.MaxRecord)), in, st)
}

// readBlocks queues a file's blocks. The newest is held back until it is known
// whether it is the last.
func (s *Source) readBlocks(ctx context.Context, b *blocks, in *input, st *stored) error {
	var held *block
	for {
		next, err := b.next(ctx)
		if err == io.EOF && in.promised != nil {
			err = in.promised.checkItems(st.path, b.at.Records)
			if err == nil {
				err = io.EOF
			}
		}
		if held != nil {
			if err == io.EOF {
				held.end = b.at
				held.end.Done = true
				if st.packing == plain {
					held.end.Size = b.at.Offset // it may have grown since it was opened
				}
			}
			if !s.hand(ctx, held, in) {
				return ctx.Err()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		held = next
	}
}

// hand queues a block; false = ctx was cancelled.
func (s *Source) hand(ctx context.Context, b *block, in *input) bool {
	r := &pipeline.Records{
		Source:      s.name,
		Partition:   in.partition,
		Format:      &s.format,
		Data:        b.data,
		Spans:       b.spans,
		First:       b.start.Records,
		CursorAfter: b.cursorAfter,
	}
	select {
	case s.queue <- r:
		return true
	case <-ctx.Done():
		return false
	}
}

// Size returns the stored bytes that are read and those to read, from the
// cursors given to Open. A compressed file that is read on counts whole: it is
// decompressed from its start.
func (s *Source) Size() (read, total int64) { return s.read.Load(), s.total }

// Committed does nothing: files need not be told.
func (s *Source) Committed(context.Context, map[string][]byte) error { return nil }

// Close ends the reading ahead and waits for it. Open may be called again.
func (s *Source) Close() error {
	if s.cancel != nil {
		s.cancel()
		s.reader.Wait()
		s.cancel, s.queue = nil, nil
	}
	return nil
}
