package warehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// Config is what a Sink is made of.
type Config struct {
	Name    string // of the sink
	Schema  string
	Dialect *Dialect
	Database
	// Validate refuses rows that the database would refuse; it is called before they
	// are written.
	Validate func(rows *pipeline.Rows) error
	// Adapt returns valid rows as they are stored, where that is not as they come; nil = as they
	// come. It is called once for each row, before the row is in any file, and goes by the row
	// alone. release gives back what it took.
	Adapt func(rows *pipeline.Rows) (adapted *pipeline.Rows, release func())
	// NewWriter makes the writer of a table at its first row in an epoch. It may set
	// Types and File of s; File begins as a name of its own in the folder.
	NewWriter func(dir string, t *pipeline.Table, s *StagedTable) (Writer, error)
	// Spares says that the writers are FilelessWriters; they make the folder with their first file.
	// SparedMax is how many bytes of an epoch are spared; 0 = spooled.BytesMax.
	Spares    bool
	SparedMax int
	Gather    Gather
}

// accept calls write with the rows as they are stored; what the database would refuse is an error.
func (c *Config) accept(rows *pipeline.Rows, write func(*pipeline.Rows) error) error {
	if err := c.Validate(rows); err != nil {
		return err
	}
	if c.Adapt == nil {
		return write(rows)
	}
	adapted, release := c.Adapt(rows)
	defer release()
	return write(adapted)
}

// Sink keeps settled tables in a Database. It is a pipeline.Sink and
// pipeline.Resettable.
type Sink struct {
	cfg     Config
	options pipeline.SinkOptions
	backlog backlog // of epochs that are gathered
	// found holds the columns of each table as Open left them.
	found map[string]Columns
	// exceptional are the tables with exceptions, as the last commit has left them; known = false:
	// that is not known, nor is the token.
	exceptional []string
	known       bool
	// commits counts those of this opening, and foldedTo is the epoch up to which their audit is
	// folded.
	commits  int64
	foldedTo int64
}

var (
	_ pipeline.Sink       = (*Sink)(nil)
	_ pipeline.Resettable = (*Sink)(nil)
	_ pipeline.Gatherer   = (*Sink)(nil)
)

// New returns a sink.
func New(cfg Config) *Sink {
	if cfg.Gather.on() && cfg.Dialect.Refusals != nil {
		// Refused rows are found among those of one statement a table; gathered ones may need two.
		panic("warehouse: rows are not gathered for a database that refuses single ones")
	}
	return &Sink{cfg: cfg}
}

// Mode is Settled: tables hold the current row of each key.
func (s *Sink) Mode() pipeline.Mode { return pipeline.Settled }

// DDL returns the statements that make the tables.
func (s *Sink) DDL(_ string, tables []*pipeline.Table) string {
	return s.cfg.Dialect.DDL(s.cfg.Schema, tables)
}

// CheckTables refuses names that are taken, and those that the database does not
// take or takes for one. The error joins *spec.FieldError.
func (s *Sink) CheckTables(tables []*pipeline.Table) error { return s.cfg.Dialect.CheckNames(tables) }

// Check does what Open does in a transaction that is rolled back.
func (s *Sink) Check(ctx context.Context, o pipeline.SinkOptions) (names []string, err error) {
	if err := s.begin(o); err != nil {
		return nil, err
	}
	return s.cfg.Check(ctx, o.Tables, s.prepareTables)
}

// Open compares the token with the checkpoint, and makes or checks the tables.
func (s *Sink) Open(ctx context.Context, o pipeline.SinkOptions) error {
	if err := s.begin(o); err != nil {
		return err
	}
	return s.cfg.Open(ctx, o.Tables, s.prepareTables)
}

// begin resets the sink for an opening.
func (s *Sink) begin(o pipeline.SinkOptions) (err error) {
	if err := s.Close(); err != nil {
		return err
	}
	s.options, s.found, s.known, s.commits, s.foldedTo = o, map[string]Columns{}, false, 0, 0
	if s.backlog, err = readBacklog(o.SinkState); err != nil {
		return fmt.Errorf("checkpoint of sink %q: %w", s.cfg.Name, err)
	}
	return s.CheckTables(o.Tables)
}

