package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/fixture"
	"github.com/starlift-etl/starlift/jobs/terminal"
	"github.com/starlift-etl/starlift/jobs/usage"
)

func (s *cli) testCommand() *cobra.Command {
	var set []string
	var output, pattern string
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run the tests of pipeline files",
		Long: "Test runs the tests that a pipeline file has under tests, and those of the file beside it whose name ends in\n" +
			"_test.yaml: given records in, expected rows and dead letters out. No source, sink or reference is opened.\n" +
			"It ends with status 1 when a test fails.",
		Example: "  starlift test shop.yaml\n  starlift test configs/*.yaml --run 'late|deleted'\n  starlift test shop.yaml --output json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactly(1, "at least one pipeline file")(cmd, args)
			}
			return checkOutput(output, "text", "json")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, release := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer release()
			return s.test(ctx, pipelineFiles(args), set, pattern, output)
		},
	}
	setFlag(cmd, &set)
	outputFlag(cmd, &output, "text", "json")
	offerFiles(cmd, 0, nil)
	cmd.Flags().StringVar(&pattern, "run", "", "run only the tests whose name matches this regular expression")
	offer(cmd, "run", oneOf())
	return cmd
}

// testResult is what became of one test.
type testResult struct {
	Name string `json:"name"`
	fixture.Location
	Passed   bool               `json:"passed"`
	Failures []*fixture.Failure `json:"failures"`
}

// fileResult is what became of the tests of one pipeline file.
type fileResult struct {
	File  string       `json:"file"`
	Tests []testResult `json:"tests"`
}

func (s *cli) test(ctx context.Context, files, set []string, pattern, output string) error {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return usage.Wrap(fmt.Errorf("--run %q is not a regular expression: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
	}
	var suites []*testSuite
	var wrong []error
	verdicts := []verdict{}
	for _, file := range files {
		one, err := loadSuite(file, set)
		if err == nil && len(one.tests) == 0 {
			err = usage.Wrap(fmt.Errorf("%s: there are no tests: write them under tests, or into %s", file, testFileOf(file)))
		}
		suites, wrong, verdicts = append(suites, one), append(wrong, err), append(verdicts, newVerdict(file, err))
	}
	if err := errors.Join(wrong...); err != nil {
		if output == "json" {
			return s.printVerdicts(verdicts)
		}
		return err
	}
	results := []fileResult{}
	ran, failed := 0, 0
	for _, one := range suites {
		r, err := s.runSuite(ctx, one, wanted, output)
		if err != nil {
			return err
		}
		for _, t := range r.Tests {
			ran++
			if !t.Passed {
				failed++
			}
		}
		results = append(results, r)
	}
	if output == "json" {
		if err := s.printJSON(results); err != nil {
			return err
		}
	}
	switch {
	case ran == 0:
		return usage.Wrap(fmt.Errorf("no test matches --run %q", pattern))
	case failed > 0:
		return fmt.Errorf("%d of %d tests failed", failed, ran)
	}
	if output == "text" {
		tests := "tests"
		if ran == 1 {
			tests = "test"
		}
		_, err = fmt.Fprintf(s.out, "%d %s passed\n", ran, tests)
	}
	return err
}

// runSuite runs the wanted tests of one file. Text is printed test by test.
func (s *cli) runSuite(ctx context.Context, one *testSuite, wanted *regexp.Regexp, output string) (fileResult, error) {
	result := fileResult{File: one.file, Tests: []testResult{}}
	for _, t := range one.tests {
		if !wanted.MatchString(t.Name) {
			continue
		}
		failures, err := fixture.Run(ctx, one.pipeline, t)
		if err != nil {
			return result, fmt.Errorf("%s: test %q: %w", t.Location(), t.Name, err)
		}
		r := testResult{Name: t.Name, Location: t.Location(), Passed: len(failures) == 0, Failures: append([]*fixture.Failure{}, failures...)}
		if output == "text" {
			if len(result.Tests) == 0 {
				fmt.Fprintln(s.out, one.file)
			}
			printTest(s.out, &r)
		}
		result.Tests = append(result.Tests, r)
	}
	return result, nil
}

// printedFailuresMax is how many failures of one test are printed as text.
const printedFailuresMax = 20

func printTest(out io.Writer, r *testResult) {
	if r.Passed {
		fmt.Fprintf(out, "  ok    %s\n", r.Name)
		return
	}
	fmt.Fprintf(out, "  FAIL  %s\n", r.Name)
	for i, f := range r.Failures {
		if i == printedFailuresMax {
			fmt.Fprintf(out, "        and %d more\n", len(r.Failures)-i)
			return
		}
		printFailure(out, f)
	}
}

func printFailure(out io.Writer, f *fixture.Failure) {
	var what []string
	if f.Step > 0 {
		what = append(what, fmt.Sprintf("after step %d", f.Step))
	}
	if f.Table != "" {
		what = append(what, "table "+f.Table)
	}
	switch f.Kind {
	case "row":
		what = append(what, "row "+f.Row.String())
	case "missing_row":
		what = append(what, "missing row "+f.Row.String())
	case "extra_row":
		what = append(what, "row not expected "+f.Row.String())
	default:
		what = append(what, f.Message)
	}
	fmt.Fprintf(out, "        %s: %s\n", f.Location, strings.Join(what, ", "))
	widest := 0
	for _, c := range f.Columns {
		widest = max(widest, terminal.Width(c.Column))
	}
	for _, c := range f.Columns {
		fmt.Fprintf(out, "            %s  expected %s\n            %s  actual   %s\n", terminal.Pad(c.Column, widest), c.Expected, terminal.Pad("", widest), c.Actual)
	}
	if f.Record != "" {
		fmt.Fprintf(out, "            %s\n", f.Record)
	}
}
