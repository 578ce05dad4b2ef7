package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/dynamodbscan"
	"github.com/starlift-etl/starlift/sources/file"
	"github.com/starlift-etl/starlift/sources/file/export"
	"github.com/starlift-etl/starlift/sources/file/listing"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
)

// tableSnapshots are the snapshots of a table: exports, found or asked for, and scans.
type tableSnapshots struct {
	name string
	cfg  Config
	mode mode
	wait func(ctx context.Context, d time.Duration) error // between looks at an export; nil = by the clock
}

// client returns a client of the table.
func (s *tableSnapshots) client(ctx context.Context, env pipeline.Env) (*exportrequest.Client, error) {
	return exportrequest.New(ctx, exportrequest.Options{Node: s.name, Table: s.cfg.Table, AWS: s.cfg.Config, Env: env, Wait: s.wait})
}

// find implements snapshots.
func (s *tableSnapshots) find(ctx context.Context, env pipeline.Env, p *pass) error {
	c, err := s.client(ctx, env)
	if err != nil {
		return err
	}
	t, err := c.DescribeTable(ctx)
	if err != nil {
		return err
	}
	p.TableID, p.Key = t.ID, t.Key
	if p.Kind != kindExport {
		return nil
	}
	cfg := &s.cfg.Bootstrap.Export
	if cfg.Type == "" {
		return errors.New("a repair reads an export, and the pipeline file does not say where exports are: write bootstrap: {type: export, url: s3://bucket/exports}")
	}
	asks := cfg.Request || s.mode != follows
	var tooOld error
	if s.mode != requests { // which asks for one in any case
		e, err := s.newest(ctx, env, &t)
		switch {
		case err != nil:
			return err
		case e != nil && p.takes(e.Time):
			p.Export = e
			return nil
		case e != nil:
			tooOld = p.tooOld("the newest full export below "+cfg.URL, e.Time)
		default:
			tooOld = fmt.Errorf("below %s there is no full export of table %s that is finished, and not of another table which had the name: make one, or let DynamoDB be asked for it (bootstrap.request: true, or starlift backfill FILE --request-export)",
				cfg.URL, t.Name)
		}
	}
	if !asks {
		return tooOld
	}
	if _, err := cfg.Write.Destination(cfg.URL); err != nil {
		return err
	}
	if _, err := c.Recovery(ctx); err != nil {
		return err
	}
	p.Request = &exportrequest.Request{ID: exportrequest.NewID(), Asked: wallTime(env)}
	return nil
}

// newest returns the newest full export of the table that is there; nil = there is none. One of another table that has, or
// had, the name is none: its items would never be deleted.
func (s *tableSnapshots) newest(ctx context.Context, env pipeline.Env, t *exportrequest.Table) (*exportFolder, error) {
	cfg := &s.cfg.Bootstrap.Export
	found, err := export.Look(ctx, &listing.Tree{Remote: cfg.Remote(env)}, cfg.URL)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var newest *exportFolder
	for _, e := range found.Exports {
		if other := e.TableARN != t.ARN || e.TableID != "" && t.ID != "" && e.TableID != t.ID; e.Incremental || other || newest != nil && !e.To.After(newest.Time) {
			continue
		}
		newest = &exportFolder{URL: e.Folder, Time: e.To.UTC()}
		for _, f := range e.Files {
			newest.Items += f.Items
		}
	}
	return newest, nil
}

// check implements snapshots: a table that was made again is another one.
func (s *tableSnapshots) check(ctx context.Context, env pipeline.Env, p *pass) error {
	if p.TableID == "" {
		return nil // it was not found out yet
	}
	c, err := s.client(ctx, env)
	if err != nil {
		return err
	}
	t, err := c.DescribeTable(ctx)
	if err != nil {
		return err
	}
	if t.ID != p.TableID {
		return fmt.Errorf("table %s was deleted and made again at %s, while its %s was being read: what was read is of the table before: begin anew with another state folder and other tables",
			t.Name, clock(t.Created), p.Kind)
	}
	return nil
}

// askSlack is how much later than it would do an export is asked for: clocks differ.
const askSlack = 15 * time.Second

