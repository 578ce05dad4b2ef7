package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/internal/oracle"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	localdisk "github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

var forgetSeed = flag.Uint64("oracle.seed", 0, "the one case of TestOracleForgets to check; 0 = -oracle.cases/20 random ones")

// TestOracleForgets holds pipelines that forget deletions against a model that forgets
// nothing and is fed the same, less the dead letters: of exports and streams in shards, in
// disorder, cut and killed anywhere, followed or not, added to between runs and read
// again. No change is too late that is younger than tombstones are kept before the clock
// of its own shard.
func TestOracleForgets(t *testing.T) {
	t.Parallel()
	parent := scratch(t)
	seeds := []uint64{*forgetSeed}
	if *forgetSeed == 0 {
		seeds = nil
		for first := rand.Uint64(); len(seeds) < max(1, *cases/20); first++ {
			seeds = append(seeds, first)
		}
	}
	late, reread := 0, int64(0)
	for _, seed := range seeds {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		c := drawForgets(rand.New(rand.NewPCG(seed, 0)), dir)
		if err := c.run(); err != nil {
			t.Fatalf("-oracle.seed=%d: %v\n%s", seed, err, c)
		}
		late, reread = late+c.late, reread+c.reread
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if *forgetSeed == 0 && len(seeds) >= 500 && (late == 0 || reread == 0) {
		t.Errorf("%d cases from seed %d on had %d changes that were too late, and %d that were read again", len(seeds), seeds[0], late, reread)
	}
}

// forgets is a case of TestOracleForgets.
type forgets struct {
	dir        string
	tombstones int // days
	epoch      int // records
	phases     arrangement
	stages     int
	crashes    []crash // of each run; nth 0 = none
	again      bool    // what ends is read again at the end
	sources    []*forgetSource

	warehouse *memoryWarehouse
	late      int
	reread    int64
}

// forgetSource is a source of one table. A file is a shard of a stream, or what an
// export has.
type forgetSource struct {
	name, table, format string
	told                bool // the pipeline file says the table
	follow              bool
	asOf                time.Time
	files               [][]forgetLine
}

// forgetLine is a record.
type forgetLine struct {
	text  string
	item  string
	at    int64 // µs
	value string
	gone  bool
	stage int // the run that it is there for
}

const forgetDay = int64(24 * time.Hour / time.Microsecond)

// grains are the precisions of the times of changes, in µs: all records tell them.
var grains = []int64{1_000_000, 1000}

func drawForgets(r *rand.Rand, dir string) *forgets {
	c := &forgets{dir: dir, warehouse: newMemoryWarehouse(func(map[string][]oracle.Row) error { return nil })}
	c.tombstones = pick(r, 1, 3, 8, 60)
	c.epoch = pick(r, 3, 7, 50, 200, 1000)
	c.phases = arrangement{Workers: pick(r, 1, 2, 7), Parts: pick(r, oracleParts...), Shuffle: r.Uint64N(3)}
	c.stages = pick(r, 1, 1, 2, 3)
	c.again = r.IntN(2) == 0
	for range c.stages {
		k := crash{}
		if r.IntN(2) == 0 {
			k = crash{engine.Steps[r.IntN(len(engine.Steps))], 1 + r.IntN(6)}
		}
		c.crashes = append(c.crashes, k)
	}
	followed := r.IntN(3) > 0
	for n := range 1 + r.IntN(2) {
		c.table(r, fmt.Sprintf("t%d", n), followed)
	}
	r.Shuffle(len(c.sources), func(i, j int) { c.sources[i], c.sources[j] = c.sources[j], c.sources[i] })
	return c
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// table draws the history of a table and the sources that bring it.
func (c *forgets) table(r *rand.Rand, name string, followed bool) {
	start := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	days := pick(r, int64(1), 10, 30)
	grain := pick(r, grains...)
	var all []oracle.Change
	for n := range 20 + r.IntN(pick(r, 80, 80, 400)) {
		all = append(all, forgetHistory(r, fmt.Sprintf("%s-%03d", name, n), start, days*forgetDay, 2*grain)...)
	}
	slices.SortStableFunc(all, func(a, b oracle.Change) int { return int(a.Time/grain - b.Time/grain) })
	exported := start + r.Int64N(days*forgetDay)/(2*grain)*(2*grain) + grain // no change has this time
	full, incremental := r.IntN(2) == 0, r.IntN(3) == 0
	if full {
		c.sources = append(c.sources, fullExport(name, all, exported))
	}
	if incremental {
		if s := incrementalExport(name, all, exported, exported+r.Int64N(5*forgetDay)); len(s.files[0]) > 0 {
			c.sources = append(c.sources, s)
		}
	}
	from := int64(0)
	if full && r.IntN(2) == 0 {
		from = exported - r.Int64N(2*forgetDay) // the stream is younger than its table
	}
	s := &forgetSource{name: name + "_stream", table: name, format: "dynamodb_cdc", told: r.IntN(2) == 0, follow: followed && r.IntN(4) > 0}
	s.files = make([][]forgetLine, 1+r.IntN(3))
	disorder := pick(r, 0, 3, 40)
	for i := range all {
		if ch := &all[i]; ch.Time >= from {
			shard := int(ch.Key["id"].(string)[len(name)+3]) % len(s.files)
			s.files[shard] = append(s.files[shard], forgetLine{text: strings.Replace(string(ch.CDC(0)), `"`+oracle.TableName+`"`, `"`+name+`"`, 1),
				item: ch.Key["id"].(string), at: ch.Time, value: valueOf(ch.New), gone: ch.New == nil})
		}
	}
	for i, f := range s.files {
		s.files[i] = c.deliver(r, f, disorder)
	}
	c.sources = append(c.sources, s)
}

// forgetHistory draws the changes of an item.
func forgetHistory(r *rand.Rand, id string, start, span, grain int64) (all []oracle.Change) {
	times := map[int64]bool{}
	for range 1 + r.IntN(6) {
		times[start+r.Int64N(span)/grain*grain] = true
	}
	key := oracle.Image{"id": id}
	var now oracle.Image
	for i, at := range slices.Sorted(maps.Keys(times)) {
		ch := oracle.Change{Key: key, Old: now, HasOld: true, Time: at}
		if now = nil; ch.Old == nil || r.IntN(2) == 0 {
			now = oracle.Image{"id": id, "n": json.Number(fmt.Sprint(i))}
		}
		ch.New = now
		all = append(all, ch)
	}
	return all
}

func valueOf(im oracle.Image) string {
	if im == nil {
		return ""
	}
	return im["n"].(json.Number).String()
}

// deliver brings a shard into disorder, repeats some of it, and divides it into stages.
func (c *forgets) deliver(r *rand.Rand, lines []forgetLine, disorder int) []forgetLine {
	for i := range lines {
		if disorder > 0 && r.IntN(4) == 0 {
			j := max(0, i-r.IntN(disorder))
			lines[i], lines[j] = lines[j], lines[i]
		}
	}
	for range len(lines) / 20 {
		i := r.IntN(len(lines))
		lines = slices.Insert(lines, i+r.IntN(len(lines)-i)+1, lines[i])
	}
	stage := 0
	for i := range lines {
		if stage < c.stages-1 && r.IntN(1+len(lines)/c.stages) == 0 {
			stage++
		}
		lines[i].stage = stage
	}
	return lines
}

// newestBefore returns the newest change of each item before a time.
func newestBefore(all []oracle.Change, at int64) map[string]*oracle.Change {
	newest := map[string]*oracle.Change{}
	for i := range all {
		if all[i].Time < at {
			newest[all[i].Key["id"].(string)] = &all[i]
		}
	}
	return newest
}

func fullExport(name string, all []oracle.Change, at int64) *forgetSource {
	s := &forgetSource{name: name + "_full", table: name, format: "dynamodb_export", told: true, asOf: time.UnixMicro(at).UTC(), files: make([][]forgetLine, 1)}
	items := newestBefore(all, at)
	for _, id := range slices.Sorted(maps.Keys(items)) {
		if ch := items[id]; ch.New != nil {
			s.files[0] = append(s.files[0], forgetLine{text: string(ch.Item()), item: id, at: at, value: valueOf(ch.New)})
		}
	}
	return s
}

// incrementalExport has the newest change of a time of each item that has one.
func incrementalExport(name string, all []oracle.Change, from, to int64) *forgetSource {
	s := &forgetSource{name: name + "_increment", table: name, format: "dynamodb_export", told: true, files: make([][]forgetLine, 1)}
	before, items := newestBefore(all, from), newestBefore(all, to)
	for _, id := range slices.Sorted(maps.Keys(items)) {
		ch := *items[id]
		if ch.Time < from {
			continue
		}
		if ch.Old = nil; before[id] != nil {
			ch.Old = before[id].New
		}
		if ch.New == nil && ch.Old == nil {
			continue
		}
		s.files[0] = append(s.files[0], forgetLine{text: string(ch.Increment(0)), item: id, at: ch.Time, value: valueOf(ch.New), gone: ch.New == nil})
	}
	return s
}

// yaml returns the pipeline.
func (c *forgets) yaml() string {
	var sources, names []string
	for _, s := range c.sources {
		line := fmt.Sprintf("  %s: {type: file, path: %q, format: %s", s.name, filepath.Join(c.dir, s.name, "*.ndjson"), s.format)
		if s.told {
			line += ", table: " + s.table
		}
		if s.format == "dynamodb_export" {
			line += ", key: [id]"
		}
		if !s.asOf.IsZero() {
			line += ", as_of: " + s.asOf.Format(time.RFC3339Nano)
		}
		if s.follow {
			line += ", follow: true, poll: 10ms"
		}
		sources, names = append(sources, line+"}"), append(names, s.name)
	}
	return fmt.Sprintf(`name: forgets
epoch: {max_records: %d, interval: 20ms}
state: {dir: %q, tombstones: %dd}
dead_letters: {url: %q, max_ratio: 1}
sources:
%s
transforms: {items: {type: unnest, inputs: [%s], tables: {row: {key: [id], columns: {id: {}, n: {type: int64}}}}}}
sinks: {warehouse: {type: duckdb, inputs: [items], dsn: %q}}
`, c.epoch, filepath.Join(c.dir, "state"), c.tombstones, filepath.Join(c.dir, "dead"), strings.Join(sources, "\n"), strings.Join(names, ", "), filepath.Join(c.dir, "w.duckdb"))
}

// String describes the case.
func (c *forgets) String() string {
	return fmt.Sprintf("%s\nstages %d, crashes %v, again %v", c.yaml(), c.stages, c.crashes, c.again)
}

// run runs the case, and returns what is wrong.
func (c *forgets) run() error {
	if err := os.WriteFile(filepath.Join(c.dir, "p.yaml"), []byte(c.yaml()), 0o600); err != nil {
		return err
	}
	for stage := range c.stages {
		if err := c.write(stage); err != nil {
			return err
		}
		if err := c.runOver(stage, c.crashes[stage]); err != nil {
			return fmt.Errorf("run %d: %w", stage+1, err)
		}
		if err := c.compare(stage); err != nil {
			return fmt.Errorf("after run %d: %w", stage+1, err)
		}
	}
	if !c.again || !slices.ContainsFunc(c.sources, func(s *forgetSource) bool { return !s.follow }) {
		return nil
	}
	for range 2 { // the first may find that what ends was not known to have ended
		total, err := c.engine(crash{}, -1)
		if err != nil {
			return fmt.Errorf("backfill: %w", err)
		}
		c.reread += total.Reread
	}
	if err := c.compare(c.stages - 1); err != nil {
		return fmt.Errorf("after a backfill: %w", err)
	}
	return nil
}

// write adds what a stage brings to the files.
func (c *forgets) write(stage int) error {
	for _, s := range c.sources {
		if err := os.MkdirAll(filepath.Join(c.dir, s.name), 0o700); err != nil {
			return err
		}
		for i, lines := range s.files {
			f, err := os.OpenFile(filepath.Join(c.dir, s.name, fmt.Sprintf("%d.ndjson", i)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if l.stage == stage {
					if _, err := f.WriteString(l.text); err != nil {
						return err
					}
				}
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// runOver runs the pipeline until all is read that is there, over a crash.
func (c *forgets) runOver(stage int, k crash) error {
	for crashed := false; ; k = (crash{}) {
		left := c.lines(stage)
		done, err := c.done()
		if err != nil {
			return err
		}
		if left -= done; left == 0 && !crashed {
			return nil
		}
		_, err = c.engine(k, left) // with none left, it commits what a crash has left behind
		if crashed = errors.Is(err, errOracleCrash); err != nil && !crashed {
			return err
		}
	}
}

// engine runs the pipeline until so many records are read; -1 = what ends, from its
// start if it was read.
func (c *forgets) engine(k crash, records int64) (telemetry.Progress, error) {
	a, err := assembly.Load(filepath.Join(c.dir, "p.yaml"), nil)
	if err != nil {
		return telemetry.Progress{}, err
	}
	if records < 0 {
		if err := a.BoundedOnly(nil); err != nil {
			return telemetry.Progress{}, err
		}
		a.Config.FromStart = true
	}
	a.Config.StateMemory, a.Config.Mappers, a.Config.Runner = 16<<20, 1, c.phases.runner()
	silence(a)
	c.warehouse.into(a)
	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	a.Recorder.OnEpoch(func(p telemetry.Progress) {
		if records >= 0 && p.Records >= records {
			cancel()
		}
	})
	if records == 0 {
		cancel()
	}
	if k.nth > 0 {
		a.Config.Hook = k.hook()
	}
	err = engine.Run(stop, context.Background(), a.Config)
	return a.Recorder.Progress(), err
}

// lines counts those of the files.
func (c *forgets) lines(stage int) (n int64) {
	for _, s := range c.sources {
		for _, f := range s.files {
			for _, l := range f {
				if l.stage <= stage {
					n++
				}
			}
		}
	}
	return n
}

// done counts the records that took effect.
func (c *forgets) done() (n int64, err error) {
	if _, err := os.Stat(filepath.Join(c.dir, "state")); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	store, err := state.Open(filepath.Join(c.dir, "state"), state.Options{Pipeline: "forgets"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, s := range c.sources {
		cursors, err := store.Cursors(s.name)
		if err != nil {
			return 0, err
		}
		for _, raw := range cursors {
			var at struct{ Records int64 }
			if err := json.Unmarshal(raw, &at); err != nil {
				return 0, err
			}
			n += at.Records
		}
	}
	return n, nil
}

// compare holds the rows against those of the model.
func (c *forgets) compare(stage int) error {
	dead, err := c.letters()
	if err != nil {
		return err
	}
	newest := map[string]*forgetLine{}
	for _, s := range c.sources {
		for _, f := range s.files {
			for i := range f {
				l := &f[i]
				if l.stage > stage {
					continue
				}
				if dead[l.text] > 0 {
					dead[l.text]--
					continue
				}
				if n := newest[l.item]; n == nil || n.at < l.at {
					newest[l.item] = l
				}
			}
		}
	}
	want := map[string]string{}
	for item, l := range newest {
		if !l.gone {
			want[item] = l.value
		}
	}
	found, err := c.warehouse.rows()
	if err != nil {
		return err
	}
	var wrong []string
	for _, row := range found["row"] {
		if v, ok := want[row["id"]]; !ok || v != row["n"] {
			wrong = append(wrong, fmt.Sprintf("%s is %s, want %q", row["id"], row["n"], v))
		}
		delete(want, row["id"])
	}
	for item, v := range want {
		wrong = append(wrong, fmt.Sprintf("%s is not there, want %s", item, v))
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return errors.New(strings.Join(wrong, "\n\t"))
	}
	return nil
}

// letters counts the dead letters by their records, and fails where one may not be.
func (c *forgets) letters() (map[string]int, error) {
	dead := map[string]int{}
	c.late = 0
	err := deadletters.Folder{Objects: blob.NewDir(filepath.Join(c.dir, "dead"), localdisk.Private), Pipeline: "forgets"}.Each(context.Background(), "", func(l *deadletters.Found) error {
		dead[l.Record+"\n"]++
		c.late++
		if l.Reason != pipeline.ReasonTooLate {
			return fmt.Errorf("%s: a dead letter: %s", l.Partition, l.Message)
		}
		return c.mayBeLate(l)
	})
	return dead, err
}

// mayBeLate fails for a change that is younger than deletions are kept before the clock
// that its shard had by then. Of what is added to a shard that was read to its end, the
// clock was that of its source.
func (c *forgets) mayBeLate(l *deadletters.Found) error {
	for _, s := range c.sources {
		if s.name != l.Source {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(filepath.Base(l.Partition), "%d.ndjson", &n); err != nil {
			return err
		}
		is := s.files[n][l.Line-1]
		if is.stage > 0 {
			return nil
		}
		var times []int64
		for _, before := range s.files[n][:l.Line-1] {
			times = append(times, before.at)
		}
		slices.Sort(times)
		if len(times) < 64 || is.at >= times[len(times)-64]-int64(c.tombstones)*forgetDay {
			return fmt.Errorf("%s:%d is too late, and is younger than %d days before the clock of its shard", l.Partition, l.Line, c.tombstones)
		}
	}
	return nil
}
