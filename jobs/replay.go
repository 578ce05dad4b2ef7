package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

func (s *cli) deadLettersReplay() *cobra.Command {
	var c letterFilter
	var all bool
	cmd := &cobra.Command{
		Use:   "replay FILE [ID…]",
		Short: "Have dead letters read again, once their cause is mended",
		Long: "Replay puts dead letters into an inbox, which the pipeline reads within seconds while it runs for good, and else at its next\n" +
			"run. They go through the pipeline as it is defined then, to the transform that refused them, with the version that the record\n" +
			"has: a newer change of the item still wins. Each takes effect exactly once; one that is refused again is a new dead letter.\n" +
			"Letters that were read again already, or wait to be, are left out, and so are rows that on_error: drop_row left out of records\n" +
			"that had effect: backfill reads those again.",
		Example: "  starlift dead-letters replay shop.yaml --reason bad_value --since 24h\n  starlift dead-letters replay shop.yaml --all\n" +
			"  starlift dead-letters replay shop.yaml shop-0f3c…-000000000001.ndjson:1",
	}
	var set []string
	c.flags(cmd, &set)
	cmd.Flags().BoolVar(&all, "all", false, "all that are open")
	var output string
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := checkOutput(output, "text", "json"); err != nil {
			return err
		}
		switch {
		case len(args) == 0:
			return usage.Wrap(fmt.Errorf("%s wants a pipeline file; see %s --help", cmd.CommandPath(), cmd.CommandPath()))
		case len(args) > 1 && (all || !c.empty()):
			return usage.Wrap(errors.New("replay takes ids, or flags that choose letters, not both"))
		case len(args) == 1 && !all && c.empty():
			return usage.Wrap(errors.New("say which dead letters: ids, --reason, --node, --since, --until, or --all"))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := s.loadFor(args[0], set, output)
		if err != nil {
			return err
		}
		r, err := requestReplay(cmd.Context(), a, &c, args[0], args[1:])
		if err != nil {
			return assembly.Redacted(a, err)
		}
		return s.printReplay(a, r, output)
	}
	setFlag(cmd, &set)
	outputFlag(cmd, &output, "text", "json")
	offerFiles(cmd, 1, letterIDs(&set, deadletters.Open))
	return cmd
}

// replayReport counts the letters that a replay has requested and left out.
type replayReport struct {
	Letters int64  `json:"letters"`
	Request string `json:"request,omitempty"` // the file in the inbox
	// Left out, because they were read again, wait for it, or are of an earlier
	// state folder.
	Replayed int64 `json:"replayed"`
	Waiting  int64 `json:"waiting"`
	Outdated int64 `json:"outdated"`
	Rows     int64 `json:"rows"` // left out of records that had effect
}

// requestReplay submits a request for the chosen letters, all of them or none.
func requestReplay(ctx context.Context, a *assembly.Pipeline, c *letterFilter, file string, ids []string) (done replayReport, err error) {
	request, err := a.DeadLetters().NewRequest()
	if err != nil {
		return done, err
	}
	defer request.Drop()
	stateID, err := currentStateID(ctx, a)
	if err != nil {
		return done, err
	}
	add := func(f *deadletters.Found) error {
		switch f.Status {
		case deadletters.Replayed:
			done.Replayed++
		case deadletters.Waiting:
			done.Waiting++
		case deadletters.Outdated:
			done.Outdated++
		default:
			if f.Row != nil {
				done.Rows++
				return nil
			}
			if err := a.Readers[f.Source].CheckReadable(f.Letter); err != nil {
				return fmt.Errorf("%s can't be read again: %w", f.ID, err)
			}
			return request.Add(ctx, f)
		}
		return nil
	}
	if len(ids) > 0 {
		var found []*deadletters.Found
		if found, err = findLetters(ctx, a, stateID, file, ids); err != nil {
			return done, err
		}
		for _, f := range found {
			if err := add(f); err != nil {
				return done, err
			}
		}
	} else if err := eachLetter(ctx, a, c, stateID, add); err != nil {
		return done, err
	}
	done.Request, done.Letters, err = request.Submit()
	return done, err
}

// noState is the id of a state that does not exist yet: all letters are of earlier states.
const noState = "none"

// currentStateID returns the id of the pipeline's present state. If a pipeline runs and can't be
// asked, it is the id in the newest letters; the inbox checks it once more.
func currentStateID(ctx context.Context, a *assembly.Pipeline) (string, error) {
	st, err := status.FindCheckpoint(ctx, statusOf(a))
	if errors.Is(err, state.ErrLocked) || err == nil && st.Running != nil && st.StateID == "" {
		return a.DeadLetters().LastState(ctx) // it can't be asked, or has not opened it yet
	}
	if err != nil {
		return "", err
	}
	return cmp.Or(st.StateID, noState), nil
}

func (s *cli) printReplay(a *assembly.Pipeline, r replayReport, output string) error {
	if output == "json" {
		return s.printJSON(r)
	}
	when := "; the next run reads them"
	switch {
	case r.Letters == 0:
		when = ""
	case !a.Config.Bounded:
		when = "; the pipeline reads them within seconds if it runs, or else when it is started"
	}
	if r == (replayReport{}) {
		_, err := fmt.Fprintln(s.out, "no dead letters in", a.File.Redact(a.File.DeadLetters.URL), "to read again")
		return err
	}
	wait := "wait"
	if r.Letters == 1 {
		wait = "waits"
	}
	fmt.Fprintf(s.out, "%s %s to be read again%s\n", spec.Count(r.Letters, "dead letter"), wait, when)
	for _, left := range []struct {
		n   int64
		why string
	}{
		{r.Replayed, "were read again already"}, {r.Waiting, "wait already"},
		{r.Outdated, "are of an earlier state folder, and the present one reads their records from the source"},
		{r.Rows, "are rows of records that had effect otherwise: mend the pipeline file, and starlift backfill reads their records again from the source"},
	} {
		if left.n > 0 {
			fmt.Fprintf(s.out, "left out: %d that %s\n", left.n, left.why)
		}
	}
	return nil
}

// parseSpan reads a time span as a pipeline file writes it.
func parseSpan(text string) (time.Duration, error) {
	d, err := spec.ParseDuration(text)
	return time.Duration(d), err
}
