package deadletters

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

// Options are what New needs.
type Options struct {
	Objects   blob.Store    // where the letters are
	Remote    bool          // they are reached over a network
	Retention time.Duration // of letters; 0 = for good
	Log       *slog.Logger
	Now       func() time.Time // nil = the machine's clock
}

// Store keeps dead letters in a store of objects: a folder, for one.
type Store struct {
	o       Options
	objects blob.Store
	options pipeline.SinkOptions
	cleaned time.Time // when letters were last looked through for old ones
	// letters and marks append what is committed.
	letters, marks appender
	// prepared is where an epoch's lines wait for their commit.
	prepared func(epoch int64) blob.Store
	moved    atomic.Int64 // when the objects last gave an answer, in ns since 1970; 0 = not yet
}

var (
	_ pipeline.DeadLetterSink = (*Store)(nil)
	_ pipeline.CallInspector  = (*Store)(nil)
)

// New returns the store. Nothing is made before the first dead letter.
func New(o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{o: o}
	s.objects = blob.Wrap(o.Objects, func(_ context.Context, _ blob.Call, do func() error) error {
		err := do()
		s.moved.Store(s.o.Now().UnixNano())
		return err
	})
	s.prepared = func(epoch int64) blob.Store { return blob.NewDir(s.options.Spool(epoch), disk.Private) }
	return s
}

// InspectCall implements pipeline.CallInspector: over a network, what counts is whether there
// are answers.
func (s *Store) InspectCall(context.Context) pipeline.CallStatus {
	if !s.o.Remote {
		return pipeline.CallStatus{Unknown: true}
	}
	status := pipeline.CallStatus{WaitsFor: "an answer from " + s.objects.URL("")}
	if moved := s.moved.Load(); moved != 0 {
		status.LastProgress = time.Unix(0, moved)
	}
	return status
}

// Check says whether letters can be kept.
func (s *Store) Check(ctx context.Context, _ pipeline.SinkOptions) ([]string, error) {
	return nil, s.objects.Writable(ctx)
}

// Open removes what older versions have prepared and never saved, and old letters.
func (s *Store) Open(ctx context.Context, o pipeline.SinkOptions) error {
	s.options = o
	pending := ""
	if o.Pending != nil {
		pending = epochName(o.Pipeline, o.StateID, o.Pending.Epoch)
	}
	prefix := o.Pipeline + "-" + o.StateID + "-"
	s.letters = appender{objects: s.objects, prefix: prefix, suffix: suffix, now: s.o.Now}
	s.marks = appender{objects: s.objects, prefix: prefix, suffix: markSuffix, now: s.o.Now}
	found, err := list(ctx, s.objects, "", func(name string) bool {
		epoch, _, _ := strings.Cut(name, ".")
		return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, tempSuffix) && epoch != pending
	})
	if err != nil {
		return err
	}
	if err := s.objects.Delete(ctx, namesOf(found)...); err != nil {
		return err
	}
	for u, err := range s.objects.Unfinished(ctx, prefix) {
		if err != nil {
			return err
		}
		if err := s.objects.Discard(ctx, u); err != nil {
			return err
		}
	}
	return s.clean(ctx)
}

// preparedFile is a file of one epoch, as its committable names it: with the name
// that an epoch's own file would have.
type preparedFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	// Spooled says that it waits in the epoch's spool. Else an older version has written
	// it among the letters, under a temporary name, and it goes once it is committed.
	Spooled bool `json:"spooled,omitempty"`
}

// payload is what a committable says of an epoch with dead letters, or in which
// some were read again.
type payload struct {
	Files []preparedFile `json:"files"`
}

// committedFile lists, in an epoch's spool, which of its files are committed: they are not
// committed again, though somebody may have removed the letters since.
const committedFile = "committed"

// Commit appends the epoch's letters and marks to the files that users see.
func (s *Store) Commit(ctx context.Context, r *pipeline.Committable) (err error) {
	var p payload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return fmt.Errorf("committable of epoch %d: %w", r.Epoch, err)
	}
	if len(p.Files) == 0 {
		return fmt.Errorf("committable of epoch %d: it names no file: %s", r.Epoch, r.Payload)
	}
	committed, err := disk.NewSpool(s.options.Spool(r.Epoch)).OpenLog(committedFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, committed.Close()) }()
	for _, a := range []*appender{&s.letters, &s.marks} {
		parts := s.parts(r.Epoch, p.Files, a.suffix, committed)
		if len(parts) == 0 || parts[len(parts)-1].committed {
			continue
		}
		if err := a.add(ctx, r.Epoch, parts); err != nil {
			return err
		}
		if last := parts[len(parts)-1]; last.Spooled {
			if err := committed.Add(last.Name); err != nil {
				return err
			}
		}
	}
	if s.o.Now().Sub(s.cleaned) < cleanEvery {
		return nil
	}
	return s.clean(ctx)
}

