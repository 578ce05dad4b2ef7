package jobs

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
)

// build says what a binary was made of.
type build struct {
	Version string `json:"version"` // of the module; (devel) where nobody gave one
	// Commit is that of the source, with -dirty where it was changed; empty where
	// the binary was built without git.
	Commit string `json:"commit,omitempty"`
	Time   string `json:"commit_time,omitempty"`
	Go     string `json:"go"`
	DuckDB string `json:"duckdb,omitempty"` // empty = built without
}

// thisBuild describes this binary.
func thisBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), DuckDB: assembly.DuckDBVersion()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, b.Version)
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.time":
			b.Time = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if b.Commit != "" {
		b.Commit += dirty
	}
	return b
}

// String returns the build as people read it, on one line.
func (b build) String() string {
	commit := "commit unknown"
	if b.Commit != "" {
		commit = "commit " + b.Commit
	}
	if day, _, ok := strings.Cut(b.Time, "T"); ok {
		commit += " of " + day
	}
	database := "without DuckDB"
	if b.DuckDB != "" {
		database = "DuckDB " + b.DuckDB
	}
	return fmt.Sprintf("%s (%s), %s, %s", b.Version, commit, b.Go, database)
}

func (s *cli) versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version, the commit, and the versions of Go and DuckDB",
		Example: "  starlift version\n  starlift version --output json",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := exactly(0, "no arguments")(cmd, args); err != nil {
				return err
			}
			return checkOutput(output, "text", "json")
		},
		RunE: func(*cobra.Command, []string) error {
			if output == "json" {
				return s.printJSON(thisBuild())
			}
			_, err := fmt.Fprintln(s.out, "starlift", thisBuild())
			return err
		},
	}
	outputFlag(cmd, &output, "text", "json")
	return cmd
}
