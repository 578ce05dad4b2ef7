package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/starlift-etl/starlift/pipeline"
)

// listed bounds the mistakes that one error names.
const listed = 10

// Source reads local files. It is bounded: Read ends with io.EOF, unless it
// follows the files.
type Source struct {
	name   string
	cfg    Config
	format pipeline.Format
	block  int // bytes of a block, unless a record needs more
	// exactHead is how many bytes of a file's beginning are looked at one by one.
	exactHead int64
	now       func() time.Time
	tell      func(pipeline.Notice)

	read  atomic.Int64
	total int64

	queue   chan *pipeline.Records
	buffers *buffers
	exact   atomic.Bool // lines that look like a record were not; see splitter
	numbers int64       // of files, given so far; of the reading goroutine
	err     error       // why queue was closed; read after that
	cancel  context.CancelFunc
	reader  sync.WaitGroup
}

var (
	_ pipeline.Source   = (*Source)(nil)
	_ pipeline.Sized    = (*Source)(nil)
	_ pipeline.Noticing = (*Source)(nil)
)

// New returns a source. All mistakes in the configuration are *spec.FieldError,
// joined.
func New(name string, cfg Config) (*Source, error) {
	if cfg.MaxRecord == 0 {
		cfg.MaxRecord = defaultMaxRecord
	}
	if cfg.Follow && cfg.Poll == 0 {
		cfg.Poll = defaultPoll
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Source{name: name, cfg: cfg, block: defaultBlock, exactHead: defaultExact, now: time.Now}, nil
}

// OnNotice implements pipeline.Noticing. A followed file that is truncated, lost
// or can't be read is told of.
func (s *Source) OnNotice(tell func(pipeline.Notice)) { s.tell = tell }

// Open lists the files, compares those that have cursors with what was read of
// them, and begins to read ahead. Cursors of files that are gone are ignored.
func (s *Source) Open(ctx context.Context, cursors map[string][]byte) error {
	if s.cancel != nil {
		return errors.New("file source: opened twice")
	}
	s.format = s.cfg.format()
	s.total, s.buffers = 0, newBuffers(s.block)
	s.read.Store(0)
	if err := s.restoreNumbers(cursors); err != nil {
		return err
	}
	read, err := s.plan(ctx, cursors)
	if err != nil {
		return err
	}
	working, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.queue = make(chan *pipeline.Records, queuedBlocks)
	s.reader.Go(func() {
		s.err = read(working)
		close(s.queue)
	})
	return nil
}

// plan returns what reads the files from the cursors on.
func (s *Source) plan(ctx context.Context, cursors map[string][]byte) (read func(context.Context) error, err error) {
	if s.cfg.Follow {
		f, err := s.newFollower(cursors)
		if err != nil {
			return nil, err
		}
		return f.run, nil
	}
	inputs, err := s.list(cursors)
	if err != nil {
		return nil, err
	}
	if err := adopt(inputs, cursors); err != nil {
		return nil, err
	}
	var todo []*reader
	var errs []error
	for i := range inputs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, left, err := s.place(&inputs[i], cursors[inputs[i].partition])
		if err != nil && len(errs) < listed {
			errs = append(errs, err)
		}
		if r != nil {
			s.total += left
			todo = append(todo, r)
		}
	}
	return func(ctx context.Context) error { return s.readAll(ctx, todo) }, errors.Join(errs...)
}

// restoreNumbers goes on counting files behind those that were ever read.
func (s *Source) restoreNumbers(cursors map[string][]byte) error {
	s.numbers = 0
	for partition, raw := range cursors {
		c, err := parseCursor(partition, raw)
		if err != nil {
			return err
		}
		s.numbers = max(s.numbers, c.Number+1)
	}
	return nil
}

// number returns the number of another file.
func (s *Source) number() int64 {
	s.numbers++
	return s.numbers - 1
}

