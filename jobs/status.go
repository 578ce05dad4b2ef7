package jobs

import (
	"github.com/spf13/cobra"

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
	return s.onFile(cmd, new([]string), 1, "one pipeline file", func(a *assembly, _ []string, output string) error {
		st, err := status.Find(cmd.Context(), a.status())
		if err != nil {
			return err
		}
		if output == "json" {
			return s.printJSON(st)
		}
		return st.Print(s.out)
	})
}

// status is what the status of the pipeline is made of.
func (a *assembly) status() *status.Pipeline {
	p := &status.Pipeline{
		Name: a.file.Name, StateDir: a.config.StateDir, Listen: a.file.HTTP.Listen, TransformNames: a.config.Plan.Transforms(),
		Transforms: a.config.Changes, Recorder: a.recorder, DeadLetters: a.folder(), Redact: a.file.Redact, Size: a.size,
	}
	for _, n := range a.config.Sources {
		p.Sources = append(p.Sources, n.Name)
	}
	for _, n := range a.config.Sinks {
		p.Sinks = append(p.Sinks, n.Name)
	}
	return p
}

// size adds up what the sources say of their input; 0 when one of them does not know.
func (a *assembly) size() (read, total int64) {
	for _, s := range a.config.Sources {
		sized, ok := s.Source.(pipeline.SizeReporter)
		if !ok {
			return 0, 0
		}
		r, t := sized.Size()
		read, total = read+r, total+t
	}
	return read, total
}
