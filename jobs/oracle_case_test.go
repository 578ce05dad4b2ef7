package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/internal/oracle"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	localdisk "github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// oraclePipeline is a pipeline of testdata/oracle with the items it gets.
type oraclePipeline struct {
	name        string
	domain      oracle.Domain
	expressions map[string]oracle.Expression
	conditions  map[string]oracle.Condition
	// What load has read:
	yaml  string
	model *oracle.Model
}

// target is where a case's rows go.
type target interface {
	// into makes it the sink of an assembled pipeline.
	into(*assembly.Pipeline)
	// rows returns what was published.
	rows() (map[string][]oracle.Row, error)
}

// crash is the end of a process: before a step of an epoch, at the nth time that
// the step is taken.
type crash struct {
	step engine.Step
	nth  int
}

// oracleCase is a pipeline with its input, and how it is run.
type oracleCase struct {
	yaml     string
	model    *oracle.Model
	delivery oracle.Delivery
	epoch    int // records
	memory   int64
	mappers  int
	phases   arrangement
	bounded  bool
	crashes  [][]crash // of each run
	again    bool      // read everything again at the end
	demand   *demand   // epochs end by it; nil = by records

	dir    string
	keys   oracle.Keys // of the snapshot before
	filled bool        // everything was read again
}

// drawCase draws a case of a pipeline.
func drawCase(t *rapid.T, p *oraclePipeline) *oracleCase {
	c := &oracleCase{model: p.model}
	order := rapid.SampledFrom([]oracle.Order{oracle.ByTime, oracle.BySequence, oracle.ByImages, oracle.ByWrites, oracle.ByCircles}).Draw(t, "decided by")
	bad := func(im oracle.Image) bool { return c.model.Dead(oracle.Change{New: im}) != nil }
	histories := oracle.Histories(t, p.domain, order, rapid.Bool().Draw(t, "old images"), bad, c.model.Members)
	c.delivery = oracle.Deliver(t, histories, order)
	c.yaml = withSources(p.yaml, &c.delivery)
	c.epoch = rapid.SampledFrom([]int{1, 2, 3, 5, 8, 100}).Draw(t, "records in an epoch")
	c.memory = rapid.SampledFrom([]int64{1, 64 << 20}).Draw(t, "memory")
	c.mappers = rapid.SampledFrom([]int{1, 2, 7}).Draw(t, "mappers")
	c.phases = drawArrangement(t)
	c.bounded = rapid.Bool().Draw(t, "bounded")
	c.again = rapid.IntRange(0, 2).Draw(t, "again") == 0
	for range c.delivery.Stages + 1 {
		c.crashes = append(c.crashes, rapid.SliceOfN(rapid.Custom(drawCrash), 0, 2).Draw(t, "crashes"))
	}
	return c
}

func drawCrash(t *rapid.T) crash {
	return crash{rapid.SampledFrom(engine.Steps).Draw(t, "step"), rapid.IntRange(1, 4).Draw(t, "nth")}
}

// load reads the pipeline's file.
func (p *oraclePipeline) load(t *testing.T) {
	path := filepath.Join("testdata", "oracle", p.name+".yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := spec.Load(path, data, assembly.Kinds(), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.model, err = oracle.New(f, p.expressions, p.conditions); err != nil {
		t.Fatal(err)
	}
	p.yaml = string(data)
}

// withSources puts the sources of a delivery into a pipeline file with the one
// source changes.
func withSources(yaml string, d *oracle.Delivery) string {
	var names, lines []string
	for _, s := range d.Sources {
		names = append(names, s.Name)
	}
	for line := range strings.Lines(yaml) {
		if strings.HasPrefix(line, "sources:") {
			line = d.YAML()
		}
		lines = append(lines, strings.ReplaceAll(line, "inputs: [changes]", "inputs: ["+strings.Join(names, ", ")+"]"))
	}
	return strings.Join(lines, "")
}