// make implements snapshots.
func (s *tableSnapshots) make(ctx context.Context, env pipeline.Env, w worksheet) error {
	if p := w.pass(); p.Kind != kindExport || p.Export != nil {
		return nil
	}
	c, err := s.client(ctx, env)
	if err != nil {
		return err
	}
	for w.pass().Export == nil {
		if w.pass().ARN == "" {
			if err := s.ask(ctx, c, w); err != nil {
				return err
			}
		}
		if err := s.await(ctx, c, w); err != nil {
			return err
		}
	}
	return nil
}

// ask asks for the export of a request, and saves its ARN.
func (s *tableSnapshots) ask(ctx context.Context, c *exportrequest.Client, w worksheet) error {
	cfg := &s.cfg.Bootstrap.Export
	to, err := cfg.Write.Destination(cfg.URL)
	if err != nil {
		return err
	}
	t, err := c.DescribeTable(ctx)
	if err != nil {
		return err
	}
	p := w.pass()
	at := p.Since.Add(pipeline.SnapshotMargin + askSlack)
	if at.After(w.time()) {
		w.waitsFor(fmt.Sprintf("%s: the stream has all changes since %s, and an export has to be %d minutes younger", clock(at), clock(p.Since), int(pipeline.SnapshotMargin.Minutes())))
		if err := w.sleep(ctx, at); err != nil {
			return err
		}
	}
	w.waitsFor("DynamoDB to take the request for an export")
	e, err := c.Ask(ctx, t, to, *p.Request)
	if err != nil {
		return err
	}
	return w.change(ctx, func(p *pass) { p.ARN = e.ARN })
}

// await waits for the export that was asked for. One that failed, or is of a time that is too
// early by the service's clock, is given up.
func (s *tableSnapshots) await(ctx context.Context, c *exportrequest.Client, w worksheet) error {
	arn := w.pass().ARN
	e, err := c.Wait(ctx, arn, func(e exportrequest.Export) {
		w.waitsFor(fmt.Sprintf("DynamoDB to make the export %s (%s, since %s)", arn, e.State, clock(e.Began)))
	})
	giveUp := func() error {
		return w.change(ctx, func(p *pass) {
			next := *p.Request
			next.Attempt++
			next.Asked = w.time()
			p.ARN, p.Request = "", &next
		})
	}
	failed, isFailed := errors.AsType[*exportrequest.FailedError](err)
	switch {
	case isFailed:
		return errors.Join(failed, giveUp())
	case errors.Is(err, exportrequest.ErrGone):
		return errors.Join(err, giveUp())
	case err != nil:
		return err
	case !w.pass().takes(e.Time):
		// The clocks differ by so much. Each export costs, so the next one is new enough.
		missing := w.pass().Since.Add(pipeline.SnapshotMargin + askSlack).Sub(e.Time)
		w.waitsFor(fmt.Sprintf("%s, until another export can be asked for: that of %s is too early for a stream that has all changes since %s, by DynamoDB's clock",
			missing.Round(time.Second), clock(e.Time), clock(w.pass().Since)))
		if err := w.sleep(ctx, w.time().Add(missing)); err != nil {
			return err
		}
		return giveUp()
	}
	cfg := &s.cfg.Bootstrap.Export
	to, err := cfg.Write.Destination(cfg.URL)
	if err != nil {
		return err
	}
	return w.change(ctx, func(p *pass) { p.Export = &exportFolder{URL: to.Folder(arn), Time: e.Time.UTC(), Items: e.Items} })
}

// source implements snapshots.
func (s *tableSnapshots) source(p *pass) (pipeline.Source, error) {
	if p.Kind == kindScan {
		c := s.cfg.scanConfig()
		c.Key = p.Key
		return dynamodbscan.New(s.name, c)
	}
	c := file.Config{Path: p.Export.URL, Format: "dynamodb_export", ReaderConfig: s.cfg.Bootstrap.Export.ReaderConfig, Options: recordformat.Options{Table: s.cfg.table().Name}}
	c.Region = s.cfg.reach(awsapi.Config{Region: c.Region}).Region
	if c.AssumeRole.ARN == "" {
		c.AssumeRole = s.cfg.AssumeRole
	}
	for _, k := range p.Key {
		c.Key = append(c.Key, spec.Paths{k})
	}
	return file.New(s.name, c)
}
