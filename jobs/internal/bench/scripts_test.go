//go:build cgo

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/jobs/generate"
)

// TestScriptsGiveKnownRows runs each script on a small input and holds the
// number of rows against the generator's figures.
func TestScriptsGiveKnownRows(t *testing.T) {
	dir := t.TempDir()
	options := generate.Options{Seed: 1, Records: 3000, Duplicates: .02, Late: .02}
	var insurance, shop generate.Stats
	shopFile := writeInput(t, filepath.Join(dir, "shop's.ndjson"), func(w io.Writer) (err error) {
		shop, err = generate.EcommerceCDC(t.Context(), w, io.Discard, options)
		return err
	})
	insuranceFile := writeInput(t, filepath.Join(dir, "insurance.ndjson"), func(w io.Writer) (err error) {
		insurance, err = generate.InsuranceCDC(t.Context(), w, options)
		return err
	})
	salesFile := writeInput(t, filepath.Join(dir, "sales.ndjson"), func(w io.Writer) error {
		_, err := generate.Sales(t.Context(), w, options)
		return err
	})
	writeInput(t, filepath.Join(dir, "countries.ndjson"), func(w io.Writer) error {
		_, err := generate.Countries(t.Context(), w, generate.Options{Records: 250})
		return err
	})
	data, err := os.ReadFile(shopFile)
	if err != nil {
		t.Fatal(err)
	}
	removals := int64(bytes.Count(data, []byte(`"eventName":"REMOVE"`)))
	tests := map[string]struct {
		input string
		rows  int64
	}{
		"insurance": {insuranceFile, insurance.RowsAfterOuterUnnest - insurance.Events["REMOVE"]},
		"cdc":       {shopFile, shop.Records - removals},
		"changes":   {shopFile, shop.Records},
		"latest":    {shopFile, shop.TruthItems},
		"sales":     {salesFile, int64(options.Records)},
	}
	for _, c := range cases {
		want, ok := tests[c.name]
		if !ok {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			out := t.TempDir()
			if err := runDuckDB(t.Context(), []string{scriptArgument, c.script, want.input, out, "2"}, io.Discard); err != nil {
				t.Fatal(err)
			}
			var rows int64
			for _, table := range c.tables {
				s, err := summarize(t.Context(), table.duckdb, out)
				if err != nil {
					t.Fatal(err)
				}
				if s.rows == 0 {
					t.Errorf("table %s is empty", table.name)
				}
				rows += s.rows
			}
			if rows != want.rows {
				t.Errorf("%d rows, want %d", rows, want.rows)
			}
		})
	}
}

// TestStarScript: each line is a fact and finds its customer, address and
// product, and each member is there once.
func TestStarScript(t *testing.T) {
	stats, err := generate.EcommerceExport(t.Context(), filepath.Join(t.TempDir(), "it's"), generate.Options{Seed: 1, Records: 3000, Products: 100, Files: 2})
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := runDuckDB(t.Context(), []string{scriptArgument, "star", stats.Folder, out, "2"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{
		"dim_customer": stats.Items["customer"] + 1, "dim_date": 26*365 + 6 + 1, "fact_order": stats.Items["product"],
	} {
		i := slices.IndexFunc(starTables, func(t table) bool { return t.name == name })
		s, err := summarize(t.Context(), starTables[i].duckdb, out)
		if err != nil {
			t.Fatal(err)
		}
		if s.rows != want {
			t.Errorf("%s: %d rows, want %d", name, s.rows, want)
		}
	}
	for what, query := range map[string]string{
		"members of address": "SELECT DISTINCT buildingnumber, postcode FROM result.dim_address",
		"members of product": "SELECT DISTINCT productid FROM result.dim_product",
		"keys of address":    "SELECT DISTINCT address_key FROM result.dim_address",
	} {
		distinct, err := summarize(t.Context(), query, out)
		if err != nil {
			t.Fatal(err)
		}
		all, err := summarize(t.Context(), strings.Replace(query, "DISTINCT", "ALL", 1), out)
		if err != nil {
			t.Fatal(err)
		}
		if distinct.rows != all.rows || all.rows < 2 {
			t.Errorf("%s: %d of %d differ", what, distinct.rows, all.rows)
		}
	}
	unknown, err := summarize(t.Context(), "SELECT 1 FROM result.fact_order WHERE 0 IN (customer_key, address_key, product_key, date_key)", out)
	if err != nil || unknown.rows != 0 {
		t.Errorf("%d facts without a member, %v", unknown.rows, err)
	}
}

// TestExportInput: an export that is not complete counts as missing.
func TestExportInput(t *testing.T) {
	b, c := &bench{dir: t.TempDir(), records: 10}, benchCase{kind: "ecommerce", export: true, times: 3}
	if _, err := b.findInput(c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no export: %v", err)
	}
	stats, err := generate.EcommerceExport(t.Context(), b.inputPath(c), generate.Options{Seed: 1, Records: 30, Files: 2})
	if err != nil {
		t.Fatal(err)
	}
	if folder, err := b.findInput(c); err != nil || folder != stats.Folder {
		t.Errorf("found %q, %v; want %q", folder, err, stats.Folder)
	}
	if size, err := inputSize(stats.Folder); err != nil || size < 1000 {
		t.Errorf("%d bytes, %v", size, err)
	}
	if err := os.Remove(filepath.Join(stats.Folder, "manifest-summary.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.findInput(c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an export without its last manifest: %v", err)
	}
}

func writeInput(t *testing.T, name string, write func(io.Writer) error) string {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := write(f); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestCompare: the same rows in another order and cut into files agree; a row
// more, or another value, does not.
func TestCompare(t *testing.T) {
	dir := t.TempDir()
	columns := "'c' customer_id, 't' transaction_id, i::VARCHAR dependent_id, 1 outofpocket_max, 1.5::DECIMAL(5,2) outofpocket_percent, 2 outofpocket_amount, " +
		"'p' provider, TIMESTAMP '2022-07-08' completion_datetime, 'INSERT' event_name, TIMESTAMP '2022-07-08' created_at"
	write := func(name, rows string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		execSQL(t, "COPY (SELECT "+columns+" FROM "+rows+") TO "+quoteText(filepath.Join(dir, name))+" (FORMAT parquet)")
	}
	write("duckdb/insurance.parquet", "range(10) r(i)")
	write("same/lake/insurance/a.parquet", "(SELECT i FROM range(4, 10) r(i) ORDER BY i DESC)")
	write("same/lake/insurance/b.parquet", "range(4) r(i)")
	write("more/lake/insurance/a.parquet", "range(11) r(i)")
	write("other/lake/insurance/a.parquet", "range(1, 11) r(i)")
	for folder, want := range map[string]string{
		"same":  "results agree: table insurance, 10 rows\n",
		"more":  "RESULTS DIFFER: table insurance: starlift has 11 rows, DuckDB 10\n",
		"other": "RESULTS DIFFER: table insurance: 10 rows in both, but not the same\n",
		"none":  "",
	} {
		var out bytes.Buffer
		err := runDuckDB(t.Context(), []string{compareArgument, "insurance", filepath.Join(dir, folder), filepath.Join(dir, "duckdb")}, &out)
		if out.String() != want || (err != nil) != (want == "") {
			t.Errorf("%s: error %v, said %q, want %q", folder, err, out.String(), want)
		}
	}
}

func execSQL(t *testing.T, script string) {
	t.Helper()
	db, err := openDuckDB(context.Background(), "1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.close()
	if err := db.exec(context.Background(), script); err != nil {
		t.Fatal(err)
	}
}