func (s *Sink) owner() Owner { return Owner{s.options.Pipeline, s.options.StateID, s.cfg.Name} }

// prepareTables is the transaction of an opening: it compares the token and the owners of the
// tables with the checkpoint, and makes the tables and columns that are missing.
func (s *Sink) prepareTables(ctx context.Context, tx Tx) error {
	// A transaction that a lost connection has left may still change what is read here: LockToken
	// waits until it has ended.
	if err := tx.LockToken(ctx, s.owner()); err != nil {
		return err
	}
	if err := tx.CreateSchema(ctx); err != nil {
		return fmt.Errorf("schema %q: %w", s.cfg.Schema, err)
	}
	for _, t := range s.cfg.Dialect.ownTables() {
		if err := s.makeTable(ctx, tx, t); err != nil {
			return err
		}
	}
	if err := tx.OpenToken(ctx, s.owner()); err != nil {
		return fmt.Errorf("making the token: %w", err)
	}
	if err := s.checkToken(ctx, tx); err != nil {
		return err
	}
	take, err := s.claim(ctx, tx)
	if err != nil {
		return err
	}
	for _, t := range s.options.Tables {
		if err := s.makeTable(ctx, tx, t); err != nil {
			return err
		}
	}
	for _, table := range take {
		if err := tx.RecordOwner(ctx, table, s.owner()); err != nil {
			return fmt.Errorf("taking table %q: %w", table, err)
		}
	}
	return nil
}

func (s *Sink) checkToken(ctx context.Context, tx Tx) error {
	found, err := tx.LastEpoch(ctx, s.owner())
	if err != nil {
		return fmt.Errorf("reading the token: %w", err)
	}
	other, otherEpoch, err := tx.OtherState(ctx, s.owner())
	if err != nil {
		return fmt.Errorf("reading the token: %w", err)
	}
	return checkToken(s.cfg.Name, &s.options, found, other, otherEpoch)
}

// claim returns the tables without an owner. Tables that the sink may not write are an error.
func (s *Sink) claim(ctx context.Context, tx Tx) ([]string, error) {
	owners, err := tx.TableOwners(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", TablesTable, err)
	}
	claims := s.cfg.Dialect.newClaims(s.cfg.Schema, s.cfg.Name, &s.options, owners)
	for _, t := range s.options.Tables {
		there, err := s.findTable(ctx, tx, t.Name)
		if err != nil {
			return nil, err
		}
		rows := false
		if there != nil {
			if there.Problem != "" {
				return nil, fmt.Errorf("table %s.%s %s", s.cfg.Schema, t.Name, there.Problem)
			}
			if rows, err = tx.HasRows(ctx, t.Name); err != nil {
				return nil, fmt.Errorf("table %q: %w", t.Name, err)
			}
		}
		claims.add(t.Name, there != nil, rows)
	}
	return claims.unowned, claims.err()
}

// findTable looks a table up. Something else of its name is an error.
func (s *Sink) findTable(ctx context.Context, tx Tx, table string) (*FoundTable, error) {
	there, err := tx.FindTable(ctx, table)
	if err != nil {
		return nil, err
	}
	if there != nil && there.Kind != "" {
		return nil, fmt.Errorf("%s.%s is there, and is not a table but %s: drop or rename it, or give the table another name", s.cfg.Schema, table, there.Kind)
	}
	return there, nil
}

