package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/pipeline/definition"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/timespan"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

func (s *streams) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status FILE",
		Short: "Show how far a pipeline is, and how it does",
		Long: "Status asks a pipeline that runs, at a socket in its state folder or at http.listen of its file: how fast it is, how far\n" +
			"behind, and what is wrong. Of one that does not run it shows the checkpoint, from the state folder.",
		Example: "  starlift status shop.yaml\n  starlift status shop.yaml --output json",
	}
	return s.onFile(cmd, new([]string), 1, "one pipeline file", func(a *assembly, _ []string, output string) error {
		st, err := findStatus(cmd.Context(), a)
		if err != nil {
			return err
		}
		if output == "json" {
			return s.printJSON(st)
		}
		return s.printStatus(st)
	})
}

// status is how far a pipeline is.
type status struct {
	Pipeline    string                  `json:"pipeline"`
	StateID     string                  `json:"state_id,omitempty"`
	Epoch       int64                   `json:"epoch"`                 // the last one that every sink has committed
	Saved       int64                   `json:"saved_epoch,omitempty"` // an epoch that is saved, and not committed
	StateBytes  int64                   `json:"state_bytes"`
	Sources     map[string]sourceStatus `json:"sources"`
	Sinks       map[string]sinkStatus   `json:"sinks"`
	DeadLetters map[string]int64        `json:"dead_letters"`
	// Unmatched are the paths of the file that matched nothing in the records.
	Unmatched []unmatchedPath `json:"unmatched_paths"`
	// Switches says which nodes follow another definition since when (--from-now).
	Switches []definition.Switch `json:"switches,omitempty"`
	Running  *running            `json:"running,omitempty"` // only of a pipeline that runs
}

// unmatchedPath is a path, or without one a where, that matched in none of the
// records.
type unmatchedPath struct {
	Transform string `json:"transform"`
	Table     string `json:"table"`
	Path      string `json:"path,omitempty"`
	Use       string `json:"use"`
	Records   int64  `json:"records"`
	Near      string `json:"did_you_mean,omitempty"`
	Message   string `json:"message"`
}

type sourceStatus struct {
	Finished   bool `json:"finished"`
	Partitions int  `json:"partitions"` // begun or read
	*SourceRates
}

type sinkStatus struct {
	Published int64 `json:"published"`       // the last epoch that it has published
	Saved     int64 `json:"saved,omitempty"` // the epoch that is saved, and that it has yet to publish
	Gathering bool  `json:"gathering"`       // rows wait to be published with a later epoch
	*SinkRates
}

// running is what only a process that runs knows. Counts are since its start,
// rates over the last minute, or since the start.
type running struct {
	Since      time.Time                  `json:"since"`
	Ready      bool                       `json:"ready"`
	Problems   []string                   `json:"problems"`
	LastCommit *time.Time                 `json:"last_commit,omitempty"`
	CommitAge  float64                    `json:"commit_age_seconds"`
	Pending    int64                      `json:"pending_records"` // read and not committed
	Transforms map[string]transformStatus `json:"transforms"`
	References map[string]referenceStatus `json:"references"`
}

// SourceRates is what a process that runs knows of a source.
type SourceRates struct {
	Records    int64    `json:"records"`
	Bytes      int64    `json:"bytes"`
	RecordRate float64  `json:"records_per_second"`
	ByteRate   float64  `json:"bytes_per_second"`
	Lag        *float64 `json:"lag_seconds,omitempty"` // where records tell
	Lost       int64    `json:"lost_bytes,omitempty"`  // that are known to have gone before they were read
	Gap        string   `json:"gap,omitempty"`         // what went before it was read, last
	Waits      []string `json:"waits_for,omitempty"`   // before it reads on
}

// SinkRates is what a process that runs knows of a sink.
type SinkRates struct {
	Rows    int64      `json:"rows"`
	RowRate float64    `json:"rows_per_second"`
	Retries int64      `json:"retries"`
	Down    *time.Time `json:"down_since,omitempty"`
	Problem string     `json:"problem,omitempty"`
}

