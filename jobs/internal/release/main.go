// Command release makes the archives of a version in dist/, starts those that this
// machine can start, and writes their checksums. The same commit gives the same bytes,
// wherever and whenever they are made: by the same Go, and with DuckDB by the same C
// toolchain. From the root of the repository:
//
//	go run ./jobs/internal/release release               # the commit has a tag, CHANGELOG.md its section
//	go run ./jobs/internal/release snapshot [BUILD…]     # of any commit; all builds, or these
//	go run ./jobs/internal/release notices BUILD         # licences of what a build links
//	go run ./jobs/internal/release duckdb-notices DIR    # those within DuckDB's source
//
// A build is called linux_arm64_with-duckdb. One that has no compiler here is left out,
// and said to be.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/starlift-etl/starlift/jobs/internal/notices"
)

const usage = "usage: release release | snapshot [BUILD…] | notices BUILD | duckdb-notices DIR"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	command, args := append(args, "")[0], args[min(1, len(args)):]
	switch {
	case command == "release" && len(args) == 0:
		return release(ctx, all, true, out)
	case command == "snapshot":
		builds, err := parse(args)
		if err != nil {
			return err
		}
		return release(ctx, builds, false, out)
	case command == "notices" && len(args) == 1:
		builds, err := parse(args)
		if err != nil {
			return err
		}
		text, err := notices.Of(ctx, builds[0].os, builds[0].arch, builds[0].duckdb)
		return errors.Join(err, printTo(out, text))
	case command == "duckdb-notices" && len(args) == 1:
		text, err := notices.OfDuckDB(args[0])
		return errors.Join(err, printTo(out, text))
	default:
		return errors.New(usage)
	}
}

func printTo(out io.Writer, text string) error {
	_, err := io.WriteString(out, text)
	return err
}

// parse reads names of builds; none is all.
func parse(names []string) ([]build, error) {
	if len(names) == 0 {
		return all, nil
	}
	var builds []build
	for _, name := range names {
		i := slices.IndexFunc(all, func(b build) bool { return b.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("%s is none of the builds %v", name, all)
		}
		builds = append(builds, all[i])
	}
	return builds, nil
}