// makeTable makes a table, or adds the columns that it lacks.
func (s *Sink) makeTable(ctx context.Context, tx Tx, t *pipeline.Table) error {
	found, add := Columns{}, s.cfg.Dialect.columnsOf(t)
	there, err := s.findTable(ctx, tx, t.Name)
	if err == nil && there == nil {
		err = tx.CreateTable(ctx, t)
	} else if err == nil {
		found, add, err = s.addColumns(ctx, tx, t)
	}
	if err != nil {
		return fmt.Errorf("table %q: %w", t.Name, err)
	}
	for _, c := range add {
		found[s.cfg.Dialect.fold(c.Name)] = Column{Type: s.cfg.Dialect.Type(c.Type)}
	}
	s.found[t.Name] = found
	if p, ok := tx.(Prober); ok {
		if err := p.Probe(ctx, t); err != nil {
			return fmt.Errorf("table %s.%s does not take the pipeline's rows: %w", s.cfg.Schema, t.Name, err)
		}
	}
	return nil
}

// addColumns adds the columns that a table lacks, and returns those that it had, and the
// new ones.
func (s *Sink) addColumns(ctx context.Context, tx Tx, t *pipeline.Table) (found Columns, added []pipeline.Column, err error) {
	if found, err = tx.TableColumns(ctx, t.Name); err != nil {
		return nil, nil, err
	}
	if added, err = s.cfg.Dialect.missingColumns(s.cfg.Schema, t, found); err != nil {
		return nil, nil, err
	}
	for _, c := range added {
		if err := tx.AddColumn(ctx, t.Name, c); err != nil {
			return nil, nil, err
		}
	}
	return found, added, nil
}

// Prober is a Tx of a database whose catalogue does not tell everything that keeps
// rows out of a table.
type Prober interface {
	// Probe returns why the table would not take rows; it changes nothing.
	Probe(ctx context.Context, t *pipeline.Table) error
}

// Begin starts an epoch's spool.
func (s *Sink) Begin(number int64) (pipeline.EpochWriter, error) {
	if s.cfg.Gather.on() {
		return s.newGatherWriter(number)
	}
	return newSpool(s.options.Spool(number), number, &s.cfg, s.options.Tables)
}

// Commit applies the epoch in one transaction, unless the token says that it was
// applied (I5). When the database refuses rows, they are found and named.
func (s *Sink) Commit(ctx context.Context, c *pipeline.Committable) error {
	all, err := ReadStaged(c)
	if err != nil {
		return err
	}
	excluded, err := readExcluded(c)
	if err != nil {
		return err
	}
	dir := ""
	if len(all) > 0 {
		dir = s.options.Spool(c.Epoch)
	}
	files, err := newFiles(dir, c.Spooled)
	if err != nil {
		return fmt.Errorf("committable of epoch %d: %w", c.Epoch, err)
	}
	err = s.apply(ctx, c, files, all, excluded)
	if refusals := s.cfg.Dialect.Refusals; refusals == nil || err == nil || !refusals.IsRefusal(err) {
		return err
	}
	refused, findErr := s.findRefused(ctx, c, files, all, excluded)
	switch {
	case findErr != nil:
		return findErr
	case refused == nil:
		return fmt.Errorf("the rows of the epoch are refused together, and none of them alone: %w", err)
	}
	return refused
}

// apply applies an epoch in one transaction.
func (s *Sink) apply(ctx context.Context, c *pipeline.Committable, files *Files, all []StagedTable, excluded []exclusion) error {
	known := s.known
	s.known = false // until this epoch is in the tables
	if known && len(excluded) == 0 && (files.Spared() || len(all) == 0) && !slices.ContainsFunc(all, func(t StagedTable) bool { return slices.Contains(s.exceptional, t.Table) }) {
		if published, err := s.publishAtOnce(ctx, c, files, all); err != nil || published {
			s.known = published
			return err
		}
	}
	applied := false
	err := s.cfg.Transact(ctx, func(ctx context.Context, tx Tx) (err error) {
		applied, err = s.publish(ctx, tx, c, files, all, excluded)
		return err
	})
	s.known = err == nil && !applied
	return err
}

