package deadletters

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Limits of the records that Read returns at once.
const (
	batchLettersMax = 1000
	batchBytesMax   = 1 << 20
)

// partition is the only one of the inbox.
const partition = "inbox"

// Reader is a source whose letters can be read again, and the transforms that read its records, in the
// pipeline as it is defined now. Its format is asked for when letters are read: some sources know
// the key of their items when they are open.
type Reader struct {
	Source     pipeline.FormatReporter // nil = there is no such source
	Transforms []string
}

// Inbox is the source of the letters that are to be read again.
type Inbox struct {
	store *Store
	// readers holds, by source, those of the pipeline that runs.
	readers map[string]Reader
	// every is how often a followed inbox is looked into; 0 = it ends when it is
	// empty.
	every time.Duration

	formats map[formatKey]*pipeline.Format
	read    map[string]bool // letters that were read again, committed or not; nil = not looked up yet
	refused map[string]bool // requests that can't be read, which was said
	failing bool            // a followed inbox can't be looked into, which was said
	request *openRequest

	mu        sync.Mutex
	positions map[string]readPosition // by request, as far as it was handed over
}

var _ pipeline.Source = (*Inbox)(nil)

// readPosition is how far a request is read.
type readPosition struct {
	Offset int64 `json:"offset"` // of what is not read
	Done   bool  `json:"done,omitempty"`
}

// cursor is the place in each request.
type cursor struct {
	Requests map[string]readPosition `json:"requests"`
}

// formatKey is what the formats of one source's letters differ by.
type formatKey struct {
	source     string
	exportTime int64
	table      string
}

// Inbox returns the source of the letters that are to be read again. readers are
// those of the pipeline, by source; every is how often it is looked into until
// the run stops, 0 = it ends when all is read that was there when it was opened.
func (s *Store) Inbox(readers map[string]Reader, every time.Duration) *Inbox {
	return &Inbox{store: s, readers: readers, every: every}
}

// object returns the name of a request's object.
func (b *Inbox) object(request string) string { return inboxOf(b.store.options.Pipeline) + request }

func (b *Inbox) folder() Folder { return Folder{b.store.objects, b.store.options.Pipeline} }

// Bounded implements pipeline.Source.
func (b *Inbox) Bounded() bool { return b.every == 0 }

// CursorText implements pipeline.Source.
func (b *Inbox) CursorText(_ string, raw []byte) string {
	var c cursor
	if err := json.Unmarshal(raw, &c); err != nil {
		return "unreadable: " + err.Error()
	}
	done := 0
	for _, at := range c.Requests {
		if at.Done {
			done++
		}
	}
	return fmt.Sprintf("%s, %d done", spec.Count(len(c.Requests), "request"), done)
}

// Open forgets the requests that are gone, and removes those that are done. The
// Store is open by then, so that the names of all letters that the cursor has
// passed are there.
func (b *Inbox) Open(ctx context.Context, o pipeline.SourceOptions) error {
	b.formats, b.positions, b.refused = map[formatKey]*pipeline.Format{}, map[string]readPosition{}, map[string]bool{}
	b.read, b.request, b.failing = nil, nil, false
	raw, ok := o.Cursors[partition]
	if !ok {
		return nil
	}
	var c cursor
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("cursor of the inbox: %w", err)
	}
	for name, at := range c.Requests {
		if _, err := b.store.objects.Stat(ctx, b.object(name)); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if !at.Done {
			b.positions[name] = at
		} else if err := b.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a request that is done.
func (b *Inbox) remove(ctx context.Context, name string) error {
	return b.store.objects.Delete(ctx, b.object(name))
}

// Read returns letters of one source and transform, in the order of the requests.
func (b *Inbox) Read(ctx context.Context) (*pipeline.Records, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if b.request == nil {
			if err := b.look(ctx); err != nil {
				return nil, err
			}
		}
		if b.request != nil {
			records, err := b.records(ctx)
			if err != nil || records != nil {
				return records, err
			}
			continue
		}
		if b.every == 0 {
			return nil, io.EOF
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(b.every):
		}
	}
}

