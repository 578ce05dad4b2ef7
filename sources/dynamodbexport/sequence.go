package dynamodbexport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/file"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// sequence reads what one goroutine gives, which does one thing after the other: see the package's
// comment. It is the part that requestSource and IncrementalSource share.
type sequence struct {
	*Source
	cursor string // of its own
	// script is what the goroutine does; its error ends the session, io.EOF as the end.
	script func(ctx context.Context, r *session) error
	// wait pauses; tests move their clock instead.
	wait func(ctx context.Context, d time.Duration) error

	mu sync.Mutex
	r  *session // nil = not open
}

// session is a sequence that is open.
type session struct {
	*sequence
	env         pipeline.Env
	cursors     map[string][]byte // of data files, as they were saved
	progress    *progress         // nil = nothing was saved yet. Set by the goroutine, which reads it without the mutex
	acceptGap   bool
	client      *exportrequest.Client
	destination exportrequest.Destination
	table       exportrequest.Table

	out  chan *pipeline.Records
	err  error // why out was closed; read after that
	stop context.CancelFunc
	done sync.WaitGroup

	// partitions are those that have cursors. The goroutine's.
	partitions map[string]bool

	mu        sync.Mutex    // of progress and what follows
	committed []byte        // the cursor of its own that is durable
	moved     chan struct{} // closed when committed moves
	now       activity
	files     *file.Source // that is being read; nil = none is
}

func newSequence(s *Source, cursor string, script func(context.Context, *session) error) *sequence {
	return &sequence{Source: s, cursor: cursor, script: script, wait: awsapi.Sleep}
}

// Open implements pipeline.Source. It asks for the table, so that a start without rights fails at
// once, and begins.
func (s *sequence) Open(ctx context.Context, o pipeline.SourceOptions) (err error) {
	if s.session() != nil {
		return fmt.Errorf("source %s: opened twice", s.name)
	}
	r := &session{sequence: s, env: o.Env, cursors: filesOnly(o.Cursors), acceptGap: o.AcceptGap, out: make(chan *pipeline.Records),
		partitions: map[string]bool{}, moved: make(chan struct{})}
	for partition := range r.cursors {
		r.partitions[partition] = true
	}
	if raw := o.Cursors[s.cursor]; raw != nil {
		if r.progress, err = parseProgress(raw); err != nil {
			return err
		}
		if r.progress.openGap() != nil && !o.AcceptGap {
			return r.progress.gapError(s.tableText())
		}
	}
	if r.destination, err = s.cfg.Request.Destination(s.cfg.URL); err != nil {
		return err
	}
	if r.client, err = exportrequest.New(ctx, exportrequest.Options{Node: s.name, Table: s.cfg.Table, AWS: s.cfg.dynamoDB(), Env: o.Env, Wait: s.wait}); err != nil {
		return err
	}
	if r.table, err = r.client.DescribeTable(ctx); err != nil {
		return err
	}
	if err := s.checkKey(r.table.Key); err != nil {
		return err
	}
	if _, err := r.client.Recovery(ctx); err != nil && (s.Bounded() || r.progress == nil) {
		return err
	}
	working, stop := context.WithCancel(context.Background())
	r.stop = stop
	s.setSession(r)
	r.done.Go(func() {
		r.err = s.script(working, r)
		close(r.out)
	})
	return nil
}

func (s *sequence) session() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r
}

func (s *sequence) setSession(r *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = r
}

// Read implements pipeline.Source.
func (s *sequence) Read(ctx context.Context) (*pipeline.Records, error) {
	r := s.session()
	if r == nil {
		return nil, fmt.Errorf("source %s: not open", s.name)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case records, ok := <-r.out:
		if !ok {
			return nil, r.err
		}
		return records, nil
	}
}

// Committed implements pipeline.Source: the goroutine goes on that waits for it.
func (s *sequence) Committed(_ context.Context, cursors map[string][]byte) error {
	r := s.session()
	raw := cursors[s.cursor]
	if r == nil || raw == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.committed = raw
	close(r.moved)
	r.moved = make(chan struct{})
	return nil
}

// Close implements pipeline.Source.
func (s *sequence) Close() error {
	if r := s.session(); r != nil {
		r.stop()
		r.done.Wait()
		s.setSession(nil)
	}
	return nil
}

