package jobs

import (
	"context"
	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/pipeline"
)

func (s *cli) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status FILE",
		Short: "Show how far a pipeline is, and how it does",
		Long: "Status asks a pipeline that runs, at a socket in its state folder or at http.listen of its file: how fast it is, how far\n" +
			"behind, and what is wrong. Of one that does not run it shows the checkpoint, from the state folder.",
		Example: "  starlift status shop.yaml\n  starlift status shop.yaml --output json",
	}
	return s.onFile(cmd, new([]string), 1, "one pipeline file", func(ctx context.Context, a *assembly.Pipeline, _ []string, output string) error {
		st, err := status.Find(cmd.Context(), statusOf(a))
		if err != nil {
			return err
		}
		if output == "json" {
			return s.printJSON(st)
		}
		return st.Print(s.out)
	})
}

// statusOf is what the status of the pipeline is made of.
func statusOf(a *assembly.Pipeline) *status.Pipeline {
	p := &status.Pipeline{
		Name: a.File.Name, StateDir: a.Config.StateDir, Listen: a.File.HTTP.Listen, Interval: a.File.Epoch.Interval.String(), TransformNames: a.Config.Plan.Transforms(),
		Transforms: a.Config.Changes, Recorder: a.Recorder, DeadLetters: a.DeadLetters(), Redact: a.File.Redact, Size: func() (read, total int64) { return inputSize(a) },
	}
	p.Gaps, p.Phases = map[string]pipeline.GapReporter{}, map[string]pipeline.SavedPhaseReporter{}
	for _, n := range a.Config.Sources {
		p.Sources = append(p.Sources, n.Name)
		if saves, ok := n.Source.(pipeline.GapReporter); ok {
			p.Gaps[n.Name] = saves
		}
		if saves, ok := n.Source.(pipeline.SavedPhaseReporter); ok {
			p.Phases[n.Name] = saves
		}
	}
	for _, n := range a.Config.Sinks {
		p.Sinks = append(p.Sinks, n.Name)
	}
	return p
}

// inputSize adds up what the sources say of their input; 0 when one of them does not know.
func inputSize(a *assembly.Pipeline) (read, total int64) {
	for _, s := range a.Config.Sources {
		sized, ok := s.Source.(pipeline.SizeReporter)
		if !ok {
			return 0, 0
		}
		r, t := sized.Size()
		read, total = read+r, total+t
	}
	return read, total
}