// look is next, but for a followed inbox whose store does not answer: it is looked into
// again when it is due. The sources are not read anew for want of requests that wait.
func (b *Inbox) look(ctx context.Context) error {
	err := b.next(ctx)
	switch {
	case err == nil && b.failing:
		b.failing = false
		b.store.o.Log.Info("dead letters that are to be read again are looked for again")
	case err != nil && b.every > 0 && ctx.Err() == nil && pipeline.Retryable(err):
		if !b.failing {
			b.failing = true
			b.store.o.Log.Warn("dead letters that are to be read again can't be looked for, trying again", "error", err)
		}
		return nil
	}
	return err
}

// next opens the next request that is not read; none is left nil.
func (b *Inbox) next(ctx context.Context) error {
	found, err := requests(ctx, b.store.objects, b.store.options.Pipeline)
	if err != nil {
		return err
	}
	for _, f := range found {
		name := path.Base(f.Name)
		if b.refused[name] || b.position(name).Done {
			continue
		}
		if why := b.check(ctx, f.Name); errors.Is(why, fs.ErrNotExist) {
			continue // it was removed just now
		} else if pipeline.Retryable(why) {
			return why
		} else if why != nil {
			b.refused[name] = true
			b.store.o.Log.Warn("dead letters can't be read again, and wait in the inbox", "request", b.store.objects.URL(f.Name), "error", why)
			continue
		}
		if err := b.loadRead(ctx); err != nil {
			return err
		}
		b.request, err = b.open(ctx, name)
		return err
	}
	return nil
}

// loadRead looks up which letters were read again, the first time that there is
// a request.
func (b *Inbox) loadRead(ctx context.Context) error {
	if b.read != nil {
		return nil
	}
	marks, err := b.folder().marks(ctx)
	if err != nil {
		return err
	}
	b.read = make(map[string]bool, len(marks))
	for id := range marks {
		b.read[id] = true
	}
	return nil
}

// check reads a request through, and returns why it can't be read again as a
// whole: nothing of it is then, until it is put right or the pipeline is.
func (b *Inbox) check(ctx context.Context, name string) error {
	return eachLine(ctx, b.store.objects, name, func(_ int, line []byte) error {
		var r requestLine
		if err := decodeLine(line, &r); err != nil {
			return err
		}
		if r.ID == "" || r.Letter == nil {
			return errors.New("it is no dead letter")
		}
		if r.StateID != b.store.options.StateID {
			return fmt.Errorf("letter %s is of another state folder (%s), and this one has read or will read its record from the source: remove the request", r.ID, r.StateID)
		}
		return b.readers[r.Source].CheckReadable(r.Letter)
	})
}

// CheckReadable returns an error that says why a letter can't be read again, if it can't.
func (r Reader) CheckReadable(l *Letter) error {
	switch {
	case l.Reason == pipeline.ReasonRefused:
		return fmt.Errorf("it is a row that %s has refused, and no record: it comes with its next change; choose others by --reason", l.Node)
	case r.Source == nil:
		return fmt.Errorf("the pipeline has no source %s any longer: put it back", l.Source)
	case !slices.Contains(r.Transforms, l.Transform):
		return fmt.Errorf("no transform %s reads %s in the pipeline any longer: put it back", cmp.Or(l.Transform, "(unknown)"), l.Source)
	}
	return nil
}

// openRequest is a request that is being read.
type openRequest struct {
	name    string
	url     string
	content io.ReadCloser
	r       *bufio.Reader
	offset  int64        // behind the last line that was read
	pending *requestLine // the letter in that line, when it is not handed over yet
}

func (b *Inbox) open(ctx context.Context, name string) (*openRequest, error) {
	offset := b.position(name).Offset
	content, err := blob.OpenRange(context.WithoutCancel(ctx), b.store.objects, b.object(name), offset)
	if err != nil {
		return nil, err
	}
	return &openRequest{name: name, url: b.store.objects.URL(b.object(name)), content: content, r: bufio.NewReaderSize(content, 1<<16), offset: offset}, nil
}

func (b *Inbox) position(request string) readPosition {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.positions[request]
}

// nextUnread returns the next letter that has not been read again; nil = there is none.
func (b *Inbox) nextUnread() (*requestLine, error) {
	o := b.request
	for o.pending == nil {
		line, err := o.r.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: %w", o.url, err)
		}
		o.offset += int64(len(line))
		r := &requestLine{}
		if err := decodeLine(line, r); err != nil {
			return nil, fmt.Errorf("%s: at byte %d: %w", o.url, o.offset-int64(len(line)), err)
		}
		if !b.read[r.ID] {
			o.pending = r
		}
	}
	return o.pending, nil
}