type transformStatus struct {
	Rows        map[string]map[string]int64 `json:"rows"` // by table and operation
	RowRate     float64                     `json:"rows_per_second"`
	DeadLetters map[string]int64            `json:"dead_letters"`
	// ReadAgain counts changes of a backfill that had their effect before.
	ReadAgain int64 `json:"read_again,omitempty"`
}

type referenceStatus struct {
	Version int64   `json:"version"`
	Age     float64 `json:"age_seconds"`
	Stale   bool    `json:"stale"`
	Problem string  `json:"problem,omitempty"`
}

func newStatus(a *assembly) *status {
	return &status{Pipeline: a.file.Name, Sources: map[string]sourceStatus{}, Sinks: map[string]sinkStatus{}, DeadLetters: map[string]int64{}, Unmatched: []unmatchedPath{}}
}

// countLetters counts the dead letters that were not read again, by reason.
func (st *status) countLetters(c *deadletters.Counter) error {
	left, err := c.Left()
	for reason, n := range left {
		st.DeadLetters[string(reason)] = n
	}
	return err
}

func (st *status) unmatched(all []engine.UnmatchedPath) {
	st.Unmatched = []unmatchedPath{}
	for _, u := range all {
		st.Unmatched = append(st.Unmatched, unmatchedPath{u.Node, u.Table, u.Path, u.Use, u.Records, u.Near, u.String()})
	}
}

// findStatus asks a pipeline that runs, or reads the state of one that does not.
func findStatus(ctx context.Context, a *assembly) (*status, error) {
	st, err := findState(ctx, a)
	if err != nil || st.Running != nil {
		return st, err
	}
	return st, st.countLetters(deadletters.NewCounter(a.folder()))
}

// findState is findStatus without the dead letters of a pipeline that does not
// run.
func findState(ctx context.Context, a *assembly) (*status, error) {
	st, why := ask(ctx, a)
	if why == nil {
		return st, nil
	}
	st, err := readState(a)
	if errors.Is(err, state.ErrLocked) {
		return nil, fmt.Errorf("%w (%w)", err, why)
	}
	return st, err
}

// readState reads the state of a pipeline that does not run.
func readState(a *assembly) (st *status, err error) {
	st = newStatus(a)
	store, err := state.Look(a.config.StateDir, state.Options{Pipeline: a.file.Name})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if store.New() {
		return st, nil // it has never run
	}
	return st, st.fill(a, store)
}

func (st *status) fill(a *assembly, store *state.Store) error {
	cp, err := store.Checkpoint()
	if err != nil {
		return err
	}
	committed, err := store.Committed()
	if err != nil {
		return err
	}
	st.StateID, st.Epoch, st.StateBytes = store.ID(), committed, store.Size()
	if cp.Epoch != committed {
		st.Saved = cp.Epoch
	}
	for _, src := range a.config.Sources {
		cursors, err := store.Cursors(src.Name)
		if err != nil {
			return err
		}
		st.Sources[src.Name] = sourceStatus{cp.Finished[src.Name], len(cursors), nil}
	}
	for _, sink := range a.config.Sinks {
		rc := cp.Committables[sink.Name]
		published, saved := engine.Published(cp, sink.Name, cp.Epoch == committed)
		st.Sinks[sink.Name] = sinkStatus{published, saved, rc != nil && rc.SinkState != nil, nil}
	}
	unmatched, err := engine.Unmatched(a.config.Transforms, cp)
	if err != nil {
		return err
	}
	st.unmatched(unmatched)
	raw, err := store.Definition()
	if err != nil {
		return err
	}
	return st.switches(raw)
}

// switches takes the changes of nodes out of the definition that a state keeps.
func (st *status) switches(raw []byte) error {
	d, err := definition.Parse(raw)
	if d != nil {
		st.Switches = d.Switches
	}
	return err
}

