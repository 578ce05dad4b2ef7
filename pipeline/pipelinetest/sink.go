package pipelinetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// Sink is a pipeline.Sink whose target is in memory: a View and all that was published, in
// its order, with a token. It outlives the engines that write to it, shows nothing before
// its commit, and refuses what does not follow from what is there. Its spools are files,
// as those of any sink. Tests set the fields while no engine runs, or in Fail.
type Sink struct {
	View *View // of a sink of settled rows
	// Token is the epoch that was published last, and StateID the state that it is of; ""
	// = nothing was published.
	Token   int64
	StateID string
	Opened  int // how often Open was called

	Names []string // what Check returns
	// Gather says that odd epochs wait for the next one, by FlushBy at the latest.
	Gather  bool
	FlushBy time.Time
	// Fail is asked in each call: check, open, begin, write, prepare and commit, and
	// committed when all is done and the answer may be lost. nil = all succeeds.
	Fail func(call string) error
	// Refuse says which rows the target refuses, RefusalsMax of them in an answer: it is
	// told which to leave out afterwards. What follows from them is not there, so that
	// the view takes rows as they come. nil = none.
	Refuse      func(RowChange) bool
	RefusalsMax int

	mode    pipeline.Mode
	mu      sync.Mutex
	log     []RowChange // all that was published
	options pipeline.SinkOptions
	waiting []int64 // epochs that wait
}

var _ pipeline.Sink = (*Sink)(nil)

// NewSink returns one that nothing was published to.
func NewSink(mode pipeline.Mode) *Sink { return &Sink{mode: mode, View: NewView()} }

// Tables returns the rows of all tables that the sink was opened with.
func (s *Sink) Tables() map[string][]Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string][]Row{}
	for name, rows := range s.View.Tables {
		all[name] = slices.Collect(maps.Values(rows))
	}
	return all
}

// Published returns all rows that were published, in their order.
func (s *Sink) Published() []RowChange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *Sink) fail(call string) error {
	if s.Fail == nil {
		return nil
	}
	return s.Fail(call)
}

// Mode implements pipeline.Sink.
func (s *Sink) Mode() pipeline.Mode { return s.mode }

// Close implements pipeline.Target.
func (s *Sink) Close() error { return nil }

// Check implements pipeline.Target.
func (s *Sink) Check(_ context.Context, o pipeline.SinkOptions) ([]string, error) {
	if err := s.fail("check"); err != nil {
		return nil, err
	}
	return s.Names, s.checkToken(o)
}

// checkToken compares the target with a checkpoint.
func (s *Sink) checkToken(o pipeline.SinkOptions) error {
	if s.StateID != "" && s.StateID != o.StateID {
		return fmt.Errorf("token of state %s", s.StateID)
	}
	if pending := o.Pending != nil && s.Token == o.Pending.Epoch; s.Token != o.Published && !pending {
		return fmt.Errorf("token %d, the checkpoint says %d", s.Token, o.Published)
	}
	return nil
}

// Open implements pipeline.Target.
func (s *Sink) Open(_ context.Context, o pipeline.SinkOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options, s.waiting = o, nil
	s.Opened++
	if err := s.checkToken(o); err != nil {
		return err
	}
	if o.SinkState != nil {
		if err := json.Unmarshal(o.SinkState, &s.waiting); err != nil {
			return err
		}
	}
	for _, t := range o.Tables {
		s.View.add(t)
	}
	return s.fail("open")
}

// Begin implements pipeline.Sink.
func (s *Sink) Begin(epoch int64) (pipeline.EpochWriter, error) {
	return &sinkEpoch{sink: s, epoch: epoch, reader: newEpochReader(s.mode, s.View.Format)}, s.fail("begin")
}

