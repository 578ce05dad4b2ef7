package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/sources/file/listing"
)

// errorsListedMax bounds the mistakes that one error names.
const errorsListedMax = 10

// Source reads files, or objects of S3. It is bounded: Read ends with io.EOF, unless it
// follows the files.
type Source struct {
	name   string
	cfg    Config
	format pipeline.Format
	files  *listing.Tree // that the path, cursors and manifests name
	// remote makes the Remote of files, for the environment of an opening.
	remote func(pipeline.Env) func(path string) (store blob.Store, name string, ok bool)
	block  int // bytes of a block, unless a record needs more
	// exactHead is how many bytes of a file's beginning are looked at one by one.
	exactHead int64
	now       func() time.Time
	env       pipeline.Env // of this opening
	waiting   waitList
	growing   bool // the files are still written to, and read as far as they go now

	exportsBefore, exportsUntil time.Time // see ContinueExports and ExportsUntil

	read  atomic.Int64
	total int64

	queue    chan *pipeline.Records
	buffers  *buffers
	inMemory *budget
	exact    atomic.Bool // lines that look like a record were not; see splitter
	// numbers is the number of numbers that files were given so far. Readers that run side by
	// side change it under numbering.
	numbers   int64
	numbering sync.Mutex
	err       error // why queue was closed; read after that
	cancel    context.CancelFunc
	reader    sync.WaitGroup
}

var (
	_ pipeline.Source        = (*Source)(nil)
	_ pipeline.SizeReporter  = (*Source)(nil)
	_ pipeline.WaitReporter  = (*Source)(nil)
	_ pipeline.CallInspector = (*Source)(nil)
	_ pipeline.Rewinder      = (*Source)(nil)
	_ pipeline.Sampler       = (*Source)(nil)
)

// New returns a source. All mistakes in the configuration are *spec.FieldError,
// joined.
func New(name string, cfg Config) (*Source, error) {
	if cfg.MaxRecord == 0 {
		cfg.MaxRecord = defaultRecordBytesMax
	}
	if cfg.Follow && cfg.Poll == 0 {
		cfg.Poll = defaultPoll
		if bloburl.IsRemote(cfg.Path) {
			cfg.Poll = defaultObjectsPoll
		}
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	files := &listing.Tree{Remote: cfg.Remote(pipeline.NewEnv())}
	return &Source{name: name, cfg: cfg, remote: cfg.Remote, files: files, block: defaultBlockBytes, exactHead: defaultExactBytes, now: time.Now, env: pipeline.NewEnv()}, nil
}

// WithSample implements pipeline.Sampler: it reads the files as far as they go now. A record that
// is still being written is left out, as following waits for its end.
func (s *Source) WithSample() (pipeline.Source, error) {
	cfg := s.cfg
	cfg.Follow, cfg.Poll = false, 0
	sample, err := New(s.name, cfg)
	if err != nil {
		return nil, err
	}
	sample.growing = true
	return sample, nil
}

// Files returns the paths of the files that would be read if none had been before, in order. It
// is called before Open.
func (s *Source) Files(ctx context.Context) ([]string, error) {
	s.format = s.cfg.format()
	inputs, err := s.list(ctx, nil)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(inputs))
	for i := range inputs {
		paths[i] = inputs[i].path
	}
	return paths, nil
}

// Open lists the files, compares those that have cursors with what was read of
// them, and begins to read ahead. Cursors of files that are gone are ignored.
func (s *Source) Open(ctx context.Context, o pipeline.SourceOptions) error {
	if s.cancel != nil {
		return errors.New("file source: opened twice")
	}
	cursors := o.Cursors
	s.env, s.format = o.Env, s.cfg.format()
	s.files.Remote = s.remote(o.Env)
	s.total, s.buffers, s.inMemory = 0, newBuffers(s.block), newBudget(verifiedInMemoryBytes)
	s.read.Store(0)
	s.waiting.set(nil)
	if err := s.restoreNumbers(cursors); err != nil {
		return err
	}
	read, err := s.planReads(ctx, cursors)
	if err != nil {
		return err
	}
	working, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.queue = make(chan *pipeline.Records, queuedBlocks)
	s.reader.Go(func() {
		pprof.Do(working, pprof.Labels("role", "reader "+s.name), func(ctx context.Context) { s.err = read(ctx) })
		close(s.queue)
	})
	return nil
}

// planReads returns what reads the files from the cursors on.
func (s *Source) planReads(ctx context.Context, cursors map[string][]byte) (read func(context.Context) error, err error) {
	progress := listingProgress{source: s}
	s.files.Listed = progress.listed
	if s.cfg.Follow && s.files.IsRemote(s.cfg.Path) {
		f, err := s.newObjectFollower(ctx, cursors)
		if err != nil {
			return nil, err
		}
		return f.run, nil
	}
	if s.cfg.Follow {
		f, err := s.newFollower(cursors)
		if err != nil {
			return nil, err
		}
		return f.run, nil
	}
	inputs, err := s.list(ctx, cursors)
	s.waiting.set(nil)
	if err != nil {
		return nil, err
	}
	var todo []*reader
	var errs []error
	moved := map[string][]byte{}
	for i := range inputs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, left, err := s.openReader(ctx, &inputs[i], moved)
		if err != nil && len(errs) < errorsListedMax {
			errs = append(errs, err)
		}
		if r != nil {
			r.counted = inputs[i].startRead()
			s.total += left
			todo = append(todo, r)
		}
	}
	return func(ctx context.Context) error {
		if len(moved) > 0 {
			if err := s.enqueue(ctx, &pipeline.Records{Source: s.name, Format: &s.format, Positions: moved}); err != nil {
				return err
			}
		}
		return s.readAll(ctx, todo)
	}, errors.Join(errs...)
}

