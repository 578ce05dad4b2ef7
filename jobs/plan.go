package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/plan"
	"github.com/starlift-etl/starlift/jobs/usage"
)

var planFormats = []string{"text", "mermaid", "er"}

func (s *cli) planCommand() *cobra.Command {
	var format string
	var held stateFlags
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show the tables, the graph, what keeps state and why, and the SQL",
		Long: "Plan builds a pipeline without opening anything and shows what it would do: the tables with their columns, the\n" +
			"graph, which edges keep state and why, stars as a Mermaid diagram, the DDL of the warehouses and, where they load\n" +
			"files, the statements of a flush. --format mermaid gives the graph alone, --format er the diagram of the stars alone.\n" +
			"Where the pipeline has a state folder, or --state names one, plan says first what a run takes of the changes since it\n" +
			"was built, and fails where it refuses some.",
		Example: "  starlift plan configs/quickstart.yaml\n  starlift plan shop.yaml --format mermaid\n  starlift plan shop.yaml --format er > star.mmd",
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, mermaid or er")
	offer(cmd, "format", oneOf(planFormats...))
	held.add(cmd)
	return s.onFile(cmd, new([]string), 1, "one pipeline file", func(ctx context.Context, a *assembly.Pipeline, _ []string, output string) error {
		p := plan.New(a)
		var err error
		if p.Comparison, err = a.CompareState(cmd.Context(), held.dir, held.fromNow); err != nil {
			return err
		}
		if output != "json" {
			printWarnings(s.err, p.Warnings)
		}
		if !slices.Contains(planFormats, format) {
			return usage.Wrap(usage.WrongChoice("--format", format, planFormats...))
		}
		err = s.printPlan(p, format, output)
		if p.Comparison != nil {
			err = errors.Join(err, p.Comparison.Err())
		}
		return err
	})
}

func (s *cli) printPlan(p *plan.Plan, format, output string) error {
	switch {
	case output == "json":
		return s.printJSON(p)
	case format == "mermaid":
		return p.Flowchart(s.out)
	case format == "er" && p.ER == "":
		return usage.Wrap(fmt.Errorf("--format er: pipeline %s has no star; --format mermaid shows its graph", p.Pipeline))
	case format == "er":
		_, err := io.WriteString(s.out, p.ER)
		return err
	}
	return p.Text(s.out)
}
