package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The hidden arguments that make this program a DuckDB process:
//
//	duckdb script NAME INPUT OUTPUT THREADS
//	duckdb compare CASE STARLIFT-OUTPUT DUCKDB-OUTPUT
const (
	duckdbArgument  = "duckdb"
	scriptArgument  = "script"
	compareArgument = "compare"
)

//go:embed sql/*.sql
var scripts embed.FS

func runDuckDB(ctx context.Context, args []string, out io.Writer) error {
	switch {
	case len(args) == 5 && args[0] == scriptArgument:
		return runSQLFile(ctx, args[1], args[2], args[3], args[4])
	case len(args) == 4 && args[0] == compareArgument:
		return compareResults(ctx, args[1], args[2], args[3], out)
	}
	return fmt.Errorf("unexpected arguments of %s: %q", duckdbArgument, args)
}

// placeholder is ${input}, ${beside/FILE}, in the input's folder, or ${output/FILE}
// in a script.
var placeholder = regexp.MustCompile(`\$\{(input|(output|beside)(/[a-z_]+\.[a-z]+))\}`)

// runSQLFile runs an embedded script in memory.
func runSQLFile(ctx context.Context, name, input, output, threads string) error {
	script, err := scripts.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return fmt.Errorf("script: %w", err)
	}
	filled := placeholder.ReplaceAllStringFunc(string(script), func(p string) string {
		if p == "${input}" {
			return quoteText(input)
		}
		part := placeholder.FindStringSubmatch(p)
		if part[2] == "beside" {
			return quoteText(filepath.Dir(input) + part[3])
		}
		return quoteText(output + part[3])
	})
	db, err := openDuckDB(ctx, threads)
	if err != nil {
		return err
	}
	return errors.Join(db.exec(ctx, "SET preserve_insertion_order = false;\n"+filled), db.close())
}

// compareResults counts the rows of both results of a case, and compares their
// contents by a hash of each row, whatever the order. It tells what it found,
// differences too; only results that cannot be read are an error.
func compareResults(ctx context.Context, name, ours, theirs string, out io.Writer) error {
	i := slices.IndexFunc(cases, func(c benchCase) bool { return c.name == name })
	if i < 0 {
		return fmt.Errorf("unknown case %q", name)
	}
	for _, t := range cases[i].tables {
		a, err := summarize(ctx, t.starlift, ours)
		if err != nil {
			return fmt.Errorf("starlift's result: table %s: %w", t.name, err)
		}
		b, err := summarize(ctx, t.duckdb, theirs)
		if err != nil {
			return fmt.Errorf("result of DuckDB: table %s: %w", t.name, err)
		}
		switch {
		case a.rows != b.rows:
			fmt.Fprintf(out, "RESULTS DIFFER: table %s: starlift has %d rows, DuckDB %d\n", t.name, a.rows, b.rows)
		case a != b:
			fmt.Fprintf(out, "RESULTS DIFFER: table %s: %d rows in both, but not the same\n", t.name, a.rows)
		default:
			fmt.Fprintf(out, "results agree: table %s, %d rows\n", t.name, a.rows)
		}
	}
	return nil
}

// summary stands for the rows of a table, in any order.
type summary struct {
	rows int64
	hash string
}

// summarize runs a query over the results in a folder. A warehouse among them
// is attached as result.
func summarize(ctx context.Context, query, output string) (summary, error) {
	db, err := openDuckDB(ctx, "2")
	if err != nil {
		return summary{}, err
	}
	var s summary
	if strings.Contains(query, "result.") {
		err = db.exec(ctx, "ATTACH "+quoteText(output+"/warehouse.duckdb")+" AS result (READ_ONLY)")
	}
	if err == nil {
		query = strings.ReplaceAll(query, "'${output}", "'"+escapeText(output))
		s, err = db.summarize(ctx, "SELECT count(*), coalesce(sum(hash(r)), 0)::VARCHAR FROM ("+query+") r")
	}
	return s, errors.Join(err, db.close())
}

func quoteText(s string) string  { return "'" + escapeText(s) + "'" }
func escapeText(s string) string { return strings.ReplaceAll(s, "'", "''") }
