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

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

func (s *cli) deadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead-letters",
		Short: "List, show and read again the records that took no effect",
		Example: "  starlift dead-letters list shop.yaml\n  starlift dead-letters show shop.yaml ID\n" +
			"  starlift dead-letters replay shop.yaml --reason bad_value",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Wrap(fmt.Errorf("dead-letters has no command %q: want list, show or replay", args[0]))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(s.deadLettersList(), s.deadLettersShow(), s.deadLettersReplay())
	return cmd
}

// letterFilter is which letters a command is about.
type letterFilter struct {
	reasons, nodes, statuses []string
	since, until             string
	from, to                 time.Time
}

// flags adds the flags to a command, which has set for --set.
func (c *letterFilter) flags(cmd *cobra.Command, set *[]string) {
	f := cmd.Flags()
	f.StringSliceVar(&c.reasons, "reason", nil, "only those with this reason: "+strings.Join(reasonNames(), ", ")+"; may be repeated")
	f.StringSliceVar(&c.nodes, "node", nil, "only those of this node; may be repeated")
	f.StringVar(&c.since, "since", "", "only those from this time on: 2026-01-31, 2026-01-31T15:04:05Z, or 24h for the last day")
	f.StringVar(&c.until, "until", "", "only those before this time, written as for --since")
	offer(cmd, "reason", oneOf(reasonNames()...))
	offer(cmd, "node", ofFile(set, nodeNames))
	offer(cmd, "since", oneOf("1h", "24h", "7d"))
	offer(cmd, "until", oneOf("1h", "24h", "7d"))
}

// empty reports whether nothing is chosen.
func (c *letterFilter) empty() bool {
	return len(c.reasons)+len(c.nodes)+len(c.statuses) == 0 && c.since == "" && c.until == ""
}

