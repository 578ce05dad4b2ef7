package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/pipeline"
)

// Exit statuses.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong command line or pipeline file
	exitGap    = 3 // records of the source are lost
)

// usageError is an error of the caller: exit status 2.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// terminal reports whether people read w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// Main runs a command line, without the program's name, and returns the exit
// status.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	io := &streams{in, out, errs}
	root := newRoot(io)
	root.SetArgs(args)
	return io.status(root.ExecuteContext(context.Background()))
}

// status prints the error and returns its exit status.
func (s *streams) status(err error) int {
	if err == nil {
		return exitFine
	}
	fmt.Fprintln(s.err, "starlift:", strings.TrimSpace(err.Error()))
	var u usageError
	switch {
	case errors.As(err, &u), errors.Is(err, generate.ErrUsage):
		return exitUsage
	case errors.Is(err, pipeline.ErrGap):
		return exitGap
	}
	return exitFailed
}

func newRoot(s *streams) *cobra.Command {
	var level string
	root := &cobra.Command{
		Use:           "starlift",
		Short:         "Turns the changes of a DynamoDB single-table application into typed, settled tables",
		Example:       "  starlift demo\n  starlift validate shop.yaml && starlift run shop.yaml",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(unknownCommand(cmd, args[0]))
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return s.setLog(level)
		},
	}
	root.PersistentFlags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SuggestionsMinimumDistance = 2 // two letters apart
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		s.runCommand(), s.backfillCommand(), s.validateCommand(), s.testCommand(), s.planCommand(), s.schemaCommand(),
		s.statusCommand(), s.deadLettersCommand(), s.demoCommand(), s.versionCommand(), generate.Command(),
	)
	return root
}

func unknownCommand(root *cobra.Command, name string) error {
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %q?", name, near[0])
	}
	return fmt.Errorf("unknown command %q; starlift --help lists them", name)
}

// setLog makes the process's log: text for people, JSON for machines, on
// standard error.
func (s *streams) setLog(level string) error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return usage(fmt.Errorf("--log-level %q: want debug, info, warn or error", level))
	}
	var h slog.Handler = slog.NewJSONHandler(s.err, &slog.HandlerOptions{Level: l})
	if terminal(s.err) {
		h = slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: l})
	}
	slog.SetDefault(slog.New(h))
	return nil
}

// exactly is cobra.ExactArgs as a usage error that says what is missing.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage(fmt.Errorf("%s wants %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath()))
		}
		return nil
	}
}

func (s *streams) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  starlift version", Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			version := "(devel)"
			if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
				version = info.Main.Version
			}
			_, err := fmt.Fprintln(s.out, "starlift", version)
			return err
		},
	}
}

// onFile completes a command that shows something of a pipeline file: it takes
// n arguments, the first of them the file, --set, and --output text or json.
func onFile(cmd *cobra.Command, n int, what string, run func(a *assembly, args []string, output string) error) *cobra.Command {
	var set []string
	var output string
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := exactly(n, what)(cmd, args); err != nil {
			return err
		}
		return checkOutput(output, "text", "json")
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		a, err := load(args[0], set)
		if err != nil {
			return err
		}
		return run(a, args, output)
	}
	setFlag(cmd, &set)
	outputFlag(cmd, &output, "text", "json")
	return cmd
}

// printJSON prints a value for programs.
func (s *streams) printJSON(v any) error {
	e := json.NewEncoder(s.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// setFlag adds --set to a command.
func setFlag(cmd *cobra.Command, set *[]string) {
	cmd.Flags().StringArrayVar(set, "set", nil, "set a value of the pipeline file, as in --set epoch.max_records=1000; may be repeated")
}

// outputFlag adds --output to a command.
func outputFlag(cmd *cobra.Command, output *string, formats ...string) {
	cmd.Flags().StringVar(output, "output", formats[0], strings.Join(formats, " or "))
}

func checkOutput(output string, formats ...string) error {
	for _, f := range formats {
		if f == output {
			return nil
		}
	}
	return usage(fmt.Errorf("--output %q: want %s", output, strings.Join(formats, " or ")))
}

func fold(name string) string { return strings.ToLower(name) }