func (s *streams) printStatus(st *status) error {
	if st.StateID == "" && st.Running == nil {
		_, err := fmt.Fprintf(s.out, "pipeline %s has not run yet\n", st.Pipeline)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %s, state %s (%d bytes), epoch %d", st.Pipeline, st.StateID, st.StateBytes, st.Epoch)
	switch {
	case st.Saved > 0 && st.Running != nil:
		fmt.Fprintf(&b, "; epoch %d is saved, and being committed", st.Saved)
	case st.Saved > 0:
		fmt.Fprintf(&b, "; epoch %d is saved, and is committed at the next start", st.Saved)
	}
	b.WriteByte('\n')
	if st.Running != nil {
		st.Running.print(&b)
	}
	for _, name := range sortedKeys(st.Sources) {
		st.Sources[name].print(&b, name)
	}
	if st.Running != nil {
		for _, name := range sortedKeys(st.Running.Transforms) {
			t := st.Running.Transforms[name]
			fmt.Fprintf(&b, "transform %s: %g rows/s", name, t.RowRate)
			if t.ReadAgain > 0 {
				fmt.Fprintf(&b, ", %d changes read again", t.ReadAgain)
			}
			b.WriteByte('\n')
		}
	}
	for _, name := range sortedKeys(st.Sinks) {
		st.Sinks[name].print(&b, name)
	}
	for _, reason := range sortedKeys(st.DeadLetters) {
		fmt.Fprintf(&b, "dead letters, %s: %d\n", reason, st.DeadLetters[reason])
	}
	for _, w := range st.Switches {
		fmt.Fprintf(&b, "node %s: changed from epoch %d on: %s\n", w.Node, w.Epoch, strings.Join(w.Keys, ", "))
	}
	for _, u := range st.Unmatched {
		fmt.Fprintf(&b, "%s\n", u.Message)
	}
	_, err := io.WriteString(s.out, b.String())
	return err
}

func (l *running) print(b *strings.Builder) {
	how := "ready"
	if !l.Ready {
		how = "not ready"
	}
	commit := "no commit since"
	if l.LastCommit != nil {
		commit = fmt.Sprintf("last commit %s ago", span(l.CommitAge))
	}
	fmt.Fprintf(b, "running since %s, %s, %s, %d records pending\n", clock(l.Since), how, commit, l.Pending)
	for _, p := range l.Problems {
		fmt.Fprintf(b, "problem: %s\n", p)
	}
	for _, node := range sortedKeys(l.References) {
		r := l.References[node]
		fmt.Fprintf(b, "reference of %s: version %s, known to be the newest %s ago", node, clock(time.UnixMicro(r.Version)), span(r.Age))
		if r.Problem != "" {
			fmt.Fprintf(b, "; the one that is there can't be loaded: %s", r.Problem)
		}
		b.WriteByte('\n')
	}
}

func span(seconds float64) string { return timespan.Text(timespan.OfSeconds(seconds)) }

func (s sourceStatus) print(b *strings.Builder, name string) {
	how := "not at its end"
	if s.Finished {
		how = "read to its end"
	}
	fmt.Fprintf(b, "source %s: %s, %d partitions", name, how, s.Partitions)
	if r := s.SourceRates; r != nil {
		fmt.Fprintf(b, ", %g records/s, %.1f MB/s", r.RecordRate, r.ByteRate/1e6)
		if r.Lag != nil {
			fmt.Fprintf(b, ", %s behind", span(*r.Lag))
		}
		switch {
		case r.Lost > 0:
			fmt.Fprintf(b, ", %d bytes lost", r.Lost)
		case r.Gap != "":
			b.WriteString(", input lost")
		}
		for _, what := range r.Waits {
			fmt.Fprintf(b, "\nsource %s waits: %s", name, what)
		}
	}
	b.WriteByte('\n')
}

func (s sinkStatus) print(b *strings.Builder, name string) {
	fmt.Fprintf(b, "sink %s: ", name)
	if s.Published == 0 {
		b.WriteString("nothing published yet")
	} else {
		fmt.Fprintf(b, "epoch %d published", s.Published)
	}
	if s.Saved > 0 {
		fmt.Fprintf(b, ", epoch %d saved and not published yet", s.Saved)
	}
	if s.Gathering {
		b.WriteString(", rows wait to be published")
	}
	if r := s.SinkRates; r != nil {
		fmt.Fprintf(b, ", %g rows/s, %d retries", r.RowRate, r.Retries)
		if r.Down != nil {
			fmt.Fprintf(b, ", down since %s (%s)", clock(*r.Down), timespan.Text(max(0, time.Since(*r.Down))))
		}
	}
	b.WriteByte('\n')
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
