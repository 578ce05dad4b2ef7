package generate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// request is one run of the command.
type request struct {
	options    Options
	form       string
	out, truth string
	destination
}

// form is one shape in which a kind comes.
type form struct {
	name string
	// flags are those, besides the common ones, that this form uses.
	flags []string
	// timed says that its records have times of --rate.
	timed bool
	run   func(ctx context.Context, r *request, stdout io.Writer) (Stats, error)
}

// kind is a sort of sample data; its first form is the default.
type kind struct {
	name, short, long, example string
	records                    string   // the defaults of --records, in words
	keys                       []string // the attributes of an item's primary key
	forms                      []form
}

var kinds = []kind{
	{
		name: "ecommerce", short: "customers, orders and order lines of a DynamoDB single table",
		long: "cdc is a stream of changes as DynamoDB delivers it through Kinesis, with repeated and late records; " +
			"export a full export with manifests, below the folder --out; json plain items. " +
			"A stream with --base N goes on from the export or items of the same seed with --records N; " +
			"with --live N the table grows to N items or so and stays there, for as long as there are changes.",
		example: `  starlift generate ecommerce --records 5000 --out changes.ndjson --truth items.ndjson
  starlift generate ecommerce --form export --records 5000 --out export
  starlift generate ecommerce --base 5000 --records 1000 --micros --out changes.ndjson.gz
  starlift generate ecommerce --live 30000 --rate 5000 --micros --records 9000000 --out changes.ndjson.gz
  starlift generate ecommerce --live 5000 --rate 200 --to kinesis://shop-cdc --truth items.ndjson
  starlift generate ecommerce --records 5000 --to dynamodb://shop --create`,
		records: "500000 changes or 1500000 items", keys: []string{"PK", "SK"},
		forms: []form{
			{name: "cdc", flags: withSending("table", "shuffle", "products", "base", "live", "truth", "duplicates", "late", "window", "rate", "micros"), timed: true, run: runChanges},
			{name: "export", flags: []string{"table", "shuffle", "products", "files"}, run: toFolder(EcommerceExport)},
			{name: "json", flags: withSending("shuffle", "products"), run: toStream(EcommerceItems)},
		},
	},
	{
		name: "insurance", short: "insurance transactions with a list of dependents",
		long: "cdc is a stream of changes as DynamoDB delivers it through Kinesis; export a full export with manifests, below the folder --out; " +
			"json plain items. The list may be empty, absent, or under an absent parent.",
		example: `  starlift generate insurance --records 1000 --out insurance.ndjson
  starlift generate insurance --form json --records 1000 --out insurance.ndjson.gz
  starlift generate insurance --shuffle --bare-numbers | head -n 1`,
		records: "500000 changes or 1500000 items", keys: []string{"pk", "sk"},
		forms: []form{
			{name: "cdc", flags: withSending("table", "shuffle", "transactions", "bare-numbers"), run: toStream(InsuranceCDC)},
			{name: "export", flags: []string{"table", "shuffle", "bare-numbers", "files"}, run: toFolder(InsuranceExport)},
			{name: "json", flags: withSending("shuffle"), run: toStream(InsuranceItems)},
		},
	},
	{
		name: "sales", short: "flat sales as a hand-made feed sends them",
		long:    "Keys repeat, numbers are text, dates look like 1/4/10, and some times have months past 12.",
		example: `  starlift generate sales --records 1000 --out sales.ndjson`,
		records: "1000000", keys: []string{saleKey},
		forms: []form{{name: "json", flags: withSending("keys"), run: toStream(Sales)}},
	},
	{
		name: "countries", short: "the country table that sales are joined to",
		long: "Four countries, one of which goes by another name than sales give it; more are made up with --records.",
		example: `  starlift generate countries --out countries.ndjson
  starlift generate countries --updated --out countries.ndjson`,
		records: "4", keys: []string{"code"},
		forms: []form{{name: "json", flags: withSending("updated"), run: toStream(Countries)}},
	},
}