// publishAtOnce applies an epoch in one request, to a database that takes that.
func (s *Sink) publishAtOnce(ctx context.Context, c *pipeline.Committable, files *Files, all []StagedTable) (published bool, err error) {
	publisher, ok := s.cfg.Database.(Publisher)
	if !ok {
		return false, nil
	}
	audit := s.auditOf(c, all)
	return publisher.Publish(ctx, &Publication{files, all, c.PreviousEpoch, audit}, func(ctx context.Context, tx Tx) error {
		return s.foldAudit(ctx, tx, audit.Ended)
	})
}

// auditOf returns the row of the audit table for an epoch that ends now.
func (s *Sink) auditOf(c *pipeline.Committable, all []StagedTable) Audit {
	a := Audit{Owner: s.owner(), Epoch: c.Epoch, Started: c.Started, Ended: time.Now()}
	for i := range all {
		a.Rows += all[i].Rows()
	}
	return a
}

// publish is what a commit does in its transaction, where it is not all done at once.
func (s *Sink) publish(ctx context.Context, tx Tx, c *pipeline.Committable, files *Files, all []StagedTable, excluded []exclusion) (applied bool, err error) {
	if applied, err := s.alreadyApplied(ctx, tx, c); err != nil || applied {
		return applied, err
	}
	exceptions, err := s.exceptionsOf(ctx, tx, c.Epoch, excluded)
	if err != nil {
		return false, err
	}
	for i := range all {
		if exceptions.affects(all[i].Table) {
			err = exceptions.apply(ctx, files, &all[i])
		} else {
			err = tx.Apply(ctx, files, &all[i], s.found[all[i].Table])
		}
		if err != nil {
			return false, fmt.Errorf("table %q: %w", all[i].Table, err)
		}
	}
	audit := s.auditOf(c, all)
	audit.Rows -= int64(len(excluded))
	if err := tx.RecordEpoch(ctx, audit); err != nil {
		return false, fmt.Errorf("writing the token: %w", err)
	}
	if exceptions != nil {
		s.exceptional = exceptions.tables
	}
	return false, s.foldAudit(ctx, tx, audit.Ended)
}

// alreadyApplied locks the token, and reports whether the committable was applied.
func (s *Sink) alreadyApplied(ctx context.Context, tx Tx, c *pipeline.Committable) (bool, error) {
	// The transaction of an earlier try, whose outcome is unknown, may still run on the server:
	// LockToken waits until it has ended, so that the token is final.
	found, err := s.lockedEpoch(ctx, tx)
	if err != nil {
		return false, err
	}
	return alreadyApplied(s.cfg.Name, &s.options, c, found)
}

// lockedEpoch locks the token, and returns the last epoch.
func (s *Sink) lockedEpoch(ctx context.Context, tx Tx) (epoch int64, err error) {
	if t, ok := tx.(TokenReader); ok {
		return t.LockedEpoch(ctx, s.owner())
	}
	if err := tx.LockToken(ctx, s.owner()); err != nil {
		return 0, err
	}
	if epoch, err = tx.LastEpoch(ctx, s.owner()); err != nil {
		return 0, fmt.Errorf("reading the token: %w", err)
	}
	return epoch, nil
}

// Close disconnects. It may be called twice.
func (s *Sink) Close() error { return s.cfg.Close() }

// Reset implements pipeline.Resettable. The schema stays, though nothing be left in
// it, and so does what is not a table.
func (s *Sink) Reset(ctx context.Context, r pipeline.Reset) (all []pipeline.TargetObject, err error) {
	if err := s.Close(); err != nil {
		return nil, err
	}
	s.options = pipeline.SinkOptions{Pipeline: r.Pipeline}
	err = s.cfg.Reset(ctx, r.Tables, r.Do, func(ctx context.Context, tx Tx) error {
		if r.Do {
			// A transaction of a process that is gone may still run: LockToken waits for it.
			if err := tx.LockToken(ctx, s.owner()); err != nil {
				return err
			}
		}
		all, err = s.resetAll(ctx, tx, &r)
		return err
	})
	if err = errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return all, nil
}
