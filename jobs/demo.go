package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/configs"
	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func (s *cli) demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the bundled sample through a pipeline and query the result",
		Long: "Demo writes a pipeline file and sample changes into a folder, runs the pipeline there, and queries the star schema.\n" +
			"It begins anew each time: what an earlier demo made in the folder is removed.",
		Example: "  starlift demo\n  starlift demo --dir /tmp/starlift-demo",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demoReady(); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			return s.demo(cmd.Context(), dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", filepath.Join("data", "demo"), "the folder for the demo's files")
	offer(cmd, "dir", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	return cmd
}

// The files of the demo in its folder. They are removed only if the folder has demoMark, which
// says that an earlier demo made them.
const (
	demoMark      = ".starlift-demo"
	demoPipeline  = configs.DemoPipeline
	demoData      = "shop.ndjson.gz"
	demoQuery     = configs.DemoQuery
	demoWarehouse = "shop.duckdb"
)

var demoFiles = []string{demoPipeline, demoData, demoQuery, "state", "dead-letters", "lake", demoWarehouse, demoWarehouse + ".wal"}

func (s *cli) demo(ctx context.Context, dir string) error {
	if err := prepareDemo(dir); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	file := filepath.Join(dir, demoPipeline)
	fmt.Fprintf(s.out, "Running %s: a shop's changes to a Parquet lake and a star schema in DuckDB.\n", file)
	a, err := assembly.Load(file, nil)
	if err != nil {
		return err
	}
	total, err := s.execute(ctx, a)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s read, %s.\n", spec.Count(total.Records, "change"), spec.Count(total.DeadLetters, "dead letter"))
	if err := queryDemo(ctx, s.out, filepath.Join(dir, demoWarehouse)); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return demoNext(s.out, dir)
}

// prepareDemo writes the pipeline file and the sample into the folder, and removes what an
// earlier demo made there.
func prepareDemo(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	mark := filepath.Join(dir, demoMark)
	_, err := os.Lstat(mark)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	earlier := err == nil
	for _, name := range demoFiles {
		path := filepath.Join(dir, name)
		if earlier {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		} else if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already and no demo made it: choose another folder with --dir", path)
		}
	}
	if err := os.WriteFile(mark, []byte("starlift demo made this folder's files, and removes them when it runs again.\n"), 0o644); err != nil {
		return err
	}
	return writeDemo(dir)
}

func writeDemo(dir string) error {
	for name, from := range map[string]string{demoData: configs.DemoData, demoQuery: configs.DemoQuery} {
		content, err := configs.Demo.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	text, err := configs.Demo.ReadFile(configs.DemoPipeline)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, demoPipeline), rebase(text, absolute), 0o644)
}

var (
	demoPaths = regexp.MustCompile(`configs/quickstart\.yaml|configs/data/shop\.ndjson\.gz|\./data/quickstart/[a-z.-]+`)
	wildcards = regexp.MustCompile(`[][*?{}\\]`)
)

// rebase returns the bundled pipeline file with the paths of an absolute folder, so that it
// works from any working directory.
func rebase(text []byte, dir string) []byte {
	return demoPaths.ReplaceAllFunc(text, func(path []byte) []byte {
		name := filepath.Join(dir, filepath.Base(string(path)))
		switch filepath.Base(name) {
		case demoPipeline: // in a comment
			return []byte(shellQuote(strings.ReplaceAll(name, "\n", " ")))
		case demoData: // a glob
			name = wildcards.ReplaceAllString(name, `\$0`)
		}
		quoted, err := json.Marshal(strings.ReplaceAll(name, "$", "$$"))
		if err != nil {
			panic(err) // a string can always be marshalled
		}
		return quoted
	})
}

// demoNext prints commands to try next.
func demoNext(w io.Writer, dir string) error {
	file := shellQuote(filepath.Join(dir, demoPipeline))
	b := &strings.Builder{}
	b.WriteString("\nWhat to try next\n")
	for _, c := range demoCommands {
		fmt.Fprintf(b, "\n  # %s\n  %s\n", c.why, program()+" "+strings.ReplaceAll(c.line, "FILE", file))
	}
	fmt.Fprintf(b, "\nThe star is in %s, every change of the tables it is made of in %s: any DuckDB client reads both.\nThe query is in %s.\n",
		filepath.Join(dir, demoWarehouse), filepath.Join(dir, "lake"), filepath.Join(dir, demoQuery))
	_, err := io.WriteString(w, b.String())
	return err
}

// demoCommands are tested as they are printed.
var demoCommands = []struct{ line, why string }{
	{"run FILE", "Run it again: everything is read already, and nothing changes."},
	{"plan FILE", "See the tables, what keeps state and why, and the DDL."},
	{"plan FILE --format er", "Draw the star: a Mermaid diagram, as GitHub and mermaid.live show it."},
	{"status FILE", "See how far each source and sink is."},
	{"dead-letters list FILE", "List the records that took no effect; none in this sample."},
	{"validate FILE --set transforms.items.unmatched=drop", "See how a mistake in a pipeline file is reported."},
}

// program returns what a user types to run this program.
func program() string {
	self, err := os.Executable()
	if err != nil {
		return "starlift"
	}
	if found, err := exec.LookPath("starlift"); err == nil && sameFile(found, self) {
		return "starlift"
	}
	mod, err := os.ReadFile("go.mod")
	if err == nil && strings.HasPrefix(string(mod), "module github.com/starlift-etl/starlift\n") && !sameFile(os.Args[0], "starlift") {
		return "go run ."
	}
	return shellQuote(os.Args[0])
}

func sameFile(a, b string) bool {
	ia, err := os.Stat(a)
	if err != nil {
		return false
	}
	ib, err := os.Stat(b)
	return err == nil && os.SameFile(ia, ib)
}

// shellQuote quotes what a shell would not take as one word.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+=,@%", r)
	}
	if word != "" && !slices.ContainsFunc([]rune(word), func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