// batch gathers letters that are handed over together.
type batch struct {
	first   *requestLine
	records *pipeline.Records
	offsets []int64 // behind each
}

// accepts reports whether the letter goes with the first.
func (k *batch) accepts(r *requestLine) bool {
	return r.Source == k.first.Source && r.Transform == k.first.Transform && keyOf(r) == keyOf(k.first) &&
		len(k.offsets) < batchLettersMax && len(k.records.Data) < batchBytesMax
}

func (k *batch) add(r *requestLine, offset int64) {
	from := uint32(len(k.records.Data))
	k.records.Data = append(k.records.Data, r.Original()...)
	k.records.Spans = append(k.records.Spans, pipeline.Span{Start: from, End: uint32(len(k.records.Data)), Line: r.Line})
	k.records.Arrived = append(k.records.Arrived, r.Arrived)
	k.records.Replays = append(k.records.Replays, r.replayed(r.ID))
	k.offsets = append(k.offsets, offset)
}

// records returns the next letters of the open request; nil = it has no more, and
// is done.
func (b *Inbox) records(ctx context.Context) (*pipeline.Records, error) {
	o := b.request
	next, err := b.nextUnread()
	if err != nil {
		return nil, err
	}
	if next == nil { // all the rest was in other requests
		return nil, errors.Join(b.closeRequest(), b.remove(ctx, o.name))
	}
	k := &batch{first: next, records: &pipeline.Records{Source: next.Source, Partition: partition, Format: b.format(next)}}
	for next != nil && (len(k.offsets) == 0 || k.accepts(next)) {
		k.add(next, o.offset)
		b.read[next.ID] = true
		o.pending = nil
		if next, err = b.nextUnread(); err != nil {
			return nil, err
		}
	}
	last := next == nil
	k.records.CursorAfter = b.handOver(o.name, k.offsets, last)
	if last {
		err = b.closeRequest()
	}
	return k.records, err
}

// handOver notes that a request was read up to the last of the offsets, and
// returns the cursors at each.
func (b *Inbox) handOver(request string, offsets []int64, last bool) func(n int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := maps.Clone(b.positions)
	b.positions[request] = readPosition{offsets[len(offsets)-1], last}
	return func(n int) []byte {
		c := cursor{maps.Clone(before)}
		c.Requests[request] = readPosition{offsets[n-1], last && n == len(offsets)}
		raw, err := json.Marshal(c)
		if err != nil {
			panic(err) // numbers and texts always have a JSON form
		}
		return raw
	}
}

func keyOf(r *requestLine) formatKey { return formatKey{r.Source, r.ExportTime, r.Table} }

// format returns the format of a letter: as the pipeline file says today, with
// what the export said that it was read from.
func (b *Inbox) format(r *requestLine) *pipeline.Format {
	key := keyOf(r)
	if f := b.formats[key]; f != nil {
		return f
	}
	f := b.readers[r.Source].Source.Format()
	f.ExportTime = r.ExportTime
	if f.ExportTime != 0 && f.Encoding == pipeline.DynamoDBCDC {
		f.Encoding = pipeline.DynamoDBExport // of a source that reads a snapshot of its table, too
	}
	if f.Table == "" {
		f.Table = r.Table
	}
	b.formats[key] = &f
	return &f
}

// Committed removes the requests of which everything has taken effect.
func (b *Inbox) Committed(ctx context.Context, cursors map[string][]byte) error {
	var c cursor
	if err := json.Unmarshal(cursors[partition], &c); err != nil {
		return fmt.Errorf("cursor of the inbox: %w", err)
	}
	for name, at := range c.Requests {
		if !at.Done {
			continue
		}
		if err := b.remove(ctx, name); err != nil {
			return err
		}
		b.mu.Lock()
		delete(b.positions, name)
		b.mu.Unlock()
	}
	return nil
}

func (b *Inbox) closeRequest() error {
	if b.request == nil {
		return nil
	}
	err := b.request.content.Close()
	b.request = nil
	return err
}

// Close ends the reading. Open may be called again.
func (b *Inbox) Close() error { return b.closeRequest() }
