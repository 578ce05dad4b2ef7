package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/jobs/terminal"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
)

// Exit statuses. 2 is none of them: Go ends with it after a panic, when memory is used up and
// at SIGQUIT, and a supervisor has to restart the process then.
const (
	exitFine   = 0
	exitFailed = 1
	exitGap    = 3  // records of the source are lost
	exitUsage  = 64 // wrong command line or pipeline file: EX_USAGE of sysexits
)

// cli is the command line of one process: where its commands read and write, and how
// long a stop may take.
type cli struct {
	in       io.Reader
	out, err io.Writer
	console  *terminal.Console // on err: the log, and the bar; nil = there is none yet
	// stopWithin is what a first signal to stop gives to the epoch at work.
	stopWithin time.Duration
	// hook, where it is set, is called at each step of an epoch of what run and
	// backfill run: tests end the process there.
	hook func(step engine.Step, epoch int64) error
	// runner, where it is set, runs the phases of epochs.
	runner pipeline.Runner
}

func newCLI(in io.Reader, out, errs io.Writer) *cli {
	return &cli{in: in, out: out, err: errs, stopWithin: stopWithin}
}

// screen returns the console, made at the first call.
func (s *cli) screen() *terminal.Console {
	if s.console == nil {
		s.console = terminal.NewConsole(s.err)
	}
	return s.console
}

// Main runs a command line, without the program's name, and returns the exit
// status.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	return newCLI(in, out, errs).main(args)
}

// MainWithRunner is Main with another runner of phases than the engine's own, and with a hook
// that is called at each step of an epoch: a benchmark measures by them.
func MainWithRunner(phases pipeline.Runner, hook func(step engine.Step, epoch int64) error, args []string, in io.Reader, out, errs io.Writer) int {
	c := newCLI(in, out, errs)
	c.runner, c.hook = phases, hook
	return c.main(args)
}

func (s *cli) main(args []string) int {
	root := newRoot(s)
	root.SetArgs(args)
	return s.status(root.ExecuteContext(context.Background()))
}

// status prints the error and returns its exit status.
func (s *cli) status(err error) int {
	if err == nil {
		return exitFine
	}
	fmt.Fprintln(s.err, "starlift:", strings.TrimSpace(err.Error()))
	var u usage.Error
	switch {
	case errors.As(err, &u), errors.Is(err, generate.ErrUsage):
		return exitUsage
	case errors.Is(err, pipeline.ErrGap):
		return exitGap
	}
	return exitFailed
}

func newRoot(s *cli) *cobra.Command {
	var level string
	root := &cobra.Command{
		Use:           "starlift",
		Short:         "Turns the changes of a DynamoDB single-table application into typed, settled tables",
		Example:       "  starlift demo\n  starlift validate shop.yaml && starlift run shop.yaml",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       thisBuild().String(),
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Wrap(unknownCommand(cmd, args[0]))
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return s.setLog(level)
		},
	}
	root.PersistentFlags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	offer(root, "log-level", oneOf(logLevels...))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Wrap(generate.FlagMistake(err)) })
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SuggestionsMinimumDistance = 2 // two letters apart
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.AddCommand(
		s.runCommand(), s.backfillCommand(), s.validateCommand(), s.testCommand(), s.planCommand(), s.previewCommand(), s.initCommand(), s.schemaCommand(),
		s.statusCommand(), s.resetCommand(), s.deadLettersCommand(), s.demoCommand(), s.versionCommand(), generate.Command(),
	)
	checkShell(root)
	return root
}

// checkShell makes the library's completion command refuse a shell that it does
// not know.
func checkShell(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "Print a script that completes command lines in bash, zsh, fish or PowerShell"
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Wrap(fmt.Errorf("completion has no shell %q: want bash, zsh, fish or powershell", args[0]))
			}
			return cmd.Help()
		}
		for _, shell := range cmd.Commands() {
			if shell.Name() == "bash" {
				completeBash(shell)
			}
		}
	}
}

func unknownCommand(root *cobra.Command, name string) error {
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %q?", name, near[0])
	}
	return fmt.Errorf("unknown command %q; starlift --help lists them", name)
}

var logLevels = []string{"debug", "info", "warn", "error"}

// setLog sets the process's log, on standard error: text on a terminal, else JSON.
func (s *cli) setLog(level string) error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return usage.Wrap(usage.WrongChoice("--log-level", level, logLevels...))
	}
	slog.SetDefault(slog.New(terminal.NewLog(s.screen(), l, terminal.Is(s.err))))
	return nil
}

// exactly is cobra.ExactArgs with a usage error that says what the command wants.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage.Wrap(fmt.Errorf("%s wants %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath()))
		}
		return nil
	}
}

// onFile completes a command that prints something about a pipeline file: it takes n arguments,
// of which the first is the file, --set, whose values go to set, and --output text or json.
// With json, mistakes in the file are printed as validate prints them.
func (s *cli) onFile(cmd *cobra.Command, set *[]string, n int, what string, run func(ctx context.Context, a *assembly.Pipeline, args []string, output string) error) *cobra.Command {
	var output string
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := exactly(n, what)(cmd, args); err != nil {
			return err
		}
		return checkOutput(output, "text", "json")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := s.loadFor(args[0], *set, output)
		if err != nil {
			return err
		}
		return assembly.Redacted(a, run(cmd.Context(), a, args, output))
	}
	setFlag(cmd, set)
	outputFlag(cmd, &output, "text", "json")
	offerFiles(cmd, 1, nil)
	return cmd
}

// loadFor is assembly.Load for a command with this --output: with json, mistakes in the file
// are printed, and the error says only that there are some.
func (s *cli) loadFor(path string, set []string, output string) (*assembly.Pipeline, error) {
	a, err := assembly.Load(path, set)
	if err == nil || output != "json" {
		return a, err
	}
	return nil, errors.Join(s.printJSON(newVerdict(path, err)), usage.Wrap(fmt.Errorf("%s is not valid", path)))
}

// printJSON prints a value for programs.
func (s *cli) printJSON(v any) error {
	e := json.NewEncoder(s.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// setFlag adds --set to a command.
func setFlag(cmd *cobra.Command, set *[]string) {
	cmd.Flags().StringArrayVar(set, "set", nil, "set a value of the pipeline file, as in --set epoch.max_records=1000; may be repeated")
	offer(cmd, "set", oneOf())
}

// outputFlag adds --output to a command.
func outputFlag(cmd *cobra.Command, output *string, formats ...string) {
	cmd.Flags().StringVar(output, "output", formats[0], strings.Join(formats, " or "))
	offer(cmd, "output", oneOf(formats...))
}

func checkOutput(output string, formats ...string) error {
	for _, f := range formats {
		if f == output {
			return nil
		}
	}
	return usage.Wrap(usage.WrongChoice("--output", output, formats...))
}
