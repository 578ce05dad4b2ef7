package jobs

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/preview"
	"github.com/starlift-etl/starlift/jobs/usage"
)

const (
	previewRows    = 10
	previewRecords = 10_000
)

func (s *cli) previewCommand() *cobra.Command {
	var set []string
	var o preview.Options
	cmd := &cobra.Command{
		Use:   "preview FILE",
		Short: "Show the rows that a pipeline makes of the beginning of its input",
		Long: "Preview reads the sources from their beginning and shows the rows of each table, stars too: those that stand, one a key,\n" +
			"where a sink of settled rows takes them, and else those of every change, with _op. Neither state, sinks nor dead letters are\n" +
			"opened, and no source is told how far it was read. Masked columns are hidden. It ends when each table has --limit rows,\n" +
			"after --records records, or at the end of the input: facts may lack what comes later.\n\n" +
			"Files that are followed are read as far as they go now, but for a record that is still being written. Other sources without end are left out, which is said. Scans and\n" +
			"files of S3 are read, and cost what reading costs; references are loaded.",
		Example: "  starlift preview configs/quickstart.yaml\n  starlift preview shop.yaml --table order --limit 3\n" +
			"  starlift preview shop.yaml --table fact_order --records 100000 --output json",
	}
	cmd.Flags().StringArrayVar(&o.Tables, "table", nil, "show only this table, as table or node.table; may be repeated")
	cmd.Flags().IntVar(&o.Rows, "limit", previewRows, "the number of rows to show of a table")
	cmd.Flags().Int64Var(&o.Records, "records", previewRecords, "the number of records to read at most")
	offer(cmd, "table", tableNames(&set))
	offer(cmd, "limit", oneOf())
	offer(cmd, "records", oneOf())
	return s.onFile(cmd, &set, 1, "one pipeline file", func(ctx context.Context, a *assembly.Pipeline, _ []string, output string) error {
		for flag, value := range map[string]int64{"--limit": int64(o.Rows), "--records": o.Records} {
			if value < 1 {
				return usage.Wrap(fmt.Errorf("%s %d: want a number from 1", flag, value))
			}
		}
		ctx, release := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		defer release()
		r, err := preview.Run(ctx, a, o)
		if ctx.Err() != nil {
			return fmt.Errorf("%s: interrupted", a.File.Name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.File.Name, err)
		}
		if output == "json" {
			return s.printJSON(r)
		}
		return r.Text(s.out)
	})
}

// tableNames offers the tables of a pipeline.
func tableNames(set *[]string) completer {
	return func(_ *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			if a, err := assembly.Load(args[0], *set); err == nil {
				names = preview.Names(a)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
