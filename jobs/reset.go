package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/definition"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

func (s *cli) resetCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "reset FILE",
		Short: "Show what beginning anew takes, and do it with --yes",
		Long: "Reset lists what a pipeline has written: its tables and rows of starlift_tokens, starlift_epochs, starlift_tables and starlift_refused in\n" +
			"databases, its files in the folders of Parquet sinks, and its state folder. With --yes all of that is removed, the state last, and\n" +
			"the next run reads everything again. Only what starlift_tables and the owner files of the folders say is this pipeline's goes;\n" +
			"what is another's is named and left. Dead letters stay, as the records may be nowhere else. It is refused while the pipeline runs,\n" +
			"and can be repeated, also after it was stopped in the middle.",
		Example: "  starlift reset shop.yaml\n  starlift reset shop.yaml --yes && starlift run shop.yaml",
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return s.onFile(cmd, new([]string), 1, "one pipeline file", func(ctx context.Context, a *assembly.Pipeline, _ []string, output string) error {
		r, err := resetPipeline(cmd.Context(), a, yes)
		if err != nil {
			return err
		}
		if output == "json" {
			return s.printJSON(r)
		}
		return r.text(s.out)
	})
}

// resetReport is what a reset does, or would do.
type resetReport struct {
	Pipeline string      `json:"pipeline"`
	Done     bool        `json:"done"`
	Removed  []resetItem `json:"removed"` // or, where it is not done, to be removed
	Left     []resetItem `json:"left"`

	file string
}

// resetItem is one thing that goes or stays.
type resetItem struct {
	Sink string `json:"sink,omitempty"`
	What string `json:"what"`
	Why  string `json:"why,omitempty"` // it is left
}