// restoreNumbers goes on counting files behind those that were ever read.
func (s *Source) restoreNumbers(cursors map[string][]byte) error {
	s.numbers = 0
	for partition, raw := range cursors {
		c, err := parseCursor(partition, raw)
		if err != nil {
			return err
		}
		s.numbers = max(s.numbers, c.Numbers)
	}
	return nil
}

// assignNumber gives a file that is read for the first time its number, and notes how many
// were given.
func (s *Source) assignNumber(c *cursor) {
	s.numbering.Lock()
	defer s.numbering.Unlock()
	if c.Records == 0 && c.PriorProgress == nil {
		c.Number = s.numbers
		s.numbers++
	}
	c.Numbers = s.numbers
}

// list returns the files in the order in which they are read, with their cursors.
func (s *Source) list(ctx context.Context, cursors map[string][]byte) ([]input, error) {
	var found []listing.Entry
	var err error
	if s.format.Encoding == pipeline.DynamoDBExport {
		found, err = s.bareFiles(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && s.cfg.AsOf != "":
			return nil, err
		case len(found) == 0 && s.cfg.AsOf != "":
			return nil, errTimed
		case err != nil || len(found) == 0:
			return s.listExport(ctx, cursors)
		}
	} else if found, err = s.matchAll(ctx); err != nil {
		return nil, err
	}
	inputs, err := s.inputsOfFiles(found)
	if err != nil {
		return nil, err
	}
	if len(inputs) == 0 && len(found) > 0 {
		return nil, fmt.Errorf("path %q: only folders match: to read the files in them, write %s/*", s.cfg.Path, strings.TrimRight(s.cfg.Path, "/"))
	}
	if len(inputs) == 0 && s.files.IsRemote(s.cfg.Path) {
		return nil, fmt.Errorf("path %q: no object matches", s.cfg.Path)
	}
	if len(inputs) == 0 {
		return nil, fmt.Errorf("path %q: no file matches (paths are relative to %s)", s.cfg.Path, workingDir())
	}
	return s.resolve(ctx, inputs, cursors)
}

// inputsOfFiles returns the files among what was found, each once: of a file that has several
// names, because of links, the first that is no symbolic link counts.
func (s *Source) inputsOfFiles(found []listing.Entry) ([]input, error) {
	var inputs []input
	var isLink []bool // by input
	at := map[fileID]int{}
	for _, e := range found {
		if e.Err != nil {
			return nil, transient(fmt.Errorf("path %q: %w", s.cfg.Path, e.Err))
		}
		if e.Info.IsDir() {
			continue
		}
		in, id := input{path: e.Path, display: e.Path, info: e.Info, items: -1}, idOf(e.Info)
		i, twice := at[id]
		switch {
		case !twice || !id.known():
			at[id] = len(inputs)
			inputs, isLink = append(inputs, in), append(isLink, e.Link)
		case isLink[i] && !e.Link:
			inputs[i], isLink[i] = in, false
		}
	}
	slices.SortFunc(inputs, func(a, b input) int { return cmp.Compare(a.path, b.path) })
	return inputs, nil
}

func workingDir() string {
	where, err := filepath.Abs(".")
	if err != nil {
		return "the working directory"
	}
	return where
}

// openReader returns a reader of the file at its cursor, and the bytes that it has
// to read; nil = none are left. Of an object that was written anew with the content that was
// read it notes the new cursor in moved, so that it need not be compared again.
func (s *Source) openReader(ctx context.Context, in *input, moved map[string][]byte) (r *reader, left int64, err error) {
	if !in.info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: not a regular file", in.path)
	}
	if in.at == nil {
		return s.newReader(in, &cursor{}), in.info.Size(), nil
	}
	at := *in.at
	at.Unverified = nil // list has found all of them
	if at.Done && at.statUnchanged(in.info) {
		return nil, 0, nil
	}
	f, err := openFile(ctx, s.files, in.path)
	if err != nil {
		return nil, 0, transient(err)
	}
	info, verified := in.info, in.verified
	if isObject(info) { // it may have been replaced since it was listed
		info = listing.InfoOf(f.Info())
		verified = verified && tagOf(info) == tagOf(in.info)
	}
	skip, err := at.resume(ctx, f, info, in.path, s.now(), verified)
	if err = errors.Join(err, f.Close()); err != nil || skip {
		if skip && isObject(in.info) {
			at.Done, at.Unended = true, in.at.Unended
			moved[in.partition] = at.encode()
		}
		return nil, 0, transient(err)
	}
	left = at.Size
	if !at.Compressed {
		left -= at.Offset
	}
	return s.newReader(in, &at), left, nil
}

// newReader returns a reader of a file from the cursor on.
func (s *Source) newReader(in *input, at *cursor) *reader {
	format := &s.format
	if in.format != nil {
		format = in.format
	}
	open := func(ctx context.Context) (blob.Object, error) { return openFile(ctx, s.files, in.path) }
	return &reader{in: in, open: open, at: *at, format: format, source: s.name, max: int(s.cfg.MaxRecord), block: s.block,
		read: &s.read, buffers: s.buffers, inMemory: s.inMemory, now: s.now, number: s.assignNumber, exact: &s.exact, exactHead: s.exactHead,
		growing: s.growing}
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

// enqueue queues records.
func (s *Source) enqueue(ctx context.Context, r *pipeline.Records) error {
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
