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
