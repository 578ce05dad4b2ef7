package deadletters

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// Letter is one dead letter as the folder keeps it.
type Letter struct {
	Time      time.Time       `json:"time"` // when the epoch was prepared
	Pipeline  string          `json:"pipeline"`
	Epoch     int64           `json:"epoch"`
	Node      string          `json:"node"`
	Reason    pipeline.Reason `json:"reason"`
	Message   string          `json:"message"`
	Source    string          `json:"source"`
	Partition string          `json:"partition"`
	Line      int64           `json:"line"`
	// Record is the original record when it is valid UTF-8, else Binary is.
	Record string `json:"record,omitempty"`
	Binary []byte `json:"record_base64,omitempty"`
}

// Original returns the record's bytes.
func (l *Letter) Original() []byte {
	if l.Binary != nil {
		return l.Binary
	}
	return []byte(l.Record)
}

// Store is a folder of dead letters.
type Store struct {
	dir     string
	opening pipeline.Opening
}

var _ engine.DeadLetters = (*Store)(nil)

// New returns the store of a folder. Nothing is made before the first dead letter.
func New(dir string) (*Store, error) {
	if strings.Contains(dir, "://") {
		return nil, fmt.Errorf("dead letters go to a local folder; %s is not one", dir)
	}
	return &Store{dir: dir}, nil
}

const (
	suffix     = ".ndjson"
	tempSuffix = ".tmp"
)

// Open removes the files of epochs that were prepared and never saved.
func (s *Store) Open(_ context.Context, o pipeline.Opening) error {
	s.opening = o
	names, err := list(s.dir, func(name string) bool {
		return strings.HasPrefix(name, s.prefix()) && strings.HasSuffix(name, tempSuffix)
	})
	if err != nil {
		return err
	}
	pending := ""
	if o.Pending != nil {
		pending = s.name(o.Pending.Epoch) + tempSuffix
	}
	for _, t := range names {
		if filepath.Base(t) == pending {
			continue
		}
		if err := os.Remove(t); err != nil {
			return err
		}
	}
	return nil
}

// list returns the paths of the folder's files that want says, sorted by name;
// none when there is no folder.
func list(dir string, want func(name string) bool) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if want(e.Name()) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

func (s *Store) prefix() string { return s.opening.Pipeline + "-" + s.opening.StateID + "-" }

func (s *Store) name(epoch int64) string {
	return fmt.Sprintf("%s%012d%s", s.prefix(), epoch, suffix)
}

// published is what a receipt says of an epoch with dead letters.
type published struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// Commit gives the epoch's file its name.
func (s *Store) Commit(_ context.Context, r *pipeline.Receipt) error {
	var p published
	if err := json.Unmarshal(r.Publish, &p); err != nil {
		return fmt.Errorf("receipt of epoch %d: %w", r.Epoch, err)
	}
	final := filepath.Join(s.dir, p.Name)
	err := os.Rename(final+tempSuffix, final)
	if errors.Is(err, fs.ErrNotExist) {
		info, statErr := os.Stat(final)
		if statErr != nil || info.Size() != p.Size {
			return fmt.Errorf("dead letters of epoch %d: neither %s%s nor %s with %d bytes is there: %w", r.Epoch, final, tempSuffix, final, p.Size, err)
		}
	} else if err != nil {
		return err
	}
	return columnar.SyncDir(s.dir)
}

// Close does nothing: no file is open between epochs.
func (s *Store) Close() error { return nil }

// Begin starts an epoch.
func (s *Store) Begin(epoch int64) (engine.DeadLetterEpoch, error) {
	return &writer{s: s, epoch: epoch}, nil
}

// writer writes one epoch's dead letters; the file is made with the first.
type writer struct {
	s     *Store
	epoch int64
	f     *os.File
	w     *bufio.Writer
	n     int64
}

func (w *writer) path() string { return filepath.Join(w.s.dir, w.s.name(w.epoch)+tempSuffix) }

// Add writes a dead letter.
func (w *writer) Add(d *pipeline.DeadLetter) error {
	if w.f == nil {
		if err := columnar.MakeDir(w.s.dir); err != nil {
			return err
		}
		f, err := os.Create(w.path())
		if err != nil {
			return err
		}
		w.f, w.w = f, bufio.NewWriterSize(f, 64<<10)
	}
	l := Letter{
		Time: time.Now().UTC(), Pipeline: w.s.opening.Pipeline, Epoch: w.epoch, Node: d.Node, Reason: d.Reason, Message: d.Message,
		Source: d.Pos.Source, Partition: d.Pos.Partition, Line: d.Pos.Line,
	}
	if utf8.Valid(d.Record) {
		l.Record = string(d.Record)
	} else {
		l.Binary = d.Record
	}
	line, err := json.Marshal(&l)
	if err != nil {
		return err
	}
	w.n++
	_, err = w.w.Write(append(line, '\n'))
	return err
}

// Prepare makes the file durable under its temporary name.
func (w *writer) Prepare(context.Context) (*pipeline.Receipt, error) {
	r := &pipeline.Receipt{Epoch: w.epoch}
	if w.f == nil {
		return r, nil
	}
	if err := errors.Join(w.w.Flush(), w.f.Sync()); err != nil {
		return nil, err
	}
	info, err := w.f.Stat()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(w.f.Close(), columnar.SyncDir(w.s.dir)); err != nil {
		return nil, err
	}
	w.f = nil
	r.Rows = map[string]map[string]int64{"dead_letters": {"insert": w.n}}
	r.Publish, err = json.Marshal(published{w.s.name(w.epoch), info.Size()})
	return r, err
}

// Abort drops the file.
func (w *writer) Abort() {
	if w.f != nil {
		w.f.Close()
		os.Remove(w.path()) // a leftover is removed by the next Open
		w.f = nil
	}
}
