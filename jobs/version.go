package jobs

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
)

// What the linker is given by -X where Go finds no git to ask: in the build of an
// image, of an unpacked source archive, of a distribution. The Makefile does it.
var (
	linkVersion string // v1.2.3
	linkCommit  string
	linkTime    string // of the commit, as RFC 3339
)

const unknownVersion = "(devel)"

// build says what a binary was made of.
type build struct {
	Version string `json:"version"` // of the module; (devel) where nobody gave one
	// Commit is that of the source, with -dirty where it was changed. It is empty
	// where a module proxy gave the source of a version, and where nothing is known.
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"commit_time,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`         // linux/amd64
	DuckDB   string `json:"duckdb,omitempty"` // empty = built without
}

// thisBuild describes this binary.
func thisBuild() build {
	var b build
	if info, ok := debug.ReadBuildInfo(); ok {
		b = buildOf(info)
	}
	b.Version = cmp.Or(linkVersion, b.Version, unknownVersion)
	b.Commit, b.Time = cmp.Or(linkCommit, b.Commit), cmp.Or(linkTime, b.Time)
	b.Go, b.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	b.DuckDB = assembly.DuckDBVersion()
	return b
}

// pseudoVersion is how Go calls a commit without a tag: its time and the
// beginning of its hash are in it.
var pseudoVersion = regexp.MustCompile(`[-.](\d{14})-([0-9a-f]{12})(?:\+[a-z.]+)?$`)

// buildOf takes the version and the commit from what Go puts into a binary: of a
// build in a clone git's words, of go install at a version that version alone.
func buildOf(info *debug.BuildInfo) build {
	b := build{Version: info.Main.Version}
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
		return b
	}
	if part := pseudoVersion.FindStringSubmatch(b.Version); part != nil {
		b.Commit = part[2]
		if at, err := time.Parse("20060102150405", part[1]); err == nil {
			b.Time = at.Format(time.RFC3339)
		}
	}
	return b
}

// String returns the build as people read it, on one line.
func (b build) String() string {
	source := b.Version
	switch day, _, ok := strings.Cut(b.Time, "T"); {
	case b.Commit != "" && ok:
		source += fmt.Sprintf(" (commit %s of %s)", b.Commit, day)
	case b.Commit != "":
		source += fmt.Sprintf(" (commit %s)", b.Commit)
	case b.Version == unknownVersion:
		source += " (commit unknown)"
	}
	database := "without DuckDB"
	if b.DuckDB != "" {
		database = "DuckDB " + b.DuckDB
	}
	return fmt.Sprintf("%s, %s %s, %s", source, b.Go, b.Platform, database)
}

func (s *cli) versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version, the commit, the platform, and the versions of Go and DuckDB",
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
