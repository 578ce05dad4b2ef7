package pipelinetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// SinkDriver plays the engine for one sink, over restarts of it: it knows what a
// checkpoint would, and deletes spools as the engine does. Tests change its fields to pretend another state folder, an older
// one, or other tables.
type SinkDriver struct {
	T         testing.TB
	Sink      pipeline.Sink // that is open; nil = none
	Pipeline  string
	State     string // the id of the state folder
	Dir       string // for spools
	Tables    []*pipeline.Table
	Epoch     int64                 // that was saved last
	Published int64                 // that was committed last
	Taken     []string              // tables of the sink, as the checkpoint has them
	SinkState json.RawMessage       // of the epoch that was saved last
	Retained  []int64               // epochs whose spool SinkState needs
	Spooled   map[int64][]byte      // what committables had in the place of spools
	Pending   *pipeline.Committable // of the epoch that is saved and not committed
	// EarlyClean says that spools of earlier epochs that a committable does not retain are
	// deleted when it is saved, and not when it is committed: a sink that copies what it
	// gathers into the spool of the epoch that publishes it needs no more of them.
	EarlyClean bool
}

// NewSinkDriver returns a driver of a pipeline, without a sink. At the end of the test its
// sink is closed.
func NewSinkDriver(t testing.TB, name string, tables ...*pipeline.Table) *SinkDriver {
	d := &SinkDriver{T: t, Pipeline: name, State: "state-1", Dir: t.TempDir(), Tables: tables}
	t.Cleanup(d.Close)
	return d
}

// NewState goes on with another state folder, which is empty.
func (d *SinkDriver) NewState(id string) {
	d.State, d.Epoch, d.Published = id, 0, 0
	d.Taken, d.SinkState, d.Retained, d.Spooled, d.Pending = nil, nil, nil, nil, nil
}

// Must ends the test if there is an error.
func (d *SinkDriver) Must(err error) {
	d.T.Helper()
	if err != nil {
		d.T.Fatal(err)
	}
}

// Close closes the sink, if one is open.
func (d *SinkDriver) Close() {
	d.T.Helper()
	if d.Sink != nil {
		d.Must(d.Sink.Close())
		d.Sink = nil
	}
}

// Open checks and opens a sink as a new process would, after Close. Without an error from
// Check it is the driver's, whatever Open says.
func (d *SinkDriver) Open(sink pipeline.Sink) error {
	if err := d.Check(sink); err != nil {
		return err
	}
	d.Sink = sink
	return sink.Open(context.Background(), d.Options())
}

// Check asks a sink whether it could be opened.
func (d *SinkDriver) Check(sink pipeline.Sink) error {
	_, err := sink.Check(context.Background(), d.Options())
	return err
}

// Options are those that a sink would be opened with now.
func (d *SinkDriver) Options() pipeline.SinkOptions {
	return pipeline.SinkOptions{Env: pipeline.NewEnv(), Pipeline: d.Pipeline, StateID: d.State, Tables: d.Tables, Spool: d.Spool, Published: d.Published,
		Pending: d.Pending, SinkState: slices.Clone(d.SinkState), Spooled: maps.Clone(d.Spooled), Taken: slices.Clone(d.Taken)}
}

// Spool returns the sink's folder for an epoch.
func (d *SinkDriver) Spool(epoch int64) string { return filepath.Join(d.epochDir(epoch), "sink") }

func (d *SinkDriver) epochDir(epoch int64) string {
	return filepath.Join(d.Dir, "spool", strconv.FormatInt(epoch, 10))
}

// Write writes the next epoch by what write does, and saves nothing of it: so it is as if
// the process ended then.
func (d *SinkDriver) Write(last bool, write func(e pipeline.EpochWriter) error) (*pipeline.Committable, error) {
	e, err := d.Sink.Begin(d.Epoch + 1)
	if err != nil {
		return nil, err
	}
	if err := write(e); err != nil {
		e.Abort()
		return nil, err
	}
	c, err := e.Prepare(context.Background(), last)
	if err != nil {
		e.Abort()
		return nil, err
	}
	if c.Epoch != d.Epoch+1 {
		return nil, fmt.Errorf("a committable of epoch %d, want %d", c.Epoch, d.Epoch+1)
	}
	return c, nil
}

// Prepare writes settled rows as an epoch, and saves it.
func (d *SinkDriver) Prepare(rows ...*pipeline.Rows) *pipeline.Committable {
	d.T.Helper()
	return d.PrepareEpoch(false, rows...)
}

// PrepareEpoch is Prepare for an epoch that is the last one or not.
func (d *SinkDriver) PrepareEpoch(last bool, rows ...*pipeline.Rows) *pipeline.Committable {
	d.T.Helper()
	c, err := d.Write(last, func(e pipeline.EpochWriter) error {
		for _, r := range rows {
			if err := e.Write(nil, r); err != nil {
				return err
			}
		}
		return nil
	})
	d.Must(err)
	d.Save(c)
	return c
}

// Save saves a committable as the engine does, by way of its JSON. The epochs before are
// committed by then. One that has nothing to publish is done with it.
func (d *SinkDriver) Save(c *pipeline.Committable) {
	d.T.Helper()
	c.PreviousEpoch, c.Started = d.Published, time.Unix(1e9, 0).UTC()
	text, err := json.Marshal(c)
	d.Must(err)
	saved := &pipeline.Committable{}
	d.Must(json.Unmarshal(text, saved))
	saved.Spooled = bytes.Clone(c.Spooled)
	d.saveSpooled(saved)
	for _, t := range d.Tables {
		if !slices.Contains(d.Taken, t.Name) {
			d.Taken = append(d.Taken, t.Name)
		}
	}
	d.Epoch, d.SinkState, d.Retained, d.Pending = saved.Epoch, saved.SinkState, saved.RetainEpochs, saved
	switch {
	case saved.Payload == nil:
		d.Pending = nil
		d.clean(d.Epoch)
	case d.EarlyClean:
		d.clean(d.Epoch - 1)
	}
}

// saveSpooled keeps what a committable has in the place of a spool, and deletes what it does
// not retain.
func (d *SinkDriver) saveSpooled(c *pipeline.Committable) {
	maps.DeleteFunc(d.Spooled, func(epoch int64, _ []byte) bool { return !slices.Contains(c.RetainEpochs, epoch) })
	if d.Spooled == nil {
		d.Spooled = map[int64][]byte{}
	}
	if c.Spooled != nil {
		d.Spooled[c.Epoch] = c.Spooled
	}
}

// Commit commits the epoch that is pending, if one is.
func (d *SinkDriver) Commit() {
	d.T.Helper()
	if d.Pending == nil {
		return
	}
	d.Must(d.Sink.Commit(context.Background(), d.Pending))
	d.Done()
}

// Done is what the engine does after a commit.
func (d *SinkDriver) Done() {
	d.T.Helper()
	d.Published, d.Pending = d.Pending.Epoch, nil
	d.clean(d.Published)
}

// clean deletes the spools of epochs up to one that are not retained.
func (d *SinkDriver) clean(upTo int64) {
	d.T.Helper()
	all, err := os.ReadDir(filepath.Join(d.Dir, "spool"))
	if os.IsNotExist(err) {
		return
	}
	d.Must(err)
	for _, e := range all {
		epoch, err := strconv.ParseInt(e.Name(), 10, 64)
		d.Must(err)
		if epoch <= upTo && !slices.Contains(d.Retained, epoch) {
			d.Must(os.RemoveAll(d.epochDir(epoch)))
		}
	}
}
