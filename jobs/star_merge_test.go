package jobs

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/starlift-etl/starlift/jobs/generate"
)

// claims makes claims of a folder's raw changes: of each transaction that is
// not deleted each column's newest value, that is not null, since the last delete.
const claims = `
CREATE TEMP TABLE change AS SELECT dynamodb.Keys.sk.S AS id, dynamodb.ApproximateCreationDateTime AS ts, eventName = 'REMOVE' AS gone,
	dynamodb.NewImage.OutofPockPercent.N::DECIMAL(5,2) AS percent, dynamodb.NewImage.OutofPockAmount.N::BIGINT AS amount, dynamodb.NewImage.Provider.S AS provider
FROM read_json('%s/insurance.ndjson', format = 'newline_delimited', columns = {eventName: 'VARCHAR', dynamodb: 'STRUCT(ApproximateCreationDateTime BIGINT,
	Keys STRUCT(sk STRUCT(S VARCHAR)), NewImage STRUCT(OutofPockPercent STRUCT(N VARCHAR), OutofPockAmount STRUCT(N VARCHAR), Provider STRUCT(S VARCHAR)))'});
CREATE TEMP TABLE claims AS SELECT id, max_by(percent, ts) FILTER (percent IS NOT NULL) AS percent, max_by(amount, ts) FILTER (amount IS NOT NULL) AS amount,
	max_by(provider, ts) FILTER (provider IS NOT NULL) AS provider
FROM change LEFT JOIN (SELECT id, max(ts) AS deleted FROM change WHERE gone GROUP BY id) USING (id)
WHERE NOT gone AND (deleted IS NULL OR ts > deleted) GROUP BY id`

// TestMergeOfInsurance: an older value is never erased by a newer null, whatever
// order the changes come in.
func TestMergeOfInsurance(t *testing.T) {
	t.Parallel()
	random := seed(t)
	dir := t.TempDir()
	pipelineFile(t, dir, "merge.yaml")
	var raw bytes.Buffer
	if _, err := generate.InsuranceCDC(context.Background(), &raw, generate.Options{Seed: random.Uint64(), Records: 3000, Transactions: 600}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "insurance.ndjson"), displaced(raw.Bytes(), 400, random))
	d := openDatabase(t)
	d.exec(fmt.Sprintf(claims, dir))
	for _, command := range []string{"run", "backfill"} {
		fine(t, dir, command, "merge.yaml", "--set", "epoch.max_records=250")
		d.exec("ATTACH '" + filepath.Join(dir, "merge.duckdb") + "' AS w (READ_ONLY)")
		const got = "SELECT transaction_id, percent, amount, provider, share FROM w.%s JOIN w.dim_provider USING (provider_key)"
		const want = "SELECT id, percent, amount, provider, (amount * percent * 0.01)::DECIMAL(12,2) FROM claims"
		d.same("claims", fmt.Sprintf(got, "fact_claim"), want)
		d.same("claims not flagged", fmt.Sprintf(got, "fact_flagged")+" WHERE NOT is_deleted AND deleted_at IS NULL", want)
		d.same("claims flagged", "SELECT transaction_id FROM w.fact_flagged WHERE is_deleted AND deleted_at IS NOT NULL",
			"SELECT id FROM change WHERE id NOT IN (SELECT id FROM claims) GROUP BY id HAVING NOT bool_and(gone)")
		d.exec("DETACH w")
	}
	if d.number("SELECT count(*) FROM change c JOIN claims USING (id) WHERE c.provider IS NULL AND claims.provider IS NOT NULL") == 0 {
		t.Error("no change lacks a provider that the claim has")
	}
}

// TestDeletedRows: on_delete of a table says what its sinks of settled rows see
// of a deleted row, however late the changes before it come.
func TestDeletedRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "p.yaml")
	write(t, file, fmt.Appendf(nil, `
name: deleted
state: {dir: "%[1]s/state"}
dead_letters: {url: "%[1]s/dead-letters", max_ratio: 0}
sources: {changes: {type: file, path: "%[1]s/c*.ndjson", format: json, key: [id], version: {from: at, type: timestamp}, operation: {from: op, delete: [D]}}}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables:
      gone:    {key: [id], columns: {id: {}, v: {}}}
      flagged: {key: [id], columns: {id: {}, v: {}}, on_delete: flag}
      kept:    {key: [id], columns: {id: {}, v: {}}, on_delete: keep}
sinks: {warehouse: {type: duckdb, inputs: [items], dsn: "%[1]s/w.duckdb"}}
`, dir))
	for i, run := range []struct{ records, gone, flagged, kept string }{
		{`{"id": "a", "v": "1", "at": "2024-01-01T00:00:00Z"} {"id": "b", "v": "1", "at": "2024-01-01T00:00:00Z"}`,
			"a|1\nb|1\n", "a|1|false|<nil>\nb|1|false|<nil>\n", "a|1\nb|1\n"},
		{`{"id": "a", "op": "D", "at": "2024-01-05T00:00:00Z"}`,
			"b|1\n", "a|1|true|2024-01-05 00:00:00\nb|1|false|<nil>\n", "a|1\nb|1\n"},
		{`{"id": "a", "v": "2", "at": "2024-01-03T00:00:00Z"}`, // late, and the last before the delete
			"b|1\n", "a|2|true|2024-01-05 00:00:00\nb|1|false|<nil>\n", "a|2\nb|1\n"},
		{`{"id": "a", "v": "3", "at": "2024-01-07T00:00:00Z"}`,
			"a|3\nb|1\n", "a|3|false|<nil>\nb|1|false|<nil>\n", "a|3\nb|1\n"},
	} {
		write(t, filepath.Join(dir, fmt.Sprintf("c%d.ndjson", i)), []byte(run.records))
		command("run", file).want(t, exitFine)
		d := openDatabase(t)
		d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
		for table, want := range map[string]string{"gone": run.gone, "flagged": run.flagged, "kept": run.kept} {
			columns := "*"
			if table == "flagged" {
				columns = "* REPLACE (deleted_at::VARCHAR AS deleted_at)"
			}
			if got := d.rows("SELECT " + columns + " FROM w." + table + " ORDER BY id"); got != want {
				t.Errorf("after run %d %s holds\n%swant\n%s", i+1, table, got, want)
			}
		}
		d.exec("DETACH w")
	}
}