// Commit implements pipeline.Sink.
func (s *Sink) Commit(_ context.Context, c *pipeline.Committable) error {
	if err := s.fail("commit"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Token == c.Epoch {
		return nil
	}
	if s.Token != c.PreviousEpoch {
		return fmt.Errorf("token %d, the committable wants %d", s.Token, c.PreviousEpoch)
	}
	rows, err := s.spooled(c)
	if err != nil {
		return err
	}
	taken, err := s.taken(c, rows)
	if err != nil {
		return err
	}
	for i := range taken {
		if err := s.apply(&taken[i]); err != nil {
			return fmt.Errorf("epoch %d: %w", c.Epoch, err)
		}
	}
	s.Token, s.StateID = c.Epoch, s.options.StateID
	return s.fail("committed")
}

// spooled reads the rows of a committable.
func (s *Sink) spooled(c *pipeline.Committable) (all []RowChange, err error) {
	var epochs []int64
	if err := json.Unmarshal(c.Payload, &epochs); err != nil {
		return nil, err
	}
	for _, e := range epochs {
		raw, err := os.ReadFile(s.spool(e))
		if err != nil {
			return nil, err
		}
		var rows []RowChange
		if err := json.Unmarshal(raw, &rows); err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

func (s *Sink) spool(epoch int64) string { return filepath.Join(s.options.Spool(epoch), "rows") }

// taken returns the rows that are not left out, unless some of them are refused.
func (s *Sink) taken(c *pipeline.Committable, rows []RowChange) (taken []RowChange, err error) {
	var excluded []int
	if c.Exclude != nil {
		if err := json.Unmarshal(c.Exclude, &excluded); err != nil {
			return nil, err
		}
	}
	refused := &pipeline.RefusedError{}
	for i, row := range rows {
		switch {
		case slices.Contains(excluded, i):
		case s.Refuse != nil && len(refused.Rows) < s.RefusalsMax && s.Refuse(row):
			text, err := json.Marshal(row.Row)
			if err != nil {
				return nil, err
			}
			refused.Rows = append(refused.Rows, pipeline.RefusedRow{Table: row.Table, Row: text, Message: "no"})
			excluded = append(excluded, i)
		default:
			taken = append(taken, row)
		}
	}
	if refused.Rows != nil {
		if refused.Exclude, err = json.Marshal(excluded); err != nil {
			return nil, err
		}
		return nil, refused
	}
	return taken, nil
}

func (s *Sink) apply(row *RowChange) error {
	s.log = append(s.log, *row)
	switch {
	case s.mode != pipeline.Settled:
		return nil
	case s.Refuse != nil:
		s.View.set(row)
		return nil
	}
	return s.View.apply(row)
}

// sinkEpoch is an epoch of a Sink.
type sinkEpoch struct {
	sink   *Sink
	epoch  int64
	reader *epochReader
	rows   []RowChange
}

// Abort implements pipeline.EpochWriter.
func (e *sinkEpoch) Abort() {}

// Write implements pipeline.EpochWriter.
func (e *sinkEpoch) Write(_ []pipeline.Change, rows *pipeline.Rows) error {
	changes, err := e.reader.read(rows)
	if err != nil {
		return fmt.Errorf("epoch %d: %w", e.epoch, err)
	}
	e.rows = append(e.rows, changes...)
	return e.sink.fail("write")
}

// Prepare implements pipeline.EpochWriter.
func (e *sinkEpoch) Prepare(_ context.Context, last bool) (*pipeline.Committable, error) {
	s := e.sink
	if err := s.fail("prepare"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &pipeline.Committable{Epoch: e.epoch}
	if len(e.rows) > 0 {
		raw, err := json.Marshal(e.rows)
		if err != nil {
			return nil, err
		}
		file := s.spool(e.epoch)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, raw, 0o644)); err != nil {
			return nil, err
		}
		s.waiting = append(s.waiting, e.epoch)
	}
	if len(s.waiting) == 0 {
		return c, nil
	}
	list, err := json.Marshal(s.waiting)
	if s.Gather && !last && e.epoch%2 == 1 {
		c.SinkState, c.RetainEpochs, c.FlushBy = list, slices.Clone(s.waiting), s.FlushBy
		return c, err
	}
	c.Payload, s.waiting = list, nil
	return c, err
}