// Command returns `generate`. Errors that a change of the arguments mends wrap
// ErrUsage.
func Command() *cobra.Command {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	cmd := &cobra.Command{
		Use:   "generate KIND",
		Short: "Make sample data: the same seed gives the same bytes",
		Long: "Make sample data: the same seed gives the same bytes everywhere.\n\n" +
			"Without --out the records go to standard output and the figures of what was written to standard error; " +
			"with it the figures go to standard output.\n\n" +
			"With --to kinesis://STREAM each record goes to a stream, with one partition key for each item, and with --to dynamodb://TABLE " +
			"each change is made in a table: what a stream of the table then has. Each item's records keep their order; what was refused is sent again. " +
			"An answer that is lost is a request that is made again, so that a stream may have records twice. " +
			"The credentials are those of the AWS SDK's usual chain. Ctrl-C ends it, and the figures say how much was sent.",
		Example: "  starlift generate ecommerce --records 5000 --out changes.ndjson --truth items.ndjson\n" +
			"  starlift generate insurance --records 1000 --out insurance.ndjson.gz\n" +
			"  starlift generate sales --rate 100 --to kinesis://sales --create",
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%w: want a kind: %s", ErrUsage, strings.Join(names, ", "))
			}
			return fmt.Errorf("%w: unknown kind %q: want one of %s", ErrUsage, args[0], strings.Join(names, ", "))
		},
	}
	for i := range kinds {
		cmd.AddCommand(kinds[i].command())
	}
	return cmd
}

func (k *kind) command() *cobra.Command {
	var r request
	var forms []string
	for _, f := range k.forms {
		forms = append(forms, f.name)
	}
	cmd := &cobra.Command{
		Use: k.name, Short: k.short, Long: k.long, Example: k.example,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%w: unexpected argument %q: the output is named by --out", ErrUsage, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return k.run(cmd, &r) },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", ErrUsage, FlagMistake(err)) })
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	flags := cmd.Flags()
	flags.StringVar(&r.form, "form", forms[0], strings.Join(forms, ", "))
	if err := cmd.RegisterFlagCompletionFunc("form", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was defined just above
	}
	flags.IntVar(&r.options.Records, "records", 0, "how many lines to write, with those that are sent twice (default "+k.records+")")
	flags.Uint64Var(&r.options.Seed, "seed", 1, "what names the data: the same seed and flags give the same bytes")
	flags.StringVar(&r.out, "out", "", "the file to write, compressed if it ends in .gz, or the folder of an export (default standard output)")
	all := r.flags()
	for _, f := range k.forms {
		for _, name := range f.flags {
			if flags.Lookup(name) == nil {
				flags.AddFlag(all.Lookup(name))
			}
		}
	}
	return cmd
}

// flags defines every flag that some kind has and others have not.
func (r *request) flags() *pflag.FlagSet {
	o := &r.options
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	all.StringVar(&o.Table, "table", "", "the DynamoDB table's name (default the kind)")
	all.BoolVar(&o.Shuffle, "shuffle", false, "put the attributes of each item in random order")
	all.IntVar(&o.Products, "products", 10_000, "products in the catalogue")
	all.IntVar(&o.Base, "base", 0, "cdc: items that the table holds before the first change")
	all.IntVar(&o.Live, "live", 0, "cdc: items around which the table stays (default it grows for ever)")
	all.StringVar(&r.truth, "truth", "", "cdc: the file for the items left after the last change")
	all.Float64Var(&o.Duplicates, "duplicates", 0.01, "cdc: share of changes sent twice, 0 to 1")
	all.Float64Var(&o.Late, "late", 0.01, "cdc: share of changes that come late, 0 to 1")
	all.IntVar(&o.Window, "window", 50, "cdc: how many records later those come, at most")
	all.IntVar(&o.Rate, "rate", 500, "cdc of ecommerce: changes per second of the stream's own time; above 1000 without --micros, changes of one key may bear the same time. With --to, where it is given: how many records are sent a second")
	all.BoolVar(&o.Micros, "micros", false, "cdc: times in microseconds instead of milliseconds")
	all.IntVar(&o.Files, "files", 8, "export: data files")
	all.IntVar(&o.Transactions, "transactions", 0, "cdc: different transactions (default four fifths of --records)")
	all.BoolVar(&o.BareNumbers, "bare-numbers", false, `write {"N": 5} instead of {"N": "5"}`)
	all.IntVar(&o.Keys, "keys", 1_000_000, "the key is drawn from so many, and repeats")
	r.addFlags(all)
	all.BoolVar(&o.Updated, "updated", false, "the table as it is after a change")
	return all
}