// check refuses unknown names: a list filtered by them would be empty for no good reason. Nodes
// that the pipeline file no longer has are known if they have letters.
func (c *letterFilter) check(ctx context.Context, a *assembly.Pipeline, stateID string) error {
	for _, r := range c.reasons {
		if known := reasonNames(); !slices.Contains(known, r) {
			return usage.Wrap(usage.NotKnown("--reason", r, known))
		}
	}
	for _, st := range c.statuses {
		if known := statusNames(); !slices.Contains(known, st) {
			return usage.Wrap(usage.NotKnown("--status", st, known))
		}
	}
	known := nodeNames(a.File)
	if !slices.ContainsFunc(c.nodes, func(n string) bool { return !slices.Contains(known, n) }) {
		return nil
	}
	err := a.DeadLetters().Each(ctx, stateID, func(f *deadletters.Found) error {
		if !slices.Contains(known, f.Node) {
			known = append(known, f.Node)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, n := range c.nodes {
		if !slices.Contains(known, n) {
			return usage.Wrap(usage.NotKnown("--node", n, known))
		}
	}
	return nil
}

func reasonNames() []string {
	names := make([]string, len(pipeline.Reasons))
	for i, r := range pipeline.Reasons {
		names[i] = string(r)
	}
	return names
}

func statusNames() []string {
	return []string{string(deadletters.Open), string(deadletters.Waiting), string(deadletters.Replayed), string(deadletters.Outdated)}
}

// resolve parses the times; now is what relative times are relative to.
func (c *letterFilter) resolve(now time.Time) (err error) {
	if c.from, err = parseWhen("--since", c.since, now); err != nil {
		return err
	}
	c.to, err = parseWhen("--until", c.until, now)
	return err
}

// parseWhen reads a time, or how long it is ago.
func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if d, err := parseSpan(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, usage.Wrap(fmt.Errorf("%s %q: want a time as in 2026-01-31 or 2026-01-31T15:04:05Z, or how long ago, as in 24h or 7d", flag, text))
}

func (c *letterFilter) has(f *deadletters.Found) bool {
	return (len(c.reasons) == 0 || slices.Contains(c.reasons, string(f.Reason))) &&
		(len(c.nodes) == 0 || slices.Contains(c.nodes, f.Node)) &&
		(len(c.statuses) == 0 || slices.Contains(c.statuses, string(f.Status))) &&
		(c.from.IsZero() || !f.Time.Before(c.from)) && (c.to.IsZero() || f.Time.Before(c.to))
}

// eachLetter calls f for the chosen letters, oldest first. Those of another state
// than stateID are outdated.
func eachLetter(ctx context.Context, a *assembly.Pipeline, c *letterFilter, stateID string, f func(*deadletters.Found) error) error {
	if err := errors.Join(c.resolve(time.Now()), c.check(ctx, a, stateID)); err != nil {
		return err
	}
	return a.DeadLetters().Each(ctx, stateID, func(l *deadletters.Found) error {
		if !c.has(l) {
			return nil
		}
		return f(l)
	})
}

// eachCurrentLetter is eachLetter for commands that only print: the present state is taken from
// the newest letters, and the state folder is not opened.
func eachCurrentLetter(ctx context.Context, a *assembly.Pipeline, c *letterFilter, f func(*deadletters.Found) error) error {
	stateID, err := a.DeadLetters().LastState(ctx)
	if err != nil {
		return err
	}
	return eachLetter(ctx, a, c, stateID, f)
}

// letterView is a letter as JSON shows it.
type letterView struct {
	ID         string             `json:"id"`
	Status     deadletters.Status `json:"status"`
	ReplayedAt *time.Time         `json:"replayed_at,omitempty"`
	ReplayedIn int64              `json:"replayed_in_epoch,omitempty"`
	*deadletters.Letter
	// The record is shown by show only.
	Record *string `json:"record,omitempty"`
	Binary *[]byte `json:"record_base64,omitempty"`
}

func viewOf(f *deadletters.Found) letterView {
	l := letterView{ID: f.ID, Status: f.Status, ReplayedIn: f.ReplayedIn, Letter: f.Letter}
	if f.Status == deadletters.Replayed {
		l.ReplayedAt = &f.ReplayedAt
	}
	return l
}

func (s *cli) deadLettersShow() *cobra.Command {
	var unmask bool
	cmd := &cobra.Command{
		Use:   "show FILE ID",
		Short: "Show one dead letter with its original record",
		Long: "Show prints a dead letter with the record as it was read. What masked columns read of it is shown as " + decode.Hidden + ",\n" +
			"unless --unmask says otherwise; a broken record is not shown at all then.",
		Example: "  starlift dead-letters show shop.yaml shop-0f3c…-000000000001.ndjson:1",
	}
	cmd.Flags().BoolVar(&unmask, "unmask", false, "show the values of masked columns")
	var set []string
	cmd = s.onFile(cmd, &set, 2, "a pipeline file and the id of a dead letter, as list prints it", func(ctx context.Context, a *assembly.Pipeline, args []string, output string) error {
		stateID, err := a.DeadLetters().LastState(ctx)
		if err != nil {
			return err
		}
		found, err := findLetters(ctx, a, stateID, args[0], args[1:])
		if err != nil {
			return err
		}
		f := found[0]
		f.Message = a.File.Redact(f.Message)
		if !unmask {
			maskRecord(a, f)
		}
		return s.showLetter(f, output)
	})
	offerFiles(cmd, 1, func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return letterIDs(&set)(cmd, args, word)
	})
	return cmd
}

// findLetters returns the letters with these ids, all of them; file is the pipeline's.
func findLetters(ctx context.Context, a *assembly.Pipeline, stateID, file string, ids []string) ([]*deadletters.Found, error) {
	var found []*deadletters.Found
	missing := slices.Clone(ids)
	err := a.DeadLetters().Find(ctx, stateID, ids, func(f *deadletters.Found) error {
		missing = slices.DeleteFunc(missing, func(id string) bool { return id == f.ID })
		found = append(found, f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(slices.Values(missing)) {
		return nil, fmt.Errorf("no dead letter %q in %s: starlift dead-letters list %s prints the ids", id, a.File.DeadLetters.URL, file)
	}
	return found, nil
}

// maskRecord hides what masked columns read of a letter's record. All of a broken record, or of
// one whose source is gone, is hidden, since it is unknown which bytes those are.
func maskRecord(a *assembly.Pipeline, f *deadletters.Found) {
	source, known := a.Readers[f.Source]
	for _, t := range a.Config.Changes {
		m, ok := t.Transform.(pipeline.Masker)
		if !ok || !m.Masks() || known && !slices.Contains(t.Sources, f.Source) {
			continue
		}
		shown := []byte(decode.NotShown)
		if known && f.Reason != pipeline.ReasonBadRecord {
			format := source.Source.Format()
			shown = m.ShowRecord(&format, f.Original())
		}
		f.Record, f.Binary = string(shown), nil
	}
}

// atByte returns the end of a position for people: the offset at which the record begins, which
// tells several records in one line apart.
func atByte(offset int64) string {
	if offset == 0 {
		return ""
	}
	return fmt.Sprintf(", byte %d", offset)
}

func (s *cli) showLetter(f *deadletters.Found, output string) error {
	record := string(f.Original())
	if output == "json" {
		l := viewOf(f)
		if f.Binary != nil {
			l.Binary = &f.Binary
		} else {
			l.Record = &record
		}
		return s.printJSON(l)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "id:       %s\nstatus:   %s\nreason:   %s\nmessage:  %s\nnode:     %s\nsource:   %s\nposition: %s%s\ntime:     %s\nepoch:    %d\n",
		f.ID, f.Status, f.Reason, f.Message, f.Node, f.Source, f.Pos(), atByte(f.Offset), f.Time.Format("2006-01-02T15:04:05.000Z"), f.Epoch)
	if f.Row != nil {
		fmt.Fprintf(&b, "row of:   table %s", f.Row.Table)
		if f.Row.Element != "" {
			fmt.Fprintf(&b, ", element %s", f.Row.Element)
		}
		b.WriteByte('\n')
	}
	if f.ReplayOf != "" {
		fmt.Fprintf(&b, "replays:  %s\n", f.ReplayOf)
	}
	if f.Status == deadletters.Replayed {
		fmt.Fprintf(&b, "replayed: %s, epoch %d\n", f.ReplayedAt.UTC().Format(time.RFC3339), f.ReplayedIn)
	}
	fmt.Fprintf(&b, "record:\n%s\n", record)
	_, err := io.WriteString(s.out, b.String())
	return err
}
