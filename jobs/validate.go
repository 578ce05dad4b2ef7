package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline/definition"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func (s *cli) validateCommand() *cobra.Command {
	var set []string
	var output string
	var held stateFlags
	var connect bool
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check pipeline files and report every mistake",
		Long: "Validate reads and builds pipelines and their tests, opens no source and no sink, and reports all mistakes at their places.\n" +
			"What is most likely not meant, though it is no mistake, is a warning: the file is valid. Where the pipeline has a state\n" +
			"folder, or --state names one, validate says what was changed since it was built, what a run takes of that and what it\n" +
			"refuses: then the status is 1. The state is only read; a pipeline that runs is asked.\n\n" +
			"With --connect the sinks are connected to, and say whether a start would take them: the tables and files that are there, whose\n" +
			"they are, and what would be made. Of Redshift, which has much that only a flush would show, it is said besides why it can't be\n" +
			"reached, which rights are missing and the GRANT for each, and whether the stage can be written, and copied from: for that an\n" +
			"object is written to it, and removed. Nothing else is changed. If anything is wrong, the status is 1. The sinks of a pipeline\n" +
			"that runs are not asked: its start has done that.",
		Example: "  starlift validate configs/*.yaml\n  starlift validate shop.yaml --output json\n  starlift validate shop.yaml --state /var/lib/starlift/shop --from-now items\n" +
			"  starlift validate --connect shop.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactly(1, "at least one pipeline file")(cmd, args)
			}
			if held.dir != "" && len(pipelineFiles(args)) > 1 {
				return usage.Wrap(errors.New("--state is of one pipeline: validate its file alone"))
			}
			return checkOutput(output, "text", "json")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.validate(cmd.Context(), pipelineFiles(args), validation{set, held, connect, output})
		},
	}
	setFlag(cmd, &set)
	held.add(cmd)
	cmd.Flags().BoolVar(&connect, "connect", false, "connect to the sinks, and say whether a start would take them")
	outputFlag(cmd, &output, "text", "json")
	offerFiles(cmd, 0, nil)
	return cmd
}

// validation is how files are validated.
type validation struct {
	set     []string
	held    stateFlags
	connect bool
	output  string
}

// verdict is the result of validating a file, as JSON has it.
type verdict struct {
	File     string          `json:"file"`
	Valid    bool            `json:"valid"`
	Mistakes []*spec.Mistake `json:"mistakes"`
	// Warnings are about what is most likely not meant, of a valid file.
	Warnings []*spec.Mistake `json:"warnings,omitempty"`
	// State compares a valid file with its state; nil = there is none.
	State *assembly.Comparison `json:"state,omitempty"`
	// Connections is what the sinks of a valid file say; nil = they were not asked.
	Connections *assembly.Connections `json:"connections,omitempty"`
}

// newVerdict returns the verdict for the error of loading a file.
func newVerdict(file string, err error) verdict {
	return verdict{File: file, Valid: err == nil, Mistakes: mistakesOf(file, err)}
}

func (s *cli) validate(ctx context.Context, files []string, how validation) error {
	var all []error
	verdicts := []verdict{}
	for _, file := range files {
		v, err := s.judge(ctx, file, how)
		if errors.Is(ctx.Err(), context.Canceled) {
			return err
		}
		all = append(all, err)
		verdicts = append(verdicts, v)
	}
	if how.output == "json" {
		return s.printVerdicts(verdicts)
	}
	return errors.Join(all...)
}

// judge validates one file, and prints what is for people. The error is that of the command, if
// they read it.
func (s *cli) judge(ctx context.Context, file string, how validation) (v verdict, err error) {
	one, err := loadSuite(file, how.set)
	v = newVerdict(file, err)
	if err == nil {
		v.Warnings = one.warnings
		v.State, err = one.assembly.CompareState(ctx, how.held.dir, how.held.fromNow)
		err = assembly.Redacted(one.assembly, err)
	}
	if v.Valid && how.output == "text" {
		printWarnings(s.err, v.Warnings)
		fmt.Fprintf(s.out, "%s: valid\n", file)
	}
	switch {
	case v.State != nil && how.output == "text":
		err = errors.Join(v.State.Text(s.out), v.State.Err(), err)
	case v.Valid && err != nil && how.output == "json":
		v.State = &assembly.Comparison{Dir: one.assembly.Config.StateDir, Refused: true, Changes: []definition.Change{}, Problems: []string{err.Error()}}
	}
	if !v.Valid || !how.connect || err != nil || v.State != nil && v.State.Refused {
		return v, err
	}
	if v.Connections, err = one.assembly.CheckConnections(ctx); err != nil {
		err = assembly.Redacted(one.assembly, err)
		v.Connections = &assembly.Connections{Sinks: []assembly.SinkRemarks{}, Problem: err.Error()}
		return v, err
	}
	if how.output == "text" {
		err = v.Connections.Text(s.out)
	}
	return v, errors.Join(err, v.Connections.Err(file))
}

// printVerdicts prints verdicts as JSON; the error says that files are not valid,
// or that a state, or a sink, refuses them.
func (s *cli) printVerdicts(verdicts []verdict) error {
	if err := s.printJSON(verdicts); err != nil {
		return err
	}
	wrong, refused, unready := 0, 0, 0
	for _, v := range verdicts {
		switch {
		case !v.Valid:
			wrong++
		case v.State != nil && v.State.Refused:
			refused++
		case v.Connections != nil && v.Connections.Failed():
			unready++
		}
	}
	switch {
	case wrong > 0:
		return usage.Wrap(fmt.Errorf("%d of %d files are not valid", wrong, len(verdicts)))
	case refused > 0:
		return fmt.Errorf("%d of %d files are refused by their state", refused, len(verdicts))
	case unready > 0:
		return fmt.Errorf("%d of %d files have sinks that a start would not take", unready, len(verdicts))
	}
	return nil
}

// mistakesOf lists the mistakes in a pipeline file and the file of its tests.
func mistakesOf(file string, err error) []*spec.Mistake {
	mistakes := []*spec.Mistake{}
	var all *spec.Errors
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
	case errors.As(err, &all) && err.Error() == all.Error():
		mistakes = append(mistakes, all.Mistakes...)
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			mistakes = append(mistakes, mistakesOf(file, e)...)
		}
	default:
		mistakes = append(mistakes, &spec.Mistake{File: file, Message: err.Error()})
	}
	return mistakes
}

func (s *cli) schemaCommand() *cobra.Command {
	var tests bool
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of pipeline files",
		Long:  "Schema prints a JSON schema for editors: completion and checking while a pipeline file, or a file of tests, is written.",
		Example: "  starlift schema > starlift.schema.json\n" +
			"  # then, as the first line of a pipeline file, for editors with the YAML language server:\n" +
			"  # yaml-language-server: $schema=starlift.schema.json",
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			b, err := spec.Schema(assembly.Kinds())
			if tests {
				b, err = spec.TestsSchema()
			}
			if err != nil {
				return err
			}
			_, err = s.out.Write(b)
			return err
		},
	}
	cmd.Flags().BoolVar(&tests, "tests", false, "the schema of files of tests, named …_test.yaml, instead")
	return cmd
}