// run checks the flags against the form, runs it and prints the figures.
func (k *kind) run(cmd *cobra.Command, r *request) error {
	var chosen *form
	var names []string
	for i := range k.forms {
		names = append(names, k.forms[i].name)
		if k.forms[i].name == r.form {
			chosen = &k.forms[i]
		}
	}
	if chosen == nil {
		return fmt.Errorf("%w: unknown form %q of %s: want %s", ErrUsage, r.form, k.name, strings.Join(names, ", "))
	}
	// The defaults are the form's own; what is out of bounds is so for all of them, and is
	// found before a file or a stream is made.
	_, bounds := r.options.withDefaults(1, k.name)
	if err := errors.Join(chosen.check(cmd.Flags(), k.name), r.checkSending(cmd.Flags(), chosen, k.name), bounds); err != nil {
		return err
	}
	var stats Stats
	var err error
	if r.to != "" {
		stats, err = k.send(cmd, r, chosen)
	} else {
		stats, err = chosen.run(cmd.Context(), r, cmd.OutOrStdout())
	}
	if err != nil {
		return err
	}
	figures := cmd.ErrOrStderr()
	if r.out != "" || r.to != "" {
		figures = cmd.OutOrStdout()
	}
	line, err := json.Marshal(stats)
	if err != nil {
		return fmt.Errorf("figures: %w", err)
	}
	_, err = fmt.Fprintf(figures, "%s\n", line)
	return err
}

// FlagMistake says of an error of a flag what its value has to be.
func FlagMistake(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	want := "a value of another kind"
	switch bad.GetFlag().Value.Type() {
	case "int", "int64":
		want = "a whole number"
	case "uint64":
		want = "a whole number from 0 on"
	case "float64":
		want = "a number"
	case "bool":
		want = "true or false"
	}
	if errors.Is(err, strconv.ErrRange) {
		want += " that is not as large"
	}
	return fmt.Errorf("--%s %q: want %s", bad.GetFlag().Name, bad.GetValue(), want)
}

// check refuses flags that the form has no use for, and numbers of 0, which
// would stand for the default.
func (f *form) check(flags *pflag.FlagSet, kind string) error {
	var errs []error
	special := new(request).flags()
	flags.Visit(func(given *pflag.Flag) {
		own := special.Lookup(given.Name) != nil
		if own && !slices.Contains(f.flags, given.Name) {
			errs = append(errs, fmt.Errorf("%w: --%s has no meaning for %s --form %s", ErrUsage, given.Name, kind, f.name))
			return
		}
		if (own || given.Name == "records") && given.Name != "base" && given.Value.Type() == "int" && given.Value.String() == "0" {
			errs = append(errs, fmt.Errorf("%w: --%s must be at least 1", ErrUsage, given.Name))
		}
	})
	return errors.Join(errs...)
}

func toStream(generate func(context.Context, io.Writer, Options) (Stats, error)) func(context.Context, *request, io.Writer) (Stats, error) {
	return func(ctx context.Context, r *request, stdout io.Writer) (stats Stats, err error) {
		err = writeTo(r.out, stdout, func(w io.Writer) error {
			stats, err = generate(ctx, w, r.options)
			return err
		})
		return stats, err
	}
}

func runChanges(ctx context.Context, r *request, stdout io.Writer) (stats Stats, err error) {
	err = writeTo(r.out, stdout, func(w io.Writer) error {
		if r.truth == "" {
			stats, err = EcommerceCDC(ctx, w, nil, r.options)
			return err
		}
		return writeTo(r.truth, nil, func(truth io.Writer) error {
			stats, err = EcommerceCDC(ctx, w, truth, r.options)
			return err
		})
	})
	return stats, err
}

func toFolder(generate func(context.Context, string, Options) (Stats, error)) func(context.Context, *request, io.Writer) (Stats, error) {
	return func(ctx context.Context, r *request, _ io.Writer) (Stats, error) {
		if r.out == "" {
			return Stats{}, fmt.Errorf("%w: an export is a folder: name it with --out", ErrUsage)
		}
		return generate(ctx, r.out, r.options)
	}
}

// writeTo writes the named file, or to stdout without a name. The file has its
// name only once it is whole, and is compressed if the name ends in .gz.
func writeTo(name string, stdout io.Writer, write func(io.Writer) error) error {
	if name == "" {
		return write(stdout)
	}
	partial := name + ".partial"
	file, err := os.Create(partial)
	if err != nil {
		return fmt.Errorf("output file: %w", err)
	}
	if strings.HasSuffix(name, ".gz") {
		err = compress(file, write)
	} else {
		err = write(file)
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(partial, name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("output file: %w", err), os.Remove(partial))
	}
	return nil
}

func compress(file io.Writer, write func(io.Writer) error) error {
	buffered := bufio.NewWriterSize(file, blockBytes)
	zip := gzip.NewWriter(buffered)
	if err := write(zip); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("output file: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("output file: %w", err)
	}
	return nil
}