// run runs the case in a folder, and returns what is wrong.
func (c *oracleCase) run(dir string, to target) error {
	c.dir = dir
	if err := os.WriteFile(filepath.Join(dir, "pipeline.yaml"), []byte(c.yaml), 0o600); err != nil {
		return err
	}
	for stage := range c.delivery.Stages {
		if err := c.delivery.Write(dir, stage); err != nil {
			return err
		}
		if err := c.runOver(to, c.crashes[stage], false); err != nil {
			return fmt.Errorf("run %d: %w", stage+1, err)
		}
		if err := c.compare(to, stage); err != nil {
			return fmt.Errorf("run %d: %w", stage+1, err)
		}
	}
	if !c.again {
		return nil
	}
	if err := c.runOver(to, c.crashes[c.delivery.Stages], true); err != nil {
		return fmt.Errorf("backfill: %w", err)
	}
	c.filled = true
	if err := c.compare(to, c.delivery.Stages-1); err != nil {
		return fmt.Errorf("backfill: %w", err)
	}
	return nil
}

var errOracleCrash = errors.New("crash")

// runOver runs the pipeline to its end, over crashes.
func (c *oracleCase) runOver(to target, crashes []crash, fromStart bool) error {
	for {
		a, err := assembly.Load(filepath.Join(c.dir, "pipeline.yaml"), c.settings())
		if err != nil {
			return err
		}
		a.Config.StateMemory, a.Config.Mappers, a.Config.Runner, a.Config.FromStart = c.memory, c.mappers, c.phases.runner(), fromStart
		a.Config.Bounded = a.Config.Bounded && c.bounded
		silence(a)
		to.into(a)
		if len(crashes) > 0 {
			a.Config.Hook = crashes[0].hook()
			crashes = crashes[1:]
		}
		stop, cancel := context.WithCancel(context.Background())
		if c.demand != nil {
			stop, cancel = c.demand.into(a)
		}
		err = engine.Run(stop, context.Background(), a.Config)
		cancel()
		if stopped := err == nil && !a.Recorder.Progress().Ended; !stopped && !errors.Is(err, errOracleCrash) {
			return err
		}
	}
}

func (k crash) hook() func(engine.Step, int64) error {
	var mu sync.Mutex
	nth := k.nth
	return func(s engine.Step, _ int64) error {
		mu.Lock()
		defer mu.Unlock()
		if s == k.step {
			nth--
		}
		if nth <= 0 {
			return errOracleCrash // a dead process does nothing more
		}
		return nil
	}
}

// settings place the case's folders, which the file has relative to its own.
func (c *oracleCase) settings() []string {
	set := []string{
		"state.dir=" + filepath.Join(c.dir, "state"), "state.tombstones=3650d",
		"dead_letters.url=" + filepath.Join(c.dir, "dead"), "dead_letters.max_ratio=1",
		"sinks.warehouse.dsn=" + filepath.Join(c.dir, "warehouse.duckdb"),
		fmt.Sprint("epoch.max_records=", c.epoch), "epoch.interval=1h",
	}
	if c.demand != nil {
		set = append(set, "epoch.interval=auto")
	}
	for _, s := range c.delivery.Sources {
		set = append(set, "sources."+s.Name+".path="+filepath.Join(c.dir, s.Path()))
	}
	return set
}

// compare holds the target's rows against the model's.
func (c *oracleCase) compare(to target, stage int) error {
	found, err := to.rows()
	if err != nil {
		return err
	}
	got, keys, wrong := c.model.Translate(found)
	wrong = append(wrong, oracle.ChangedKeys(c.keys, keys)...)
	if c.delivery.EndsOnly {
		got = c.model.Ends(got)
	}
	if c.delivery.Decided(stage) {
		wrong = append(wrong, oracle.Diff(got, c.model.Tables(c.delivery.Changes(stage)))...)
	}
	c.keys = keys
	lines, err := c.compareLetters(stage)
	if wrong = append(wrong, lines...); err != nil || len(wrong) == 0 {
		return err
	}
	return errors.New(strings.Join(wrong, "\n\t"))
}

