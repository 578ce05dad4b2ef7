package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/terminal"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

func (s *cli) deadLettersList() *cobra.Command {
	var c letterFilter
	var counts bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list FILE",
		Short: "List the dead letters of a pipeline, oldest first",
		Long: "List prints a line for each dead letter: its id, when, why, where the record stood, which node refused it, whether it is open,\n" +
			"waits to be read again, was replayed, or is outdated (of an earlier state folder), and what was wrong.",
		Example: "  starlift dead-letters list shop.yaml\n  starlift dead-letters list shop.yaml --reason bad_value --since 24h --output json\n" +
			"  starlift dead-letters list shop.yaml --node items --limit 20\n  starlift dead-letters list shop.yaml --status open --counts",
	}
	var set []string
	c.flags(cmd, &set)
	f := cmd.Flags()
	f.StringSliceVar(&c.statuses, "status", nil, "only those that are open, waiting, replayed or outdated; may be repeated")
	f.BoolVar(&counts, "counts", false, "print how many there are, by reason, node and status, instead")
	f.IntVar(&limit, "limit", 0, "print the first so many; 0 = all")
	offer(cmd, "status", oneOf(statusNames()...))
	return s.onFile(cmd, &set, 1, "one pipeline file", func(ctx context.Context, a *assembly.Pipeline, _ []string, output string) error {
		switch {
		case limit < 0:
			return usage.Wrap(fmt.Errorf("--limit %d: want at least 1, or 0 for all", limit))
		case counts && limit > 0:
			return usage.Wrap(errors.New("--limit bounds the list, and --counts prints none: leave one of them out"))
		case counts:
			return s.countLetters(ctx, a, &c, output)
		case output == "json":
			return s.listJSON(ctx, a, &c, limit)
		}
		return s.listText(ctx, a, &c, limit)
	})
}

// listJSON prints one object a line, without the record.
func (s *cli) listJSON(ctx context.Context, a *assembly.Pipeline, c *letterFilter, limit int) error {
	e := json.NewEncoder(s.out)
	n := 0
	return eachCurrentLetter(ctx, a, c, func(f *deadletters.Found) error {
		if n++; limit > 0 && n > limit {
			return nil
		}
		f.Message = a.File.Redact(f.Message)
		return e.Encode(viewOf(f))
	})
}

func (s *cli) listText(ctx context.Context, a *assembly.Pipeline, c *letterFilter, limit int) error {
	t := terminal.NewTable(s.out)
	n := 0
	err := eachCurrentLetter(ctx, a, c, func(f *deadletters.Found) error {
		if n++; limit > 0 && n > limit {
			return nil
		}
		t.Row(f.ID, f.Time.UTC().Format(time.RFC3339), string(f.Reason), f.Pos().String(), f.Node, string(f.Status), a.File.Redact(f.Message))
		return t.Err
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return s.noLetters(ctx, a, c)
	}
	if err := t.End(); err != nil || limit == 0 || n <= limit {
		return err
	}
	_, err = fmt.Fprintf(s.err, "%d of %d dead letters; --limit 0 prints all\n", limit, n)
	return err
}

// noLetters prints that there are no letters, or none that the flags choose.
func (s *cli) noLetters(ctx context.Context, a *assembly.Pipeline, c *letterFilter) error {
	folder := a.File.Redact(a.File.DeadLetters.URL)
	what := "no dead letters in " + folder
	if !c.empty() {
		n := 0
		if err := eachCurrentLetter(ctx, a, &letterFilter{}, func(*deadletters.Found) error { n++; return nil }); err != nil {
			return err
		}
		if n > 0 {
			what = fmt.Sprintf("none of the %d dead letters in %s is as the flags say", n, folder)
		}
	}
	_, err := fmt.Fprintln(s.out, what)
	return err
}

// letterCount is a line of what list --counts prints.
type letterCount struct {
	Reason string `json:"reason"`
	Node   string `json:"node"`
	Status string `json:"status"`
	Count  int64  `json:"count"`
}

func (s *cli) countLetters(ctx context.Context, a *assembly.Pipeline, c *letterFilter, output string) error {
	n := map[letterCount]int64{}
	err := eachCurrentLetter(ctx, a, c, func(f *deadletters.Found) error {
		n[letterCount{Reason: string(f.Reason), Node: f.Node, Status: string(f.Status)}]++
		return nil
	})
	if err != nil {
		return err
	}
	all := []letterCount{}
	for k, count := range n {
		k.Count = count
		all = append(all, k)
	}
	slices.SortFunc(all, func(x, y letterCount) int {
		return strings.Compare(x.Reason+"\x00"+x.Node+"\x00"+x.Status, y.Reason+"\x00"+y.Node+"\x00"+y.Status)
	})
	switch {
	case output == "json":
		return s.printJSON(all)
	case len(all) == 0:
		return s.noLetters(ctx, a, c)
	}
	t := terminal.NewTable(s.out)
	t.Row("reason", "node", "status", "count")
	for _, k := range all {
		t.Row(k.Reason, k.Node, k.Status, strconv.FormatInt(k.Count, 10))
	}
	return t.End()
}
