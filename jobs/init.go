package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/draft"
	"github.com/starlift-etl/starlift/jobs/usage"
)

// draftRecords is the number of records that a draft is made of.
const draftRecords = 10_000

func (s *cli) initCommand() *cobra.Command {
	var from, out, name string
	var records int
	var force bool
	cmd := &cobra.Command{
		Use:   "init --from FILE",
		Short: "Draft a pipeline file from a sample of records",
		Long: "Init reads the first records of each file of a path, a folder or a glob, and writes a pipeline file that turns them into\n" +
			"tables: one for each kind of item, by an attribute that says what an item is, or else by the constants of its keys, and one\n" +
			"for each list of maps and each map whose names are data. Comments say how often a value is there, and what was guessed.\n" +
			"The records may be changes as DynamoDB delivers them, an export or its data files, the output of aws dynamodb scan, or\n" +
			"plain JSON, compressed or not: it finds out. The draft goes to standard output, or to --out FILE, which is not overwritten\n" +
			"without --force.",
		Example: "  starlift init --from changes.ndjson.gz --out shop.yaml && starlift preview shop.yaml\n" +
			"  aws dynamodb scan --table-name shop --max-items 5000 > scan.json && starlift init --from scan.json",
		Args: exactly(0, "no arguments but --from FILE"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case from == "":
				return usage.Wrap(errors.New("--from is missing: name a file, a folder or a glob of records"))
			case from == "-":
				return usage.Wrap(errors.New("--from -: standard input can't be read, since the pipeline reads the records again: write them to a file, and name it"))
			case records < 1:
				return usage.Wrap(fmt.Errorf("--sample %d: want a number of records from 1", records))
			}
			ctx, release := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer release()
			text, err := makeDraft(ctx, from, records, draft.Options{Name: name, DuckDB: assembly.DuckDBVersion() != ""})
			if ctx.Err() != nil {
				return errors.New("init: interrupted")
			}
			if err != nil {
				return fmt.Errorf("init: %w", err)
			}
			if out == "" {
				_, err = s.out.Write(text)
				return err
			}
			return s.writeDraft(out, text, force)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the records: a file, a folder or a glob, on disk or in S3")
	cmd.Flags().StringVar(&out, "out", "", "the pipeline file to write; standard output without it")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite the file of --out")
	cmd.Flags().IntVar(&records, "sample", draftRecords, "the number of records to look at, at most")
	cmd.Flags().StringVar(&name, "name", "", "the pipeline's name; by default that of the input")
	offer(cmd, "sample", oneOf())
	offer(cmd, "name", oneOf())
	return cmd
}

func makeDraft(ctx context.Context, from string, records int, o draft.Options) ([]byte, error) {
	sample, err := draft.Read(ctx, from, records)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = draft.Write(&b, sample, o)
	return b.Bytes(), err
}

// writeDraft writes a new file.
func (s *cli) writeDraft(path string, text []byte, force bool) (err error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usage.Wrap(fmt.Errorf("--out %s: the file is there already: --force overwrites it", path))
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("--out %s: %w", path, err)
	}
	_, err = fmt.Fprintf(s.err, "%s is written; see its rows by: starlift preview %s\n", path, shellQuote(path))
	return err
}
