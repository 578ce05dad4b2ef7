package jobs

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starlift-etl/starlift/jobs/generate"
)

// insuranceRows makes the tables news and olds of a folder's raw changes: a row
// for each dependent in the new and old images, one where there is none.
const insuranceRows = `
CREATE TEMP TABLE raw AS SELECT row_number() OVER () AS r, eventName AS e, dynamodb AS d
FROM read_json('%s/insurance.ndjson', format = 'newline_delimited', columns = {eventName: 'VARCHAR',
	dynamodb: 'STRUCT(ApproximateCreationDateTime BIGINT, NewImage %[2]s, OldImage %[2]s)'});
CREATE TEMP TABLE news AS SELECT %[3]s FROM (SELECT r, e, d.ApproximateCreationDateTime AS ms, d.NewImage AS i FROM raw) WHERE i IS NOT NULL;
CREATE TEMP TABLE olds AS SELECT %[3]s FROM (SELECT r, e, d.ApproximateCreationDateTime AS ms, d.OldImage AS i FROM raw) WHERE i IS NOT NULL`

const insuranceImage = `STRUCT(pk STRUCT(S VARCHAR), sk STRUCT(S VARCHAR), completionDateTime STRUCT(S VARCHAR), OutofPockPercent STRUCT(N VARCHAR),
	calculationRequirements STRUCT(M STRUCT(dependentIds STRUCT(L STRUCT(M STRUCT(sk STRUCT(S VARCHAR)))[]))),
	Provider STRUCT(S VARCHAR), OutofPockAmount STRUCT(N VARCHAR), OutofPockMax STRUCT(N VARCHAR))`

const insuranceColumns = `r, split_part(i.pk.S, '#', 2) AS customer_id, i.sk.S AS transaction_id,
	unnest(CASE WHEN coalesce(len(i.calculationRequirements.M.dependentIds.L), 0) = 0 THEN [NULL] ELSE i.calculationRequirements.M.dependentIds.L END).M.sk.S AS dependent_id,
	i.OutofPockMax.N::BIGINT AS outofpocket_max, i.OutofPockPercent.N::DECIMAL(5,2) AS outofpocket_percent, i.OutofPockAmount.N::BIGINT AS outofpocket_amount,
	i.Provider.S AS provider, i.completionDateTime.S::TIMESTAMP AS completion_datetime, e AS event_name, make_timestamp(ms * 1000) AS created_at,
	unnest(CASE WHEN coalesce(len(i.calculationRequirements.M.dependentIds.L), 0) = 0 THEN [0] ELSE range(1, len(i.calculationRequirements.M.dependentIds.L) + 1) END)::BIGINT AS position`

// TestInsurance holds a stateless pipeline against an independent query.
func TestInsurance(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]generate.Options{
		"as it comes":  {},
		"shuffled":     {Shuffle: true},
		"bare numbers": {BareNumbers: true},
		"both":         {Shuffle: true, BareNumbers: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pipelineFile(t, dir, "insurance.yaml")
			var raw bytes.Buffer
			options.Seed, options.Records, options.Transactions = 41, 3000, 1500
			stats, err := generate.InsuranceCDC(context.Background(), &raw, options)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "insurance.ndjson"), raw.Bytes())
			fine(t, dir, "run", "insurance.yaml", "--set", "epoch.max_records=700")

			d := openDatabase(t)
			d.exec(fmt.Sprintf(insuranceRows, dir, insuranceImage, insuranceColumns))
			appended := fmt.Sprintf("read_parquet('%s/appended/insurance/*.parquet')", dir)
			changed := fmt.Sprintf("read_parquet('%s/changed/insurance/*.parquet')", dir)
			d.same("appended", "SELECT * FROM "+appended, "SELECT * EXCLUDE (r) FROM news")
			d.same("upserts", "SELECT * EXCLUDE (_op, _version, _position, _epoch) FROM "+changed+" WHERE _op = 'upsert'", "SELECT * EXCLUDE (r) FROM news")
			d.same("deletes", "SELECT transaction_id, position FROM "+changed+" WHERE _op = 'delete'",
				"SELECT transaction_id, position FROM (SELECT r, transaction_id, position FROM olds EXCEPT SELECT r, transaction_id, position FROM news)")
			if got, want := d.number("SELECT count(*) FROM "+appended), stats.RowsAfterOuterUnnest-stats.Events["REMOVE"]; got != want {
				t.Errorf("%d rows appended, the generator says %d", got, want)
			}
			if d.number("SELECT count(*) FROM olds") == 0 {
				t.Error("the data has no old images")
			}
			wantStateless(t, dir, "insurance")
		})
	}
}

// wantStateless looks for keyed state in a pipeline's folder.
func wantStateless(t *testing.T, dir, name string) {
	t.Helper()
	plan := fine(t, dir, "plan", name+".yaml", "--section", "state").out
	if strings.Contains(plan, "keeps state") || !strings.Contains(plan, "no state") {
		t.Errorf("plan:\n%s", plan)
	}
	db, err := pebble.Open(filepath.Join(dir, "data/state", name, "db"), &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte("s"), UpperBound: []byte("t")})
	if err != nil {
		t.Fatal(err)
	}
	if it.First() {
		t.Errorf("there is keyed state: %q", it.Key())
	}
	if err := it.Close(); err != nil {
		t.Error(err)
	}
}

// TestExport reads a full export, and again on top.
func TestExport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipelineFile(t, dir, "shop.yaml")
	stats, err := generate.EcommerceExport(context.Background(), filepath.Join(dir, "export"),
		generate.Options{Seed: 43, Records: 3000, Products: 500, Files: 3})
	if err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "shop.yaml"), "path: changes.ndjson, format: dynamodb_cdc", "path: "+stats.Folder+", format: dynamodb_export, key: [PK, SK]")
	d := openDatabase(t)
	for _, command := range []string{"run", "run", "backfill"} {
		fine(t, dir, command, "shop.yaml", "--set", "epoch.max_records=500")
		d.wantTables(dir, fmt.Sprintf("read_json('%s/data/*.json.gz', format = 'newline_delimited', columns = {Item: '%s'})", stats.Folder, imageColumns))
	}
}
