package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/plan"
	"github.com/starlift-etl/starlift/jobs/usage"
)

var planFormats = []string{"text", "mermaid", "er"}

func (s *cli) planCommand() *cobra.Command {
	var shown planFlags
	var held stateFlags
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show the tables, the graph, what keeps state and why, the SQL, and what columns are made of",
		Long: "Plan builds a pipeline without opening anything and shows what it would do: a summary, and with --section the graph,\n" +
			"the tables with their columns, which edges keep state and why, stars as a Mermaid diagram, the DDL of the warehouses\n" +
			"and, where they load files, the statements of a flush. --lineage shows what a column is made of: through expressions,\n" +
			"joins and lookups, down to attributes of the items, and which rows its tables have. --format mermaid gives the graph\n" +
			"alone, --format er the diagram of the stars alone. Where the pipeline has a state folder, or --state names one, plan says\n" +
			"first what a run takes of the changes since it was built, and fails where it refuses some.",
		Example: "  starlift plan configs/quickstart.yaml\n  starlift plan shop.yaml --section ddl,statements\n  starlift plan shop.yaml --lineage fact_order.price\n" +
			"  starlift plan shop.yaml --format mermaid\n  starlift plan shop.yaml --format er > star.mmd",
	}
	shown.add(cmd)
	held.add(cmd)
	set := new([]string)
	offer(cmd, "lineage", lineageNames(set))
	return s.onFile(cmd, set, 1, "one pipeline file", func(ctx context.Context, a *assembly.Pipeline, _ []string, output string) error {
		if err := shown.check(cmd, output); err != nil {
			return usage.Wrap(err)
		}
		p := plan.New(a)
		var err error
		if p.Comparison, err = a.CompareState(cmd.Context(), held.dir, held.fromNow); err != nil {
			return err
		}
		if output != "json" {
			printWarnings(s.err, p.Warnings)
		}
		err = s.printPlan(p, &shown, output)
		if p.Comparison != nil {
			err = errors.Join(err, p.Comparison.Err())
		}
		return err
	})
}

// planFlags say what of a plan is shown.
type planFlags struct {
	format   string
	sections []string
	lineage  string
	asked    bool // whether --lineage is given
}

func (f *planFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.format, "format", "text", "text, mermaid or er")
	cmd.Flags().StringSliceVar(&f.sections, "section", nil, "what to show in the place of the summary: "+strings.Join(plan.SectionNames(), ", "))
	cmd.Flags().StringVar(&f.lineage, "lineage", "", "show what a column is made of: TABLE.COLUMN, TABLE or all")
	offer(cmd, "format", oneOf(planFormats...))
	offer(cmd, "section", oneOf(plan.SectionNames()...))
}

// check refuses words that are unknown, and flags that ask for two things at once.
func (f *planFlags) check(cmd *cobra.Command, output string) error {
	if !slices.Contains(planFormats, f.format) {
		return usage.WrongChoice("--format", f.format, planFormats...)
	}
	for _, name := range f.sections {
		if known := plan.SectionNames(); !slices.Contains(known, name) {
			return usage.WrongChoice("--section", name, known...)
		}
	}
	var given []string
	for _, name := range []string{"format", "section", "lineage"} {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	f.asked = cmd.Flags().Changed("lineage")
	switch {
	case len(given) > 1:
		return fmt.Errorf("%s and %s are two things to show: leave one of them out", given[0], given[1])
	case output == "json" && len(f.sections) > 0:
		return errors.New("--section is about text, and --output json has all sections: leave one of them out")
	}
	return nil
}

func (s *cli) printPlan(p *plan.Plan, shown *planFlags, output string) error {
	switch {
	case shown.asked:
		l, err := p.LineageOf(shown.lineage)
		if err != nil {
			return usage.Wrap(err)
		}
		if output == "json" {
			return s.printJSON(l)
		}
		return l.Text(s.out)
	case output == "json":
		return s.printJSON(p)
	case shown.format == "mermaid":
		return p.Flowchart(s.out)
	case shown.format == "er" && p.ER == "":
		return usage.Wrap(fmt.Errorf("--format er: pipeline %s has no star; --format mermaid shows its graph", p.Pipeline))
	case shown.format == "er":
		_, err := io.WriteString(s.out, p.ER)
		return err
	}
	return p.Text(s.out, shown.sections)
}

// lineageNames offers the columns of the tables that a pipeline file has.
func lineageNames(set *[]string) completer {
	return func(_ *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			if a, err := assembly.Load(args[0], *set); err == nil {
				names = plan.New(a).LineageNames()
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