// list returns the files in the order in which they are read.
func (s *Source) list(cursors map[string][]byte) ([]input, error) {
	if s.format.Encoding == pipeline.DynamoDBExport {
		if bare, err := s.bareFiles(); err == nil && len(bare) > 0 {
			return listBare(bare), nil
		}
		if s.cfg.AsOf != "" {
			return nil, errTimed
		}
		return s.listExport(cursors)
	}
	paths, err := s.match()
	if err != nil {
		return nil, err
	}
	var inputs []input
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, transient(fmt.Errorf("path %q: %w", s.cfg.Path, err))
		}
		if !info.IsDir() {
			inputs = append(inputs, input{partition: path, path: path, items: -1})
		}
	}
	switch {
	case len(inputs) > 0:
		return inputs, nil
	case len(paths) > 0:
		return nil, fmt.Errorf("path %q: only folders match: to read the files in them, write %s/*", s.cfg.Path, s.cfg.Path)
	}
	return nil, fmt.Errorf("path %q: no file matches (paths are relative to %s)", s.cfg.Path, workingDir())
}

func workingDir() string {
	where, err := os.Getwd()
	if err != nil {
		return "the working directory"
	}
	return where
}

// match returns the names that the path matches, in order.
func (s *Source) match() ([]string, error) {
	var paths []string
	info, err := os.Stat(s.cfg.Path)
	if err == nil && info.IsDir() {
		var entries []os.DirEntry
		entries, err = os.ReadDir(s.cfg.Path)
		for _, e := range entries {
			if e.Name()[0] != '.' {
				paths = append(paths, filepath.Join(s.cfg.Path, e.Name()))
			}
		}
	} else {
		paths, err = doublestar.FilepathGlob(s.cfg.Path, doublestar.WithFailOnIOErrors(), doublestar.WithNoHidden())
	}
	if err != nil {
		return nil, transient(fmt.Errorf("path %q: %w", s.cfg.Path, err))
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// stats returns the files that the path matches and that are there.
func (s *Source) stats() ([]*found, error) {
	paths, err := s.match()
	if err != nil {
		return nil, err
	}
	var all []*found
	for _, path := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was renamed or removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			all = append(all, &found{path: path, info: info, id: idOf(info)})
		}
	}
	return all, nil
}

// place returns a reader of the file at its cursor, and the bytes that it has
// to read; nil = none are left.
func (s *Source) place(in *input, saved []byte) (r *reader, left int64, err error) {
	r = s.newReader(in, &cursor{})
	if saved == nil {
		info, err := os.Stat(in.path)
		if err != nil {
			return nil, 0, transient(err)
		}
		if !info.Mode().IsRegular() {
			return nil, 0, fmt.Errorf("%s: not a regular file", in.path)
		}
		return r, info.Size(), nil
	}
	at, err := parseCursor(in.partition, saved)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(in.path)
	if err != nil {
		return nil, 0, transient(err)
	}
	r.at = *at
	skip, err := at.identify(f, in.path) // changes at; the reader does it again
	if err = errors.Join(err, f.Close()); err != nil || skip {
		return nil, 0, transient(err)
	}
	left = at.Size
	if !at.Compressed {
		left -= at.Offset
	}
	return r, left, nil
}

// newReader returns a reader of a file from the cursor on.
func (s *Source) newReader(in *input, at *cursor) *reader {
	format := &s.format
	if in.format != nil {
		format = in.format
	}
	return &reader{in: in, at: *at, format: format, source: s.name, max: int(s.cfg.MaxRecord), block: s.block,
		read: &s.read, send: s.hand, buffers: s.buffers, number: s.number, exact: &s.exact, exactHead: s.exactHead}
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
func (s *Source) readAll(ctx context.Context, readers []*reader) error {
	for i, r := range readers {
		if err := r.run(ctx); err != nil {
			return err
		}
		readers[i] = nil // its last block is not kept until the end
	}
	return io.EOF
}

// hand queues records.
func (s *Source) hand(ctx context.Context, r *pipeline.Records) error {
	select {
	case s.queue <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Size returns the stored bytes that are read and those to read, from the
// cursors given to Open. A compressed file that is read on counts whole: it is
// decompressed from its start. Followed files have no end.
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