// parts returns the epoch's files with a suffix.
func (s *Store) parts(epoch int64, files []preparedFile, suffix string, committed *disk.Log) (parts []part) {
	for _, f := range files {
		if !strings.HasSuffix(f.Name, suffix) {
			continue
		}
		p := part{preparedFile: f, from: s.objects, name: f.Name + tempSuffix}
		if f.Spooled {
			p.from, p.name, p.committed = s.prepared(epoch), f.Name, committed.Has(f.Name)
		}
		if p.committed {
			for i := range parts { // its commit was that of those before it, too
				parts[i].committed = true
			}
		}
		parts = append(parts, p)
	}
	return parts
}

// Amend writes more dead letters of a prepared epoch to a file of their own in its spool.
func (s *Store) Amend(ctx context.Context, r *pipeline.Committable, more []pipeline.DeadLetter) (*pipeline.Committable, error) {
	var all, added payload
	if r.Payload != nil {
		if err := json.Unmarshal(r.Payload, &all); err != nil {
			return nil, fmt.Errorf("committable of epoch %d: %w", r.Epoch, err)
		}
	}
	name := fmt.Sprintf("%s.%d%s", epochName(s.options.Pipeline, s.options.StateID, r.Epoch), len(all.Files)+1, suffix)
	w := &epochWriter{s: s, ctx: ctx, epoch: r.Epoch, letters: lines{objects: s.prepared(r.Epoch), name: name}}
	defer w.Abort()
	for i := range more {
		if err := w.Add(&more[i]); err != nil {
			return nil, err
		}
	}
	prepared, err := w.Prepare(ctx)
	if err != nil || prepared.Payload == nil {
		return r, err
	}
	if err := json.Unmarshal(prepared.Payload, &added); err != nil {
		return nil, fmt.Errorf("committable of epoch %d: %w", r.Epoch, err)
	}
	amended := *r
	all.Files = append(all.Files, added.Files...)
	amended.Payload, err = json.Marshal(all)
	return &amended, err
}

// Close does nothing: no file is open between epochs.
func (s *Store) Close() error { return nil }

// Begin starts an epoch.
func (s *Store) Begin(epoch int64) (pipeline.DeadLetterWriter, error) {
	if err := disk.NewSpool(s.options.Spool(epoch)).Clear(); err != nil {
		return nil, err
	}
	name, spool := epochName(s.options.Pipeline, s.options.StateID, epoch), s.prepared(epoch)
	return &epochWriter{s: s, ctx: context.Background(), epoch: epoch,
		letters: lines{objects: spool, name: name + suffix}, marks: lines{objects: spool, name: name + markSuffix}}, nil
}

// epochWriter writes one epoch's dead letters, and the names of those that were read
// again.
type epochWriter struct {
	s              *Store
	ctx            context.Context // of what is added
	epoch          int64
	letters, marks lines
}

// Add writes a dead letter.
func (w *epochWriter) Add(d *pipeline.DeadLetter) error {
	return w.letters.add(w.ctx, newLetter(w.s.options.Pipeline, w.epoch, w.s.o.Now().UTC(), d))
}

// Replayed writes the name of a letter that was read again.
func (w *epochWriter) Replayed(l *pipeline.DeadLetterID) error {
	return w.marks.add(w.ctx, mark{l.ID, l.Reason, w.s.o.Now().UTC(), w.epoch})
}

// Prepare makes the files durable in the spool.
func (w *epochWriter) Prepare(context.Context) (*pipeline.Committable, error) {
	r := &pipeline.Committable{Epoch: w.epoch}
	var p payload
	for _, l := range []*lines{&w.letters, &w.marks} {
		if l.to == nil {
			continue
		}
		// The sync that makes the file's name durable does so with the log's.
		if err := disk.NewSpool(w.s.options.Spool(w.epoch)).CreateLog(committedFile); err != nil {
			return nil, err
		}
		if err := l.finish(); err != nil {
			return nil, err
		}
		p.Files = append(p.Files, preparedFile{l.name, l.size, true})
	}
	if p.Files == nil {
		return r, nil
	}
	r.Rows = map[string]map[string]int64{"dead_letters": {"insert": w.letters.n}}
	var err error
	r.Payload, err = json.Marshal(p)
	return r, err
}

// Abort drops the files.
func (w *epochWriter) Abort() {
	// What is left is removed by the next Begin.
	_ = errors.Join(w.letters.abort(), w.marks.abort())
}

// lines writes an object of JSON lines, which is begun with the first line.
type lines struct {
	objects blob.Store
	name    string

	to   blob.Writer // nil = there is no line, or it is ended
	buf  *bufio.Writer
	n    int64 // lines
	size int64 // bytes
}

func (l *lines) add(ctx context.Context, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if l.to == nil {
		if l.to, err = l.objects.Create(ctx, l.name, blob.CreateOptions{}); err != nil {
			return err
		}
		l.buf = bufio.NewWriterSize(l.to, 64<<10)
	}
	n, err := l.buf.Write(append(line, '\n'))
	l.n++
	l.size += int64(n)
	return err
}

// finish makes the object durable. On an error there is nothing left to abort.
func (l *lines) finish() error {
	err := l.buf.Flush()
	if err == nil {
		err = l.to.Finish()
	}
	if err != nil {
		return errors.Join(err, l.abort())
	}
	l.to = nil
	return nil
}

func (l *lines) abort() error {
	if l.to == nil {
		return nil
	}
	to := l.to
	l.to = nil
	return to.Abort()
}