// compareLetters holds the dead letters against the model's: each as often as
// its record was read. A crash after the end of a backfill makes the next one
// begin anew.
func (c *oracleCase) compareLetters(stage int) (wrong []string, err error) {
	letters, err := c.deadLetters()
	if err != nil {
		return nil, err
	}
	least := c.delivery.Dead(c.model, stage)
	for letter, n := range letters {
		if least[letter] == 0 {
			wrong = append(wrong, fmt.Sprintf("%d dead letters that should not be there: %v", n, letter))
		}
	}
	for letter, once := range least {
		from, to := once, once
		if c.filled {
			from, to = 2*once, (2+len(c.crashes[c.delivery.Stages]))*once
		}
		if n := letters[letter]; n < from || n > to {
			wrong = append(wrong, fmt.Sprintf("%d dead letters, want %d to %d: %v", n, from, to, letter))
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}

// deadLetters counts the case's dead letters.
func (c *oracleCase) deadLetters() (map[oracle.Letter]int, error) {
	letters := map[oracle.Letter]int{}
	records := map[pipeline.Position]string{} // of rows of one record, the first has it
	err := deadletters.Folder{Objects: blob.NewDir(filepath.Join(c.dir, "dead"), localdisk.Private), Pipeline: "oracle"}.Each(context.Background(), "", func(l *deadletters.Found) error {
		if l.Record != "" {
			records[l.Pos()] = l.Record
		}
		letter := oracle.Letter{Record: records[l.Pos()]}
		if l.Row != nil {
			letter.Row = oracle.RowLetter(l.Row.Table, l.Row.Element)
		}
		letters[letter]++
		return nil
	})
	return letters, err
}

// judge holds what every commit has to leave: facts whose members are there, and
// keys that are unique and stay.
func (c *oracleCase) judge() func(map[string][]oracle.Row) error {
	var before oracle.Keys
	return func(found map[string][]oracle.Row) error {
		_, keys, wrong := c.model.Translate(found)
		wrong = append(wrong, oracle.ChangedKeys(before, keys)...)
		before = keys
		if len(wrong) == 0 {
			return nil
		}
		return errors.New(strings.Join(wrong, "\n\t"))
	}
}

// show describes a case that failed as a pipeline that can be run, and leaves it
// in a folder.
func (c *oracleCase) show(t *rapid.T, name string, failure error) {
	folder := filepath.Join(os.TempDir(), "starlift-oracle", name)
	if err := c.leave(folder, failure); err != nil {
		t.Logf("the case is not in %s: %v", folder, err)
	}
	t.Logf("%s", c.commands(folder))
	t.Logf("memory %d, mappers %d, phases %+v, bounded %v, crashes before steps %v\n%s", c.memory, c.mappers, c.phases, c.bounded, c.crashes, c.runnable())
	for _, s := range c.delivery.Sources {
		for n, f := range s.Files {
			t.Logf("%s, file %d, there from run %d on:\n%s", s.Name, n+1, f.Stage+1, f.Lines(&s))
		}
	}
	t.Logf("differences from the model:\n\t%v", failure)
}

// commands run the case as it was left in a folder.
func (c *oracleCase) commands(folder string) string {
	lines := []string{"cd " + folder, "starlift run pipeline.yaml"}
	for stage := 1; stage < c.delivery.Stages; stage++ {
		lines = append(lines, fmt.Sprintf("cp run-%d/* .; starlift run pipeline.yaml", stage+1))
	}
	if c.again {
		lines = append(lines, "starlift backfill pipeline.yaml")
	}
	return strings.Join(lines, "\n")
}

// runnable returns the pipeline with the settings of the case.
func (c *oracleCase) runnable() string {
	return c.yaml + fmt.Sprintf("epoch: {max_records: %d}\nstate: {dir: state, tombstones: 3650d}\ndead_letters: {url: dead, max_ratio: 1}\n", c.epoch)
}

// leave writes the files of the case into a new folder, those of later runs into
// folders below it.
func (c *oracleCase) leave(folder string, failure error) error {
	errs := []error{os.RemoveAll(folder), os.MkdirAll(folder, 0o700)}
	errs = append(errs, os.WriteFile(filepath.Join(folder, "pipeline.yaml"), []byte(c.runnable()), 0o600))
	errs = append(errs, os.WriteFile(filepath.Join(folder, "differences.txt"), []byte(failure.Error()+"\n"), 0o600))
	for stage := range c.delivery.Stages {
		dir := folder
		if stage > 0 {
			dir = filepath.Join(folder, fmt.Sprint("run-", stage+1))
			errs = append(errs, os.Mkdir(dir, 0o700))
		}
		errs = append(errs, c.delivery.Write(dir, stage))
	}
	return errors.Join(errs...)
}

// silence has a pipeline write no log.
func silence(a *assembly.Pipeline) {
	a.Config.Log, a.Recorder = slog.New(slog.DiscardHandler), telemetry.New(telemetry.Options{})
	a.Config.Observer = a.Recorder
}
