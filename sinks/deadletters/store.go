package deadletters

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

// Options are what New needs.
type Options struct {
	Dir       string
	Retention time.Duration // of letters; 0 = for good
	Log       *slog.Logger
	Now       func() time.Time // nil = the machine's clock
}

// Store is a folder of dead letters.
type Store struct {
	o       Options
	dir     string
	opening pipeline.SinkOptions
	cleaned time.Time // when letters were last looked through for old ones
	// letters and marks append what is committed.
	letters, marks appender
}

var _ pipeline.DeadLetterSink = (*Store)(nil)

// New returns the store of a folder. Nothing is made before the first dead letter.
func New(o Options) (*Store, error) {
	if strings.Contains(o.Dir, "://") {
		return nil, fmt.Errorf("dead letters go to a local folder; %s is not one", o.Dir)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{o: o, dir: o.Dir}, nil
}

// Check says whether the folder can be used.
func (s *Store) Check(context.Context, pipeline.SinkOptions) ([]string, error) {
	if err := disk.CanMake(s.dir); err != nil {
		return nil, err
	}
	return nil, nil
}

// Open removes the files of epochs that were prepared and never saved, and old
// letters.
func (s *Store) Open(_ context.Context, o pipeline.SinkOptions) error {
	s.opening = o
	pending := ""
	if o.Pending != nil {
		pending = epochName(o.Pipeline, o.StateID, o.Pending.Epoch)
	}
	prefix := o.Pipeline + "-" + o.StateID + "-"
	s.letters = appender{dir: s.dir, prefix: prefix, suffix: suffix, now: s.o.Now}
	s.marks = appender{dir: s.dir, prefix: prefix, suffix: markSuffix, now: s.o.Now}
	names, err := list(s.dir, func(name string) bool {
		epoch, _, _ := strings.Cut(name, ".")
		return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, tempSuffix) && epoch != pending
	})
	if err != nil {
		return err
	}
	for _, t := range names {
		if err := os.Remove(t); err != nil {
			return err
		}
	}
	return s.clean()
}

// file is a temporary file of an epoch, as its committable names it: with the name
// that an epoch's own file would have.
type file struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// published is what a committable says of an epoch with dead letters, or in which
// some were read again.
type published struct {
	Files []file `json:"files"`
}

// Commit appends the epoch's letters and marks to the files that users see.
func (s *Store) Commit(_ context.Context, r *pipeline.Committable) error {
	var p published
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return fmt.Errorf("committable of epoch %d: %w", r.Epoch, err)
	}
	if len(p.Files) == 0 {
		return fmt.Errorf("committable of epoch %d: it names no file: %s", r.Epoch, r.Payload)
	}
	for _, a := range []*appender{&s.letters, &s.marks} {
		var parts []file
		for _, f := range p.Files {
			if strings.HasSuffix(f.Name, a.suffix) {
				parts = append(parts, f)
			}
		}
		if len(parts) == 0 {
			continue
		}
		if err := a.add(r.Epoch, parts); err != nil {
			return err
		}
	}
	if s.o.Now().Sub(s.cleaned) < cleanEvery {
		return nil
	}
	return s.clean()
}

// Amend writes more dead letters of a prepared epoch to a temporary file of their
// own.
func (s *Store) Amend(ctx context.Context, r *pipeline.Committable, more []pipeline.DeadLetter) (*pipeline.Committable, error) {
	var all, added published
	if r.Payload != nil {
		if err := json.Unmarshal(r.Payload, &all); err != nil {
			return nil, fmt.Errorf("committable of epoch %d: %w", r.Epoch, err)
		}
	}
	name := fmt.Sprintf("%s.%d%s", epochName(s.opening.Pipeline, s.opening.StateID, r.Epoch), len(all.Files)+1, suffix)
	w := &writer{s: s, epoch: r.Epoch, letters: lines{path: filepath.Join(s.dir, name)}}
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
	name := filepath.Join(s.dir, epochName(s.opening.Pipeline, s.opening.StateID, epoch))
	return &writer{s: s, epoch: epoch, letters: lines{path: name + suffix}, marks: lines{path: name + markSuffix}}, nil
}

// writer writes one epoch's dead letters, and the names of those that were read
// again.
type writer struct {
	s              *Store
	epoch          int64
	letters, marks lines
}

// Add writes a dead letter.
func (w *writer) Add(d *pipeline.DeadLetter) error {
	return w.letters.add(newLetter(w.s.opening.Pipeline, w.epoch, w.s.o.Now().UTC(), d))
}

// Replayed writes the name of a letter that was read again.
func (w *writer) Replayed(l *pipeline.DeadLetterID) error {
	return w.marks.add(mark{l.ID, l.Reason, w.s.o.Now().UTC(), w.epoch})
}

// Prepare makes the files durable under their temporary names.
func (w *writer) Prepare(context.Context) (*pipeline.Committable, error) {
	r := &pipeline.Committable{Epoch: w.epoch}
	var p published
	for _, l := range []*lines{&w.letters, &w.marks} {
		if l.f == nil {
			continue
		}
		size, err := l.finish()
		if err != nil {
			return nil, err
		}
		p.Files = append(p.Files, file{filepath.Base(l.path), size})
	}
	if p.Files == nil {
		return r, nil
	}
	if err := disk.SyncDir(w.s.dir); err != nil {
		return nil, err
	}
	r.Rows = map[string]map[string]int64{"dead_letters": {"insert": w.letters.n}}
	var err error
	r.Payload, err = json.Marshal(p)
	return r, err
}

// Abort drops the files.
func (w *writer) Abort() {
	w.letters.abort()
	w.marks.abort()
}

// lines writes a file of JSON lines under a temporary name; it is made with the
// first line.
type lines struct {
	path string
	f    *os.File
	w    *bufio.Writer
	n    int64
}

func (l *lines) add(v any) error {
	if l.f == nil {
		if err := disk.MakeDir(filepath.Dir(l.path), disk.Private); err != nil {
			return err
		}
		f, err := disk.Create(l.path+tempSuffix, disk.Private)
		if err != nil {
			return err
		}
		l.f, l.w = f, bufio.NewWriterSize(f, 64<<10)
	}
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	l.n++
	_, err = l.w.Write(append(line, '\n'))
	return err
}

// finish makes the file durable; its name is not yet.
func (l *lines) finish() (size int64, err error) {
	if err := errors.Join(l.w.Flush(), l.f.Sync()); err != nil {
		return 0, err
	}
	info, err := l.f.Stat()
	if err != nil {
		return 0, err
	}
	err = l.f.Close()
	l.f = nil
	return info.Size(), err
}

func (l *lines) abort() {
	if l.f != nil {
		l.f.Close()
		os.Remove(l.path + tempSuffix) // a leftover is removed by the next Open
		l.f = nil
	}
}