// resetPipeline lists what the pipeline has written, and removes it if do is set. The state is
// removed last, since it says what else there is to remove after a crash.
func resetPipeline(ctx context.Context, a *assembly.Pipeline, do bool) (r *resetReport, err error) {
	folder, err := state.OpenFolder(a.Config.StateDir, a.File.Name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	// All sinks are asked before the first one is changed.
	r, err = resetSinks(ctx, a, folder.ID(), false)
	if err != nil {
		return nil, fmt.Errorf("%w; nothing was changed", err)
	}
	if do {
		if r, err = resetSinks(ctx, a, folder.ID(), true); err != nil {
			return nil, fmt.Errorf("%w; what was not removed yet is by the next starlift reset %s --yes", err, a.Path)
		}
	}
	r.add("", stateObjects(a, folder)...)
	if err := resetElsewhere(a, r, folder); err != nil {
		return nil, err
	}
	if err := resetLetters(ctx, a, r, do); err != nil {
		return nil, err
	}
	if do {
		if err := folder.Remove(); err != nil {
			return nil, err
		}
	}
	r.Done = do
	return r, nil
}

func sinkNames(a *assembly.Pipeline) []string {
	names := make([]string, len(a.Config.Sinks))
	for i, s := range a.Config.Sinks {
		names[i] = s.Name
	}
	return names
}

// stateObjects describes the state folder.
func stateObjects(a *assembly.Pipeline, f *state.Folder) []pipeline.TargetObject {
	if !f.Exists() {
		return nil
	}
	what := "state folder " + a.Config.StateDir
	switch {
	case f.Damage != nil:
		what += fmt.Sprintf(", which can't be read (%v)", f.Damage)
	case f.ID() != "":
		what += fmt.Sprintf(" (state %s)", f.ID())
	}
	return []pipeline.TargetObject{{Name: what}}
}

// resetElsewhere adds what the sinks wrote where they no longer write: it is left.
func resetElsewhere(a *assembly.Pipeline, r *resetReport, f *state.Folder) error {
	was, err := definition.Parse(f.Definition)
	if err != nil {
		return err
	}
	// Only the files are compared, so any epoch and any answer about the sources will do.
	changes, _, err := definition.Compare(&definition.Found{Definition: was, Epoch: 1, Read: func(string) bool { return true }}, a.File, a.DefinitionInputs(), nil)
	if err != nil {
		return err
	}
	for _, sink := range slices.Sorted(maps.Keys(f.Tables)) {
		h := pipeline.TargetObject{Name: "tables " + strings.Join(f.Tables[sink], ", ")}
		if !slices.Contains(sinkNames(a), sink) {
			h.KeptBecause = "the sink is no longer in the pipeline file: what of them is not listed above is left; remove it yourself"
			r.add(sink, h)
			continue
		}
		var moved []string
		for _, c := range changes {
			if slices.ContainsFunc(targetKeys, func(key string) bool { return c.Key == "sinks."+sink+"."+key }) {
				moved = append(moved, c.Message)
			}
		}
		if moved != nil {
			h.KeptBecause = strings.Join(moved, "; ") + ": what is where they were is left; reset again with the file as it was, or remove it yourself"
			r.add(sink, h)
		}
	}
	return nil
}

// targetKeys are the keys of sinks that determine where they write.
var targetKeys = []string{"type", "dsn", "schema", "url"}

// resetSinks lets each sink list what it has written, and remove it if do is set. id is that of
// the state.
func resetSinks(ctx context.Context, a *assembly.Pipeline, id string, do bool) (*resetReport, error) {
	r := &resetReport{Pipeline: a.File.Name, Removed: []resetItem{}, Left: []resetItem{}, file: a.Path}
	for _, s := range a.Config.Sinks {
		sink, ok := s.Sink.(pipeline.Resettable)
		if !ok {
			continue
		}
		all, err := sink.Reset(ctx, pipeline.Reset{Pipeline: a.File.Name, StateID: id, Sinks: sinkNames(a), Tables: graph.Tables(s.Inputs), Do: do})
		if err != nil {
			return nil, fmt.Errorf("sink %s: %w", s.Name, err)
		}
		r.add(s.Name, all...)
	}
	return r, nil
}

// add adds objects of a sink, unless another sink has listed them already.
func (r *resetReport) add(sink string, all ...pipeline.TargetObject) {
	for _, h := range all {
		item := resetItem{Sink: sink, What: h.Name, Why: h.KeptBecause}
		to := &r.Removed
		if h.KeptBecause != "" {
			to = &r.Left
		}
		if !slices.ContainsFunc(*to, func(o resetItem) bool { return o.What == item.What && o.Why == item.Why }) {
			*to = append(*to, item)
		}
	}
}

// resetLetters adds the dead letters, which stay, and drops the requests to read some again:
// the sources will be read from their start.
func resetLetters(ctx context.Context, a *assembly.Pipeline, r *resetReport, do bool) error {
	waiting, err := a.DeadLetters().Requests(ctx)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		r.add("", pipeline.TargetObject{Name: spec.Count(len(waiting), "request") + " to read dead letters again"})
	}
	if do {
		if err := a.DeadLetters().DropRequests(ctx); err != nil {
			return err
		}
	}
	left, err := deadletters.NewCounter(a.DeadLetters()).Left(ctx)
	if err != nil {
		return err
	}
	n := int64(0)
	for _, count := range left {
		n += count
	}
	if n > 0 {
		r.add("", pipeline.TargetObject{Name: spec.Count(n, "dead letter") + " in " + a.File.DeadLetters.URL,
			KeptBecause: "their records may be nowhere else; what is refused again is a new letter. Delete them when nobody needs them"})
	}
	return nil
}

// text prints the report for people.
func (r *resetReport) text(w io.Writer) error {
	var b strings.Builder
	switch {
	case len(r.Removed) == 0:
		fmt.Fprintf(&b, "pipeline %s: nothing to remove; a run begins anew\n", r.Pipeline)
	case r.Done:
		fmt.Fprintf(&b, "pipeline %s: removed; the next run begins anew\n", r.Pipeline)
	default:
		fmt.Fprintf(&b, "pipeline %s: to begin anew, this is to be removed:\n", r.Pipeline)
	}
	print := func(items []resetItem) {
		for _, i := range items {
			b.WriteString("  ")
			if i.Sink != "" {
				fmt.Fprintf(&b, "sink %s: ", i.Sink)
			}
			b.WriteString(i.What)
			if i.Why != "" {
				b.WriteString(": " + i.Why)
			}
			b.WriteByte('\n')
		}
	}
	print(r.Removed)
	if len(r.Left) > 0 {
		b.WriteString("this stays:\n")
		print(r.Left)
	}
	if !r.Done && len(r.Removed) > 0 {
		fmt.Fprintf(&b, "nothing was changed: starlift reset %s --yes does it\n", r.file)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