// Size implements pipeline.SizeReporter: of the export that is being read.
func (s *sequence) Size() (read, total int64) {
	r := s.session()
	if r == nil {
		return 0, 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		return 0, 0
	}
	return r.files.Size()
}

// handOver hands records over to Read.
func (r *session) handOver(ctx context.Context, records *pipeline.Records) error {
	select {
	case r.out <- records:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// save saves how far it is, with all that was given before, and returns once that is
// durable. unread is the number of exports that are not read; dropped are the partitions that are
// done with.
func (r *session) save(ctx context.Context, p progress, unread int, dropped []string) error {
	raw := p.encode()
	f := r.Format()
	records := &pipeline.Records{Source: r.name, Format: &f, Positions: map[string][]byte{r.cursor: raw}, SaveNow: true,
		Dropped: dropped, Progress: &pipeline.Progress{Unread: unread}}
	if err := r.handOver(ctx, records); err != nil {
		return err
	}
	for {
		r.mu.Lock()
		durable, moved := bytes.Equal(r.committed, raw), r.moved
		r.mu.Unlock()
		if durable {
			r.set(&p)
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *session) set(p *progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = p
}

// saved returns how far it was when that was saved last.
func (r *session) saved() *progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

// ask asks for the export of the request that is saved, unless that was done, and saves its ARN.
func (r *session) ask(ctx context.Context) error {
	if r.progress.ARN != "" {
		return nil
	}
	e, err := r.client.Ask(ctx, r.table, r.destination, *r.progress.Request)
	if err != nil {
		return err
	}
	r.env.Log.Info("DynamoDB makes an export", "what", r.progress.Request.String(), "arn", e.ARN, "to", r.destination.String())
	p := *r.progress
	p.ARN = e.ARN
	return r.save(ctx, p, 1, nil)
}

// askAgain replaces the request that is saved, whose export will never come.
func (r *session) askAgain(ctx context.Context) error {
	p := *r.progress
	request := *p.Request
	request.Attempt++
	p.Request, p.ARN = &request, ""
	return r.save(ctx, p, 1, nil)
}

// lasts reports whether an export will never come: it has failed, or the service has forgotten it.
func lasts(err error) bool {
	_, failed := errors.AsType[*exportrequest.FailedError](err)
	return failed || errors.Is(err, exportrequest.ErrGone)
}

// await waits until DynamoDB has made the export.
func (r *session) await(ctx context.Context) error {
	var told exportrequest.State
	_, err := r.client.Wait(ctx, r.progress.ARN, func(e exportrequest.Export) {
		r.waitsFor(*r.progress.Request, e)
		if e.State == told {
			return // the progress line has the rest
		}
		told = e.State
		r.env.Log.Info("export", "what", r.progress.Request.String(), "state", exportText(&e))
	})
	return err
}

// read reads the exports below a path, from the cursors on that are given, and returns the time up to
// which they have all changes.
func (r *session) read(ctx context.Context, path string, cursors map[string][]byte) (until time.Time, err error) {
	files, err := r.cfg.fileAt(r.name, path)
	if err != nil {
		return until, err
	}
	files.ContinueExports(r.progress.Reached)
	r.reads(files)
	defer func() { err = errors.Join(err, files.Close()); r.reads(nil) }()
	if err := files.Open(ctx, pipeline.SourceOptions{Env: r.env, Cursors: cursors}); err != nil {
		return until, err
	}
	for {
		records, err := files.Read(ctx)
		if err == io.EOF {
			return files.ExportsUntil(), nil
		}
		if err != nil {
			return until, err
		}
		if records.Len() > 0 {
			r.partitions[records.Partition] = true
		}
		for partition := range records.Positions {
			r.partitions[partition] = true
		}
		if err := r.handOver(ctx, records); err != nil {
			return until, err
		}
	}
}

// readExport reads the export that is saved.
func (r *session) readExport(ctx context.Context) (until time.Time, err error) {
	own := map[string][]byte{}
	for partition, raw := range r.cursors {
		if isOf(partition, exportrequest.IDOf(r.progress.ARN)) {
			own[partition] = raw
		}
	}
	return r.read(ctx, r.destination.Folder(r.progress.ARN), own)
}

// finished returns the partitions that have cursors, which are to be dropped.
func (r *session) finished() []string {
	var names []string
	for name := range r.partitions {
		names = append(names, name)
	}
	clear(r.partitions)
	r.cursors = nil
	slices.Sort(names)
	return names
}
