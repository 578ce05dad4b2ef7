package jobs

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// repairPipeline settles deals by each policy, and gives them a star.
const repairPipeline = `name: NAME
epoch: {interval: 100ms}
state: {dir: NAME}
dead_letters: {url: dead, max_ratio: 0}
http: {listen: 127.0.0.1:0}
sources:
  shop: {SOURCE}
transforms:
  items:
    type: unnest
    inputs: [shop]
    tables:
      deal: {key: [id], columns: &columns {id: {}, party: {}, town: {}, amount: {type: int64}}}
      flagged: {key: [id], columns: *columns, on_delete: flag}
      born: {key: [id], columns: *columns, keep: first}
      by_party: {key: [party], columns: *columns}
  star:
    type: star
    inputs: [items]
    dimensions:
      dim_party: {from: deal, natural_key: [party], surrogate_key: party_key, attributes: [town], keys: hash, on_delete: delete}
    facts:
      fact_deal: &fact
        from: deal
        grain: [id]
        dimensions: {party_key: {dimension: dim_party, on: {party: party}}}
        measures: {amount: amount, town: town}
      fact_flagged: {<<: *fact, on_delete: flag}
      fact_merged: {<<: *fact, merge: latest_non_null}
sinks:
  warehouse: {type: postgres, inputs: [star, items], dsn: "${DSN}", schema: "SCHEMA"}
`

// repairRig is a table of a fake whose stream loses changes, and its pipelines.
type repairRig struct {
	t      *testing.T
	fake   *dynamodbtest.Server
	random *rand.Rand
	dir    string
	env    []string
	pg     *pgDatabase
	d      *database
}

func newRepairRig(t *testing.T) *repairRig {
	t.Helper()
	objects := awstest.S3(t)
	if _, err := s3Client(objects).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("exports")}); err != nil {
		t.Fatal(err)
	}
	// What the clock is advanced by brings it to now.
	fake := dynamodbtest.New(t, dynamodbtest.Options{
		Now:     func() time.Time { return time.Now().Add(-tableAge - repairLost) },
		Exports: dynamodbtest.ExportOptions{Endpoint: objects.Endpoint},
	})
	r := &repairRig{t: t, fake: fake, random: seed(t), dir: t.TempDir(), pg: openPostgres(t), d: openDatabase(t)}
	r.env = append(awstest.Environ(), "DSN="+pgtest.DSN(t), "AWS_ENDPOINT_URL_DYNAMODB="+fake.Endpoint,
		"AWS_ENDPOINT_URL_DYNAMODB_STREAMS="+fake.Endpoint, "AWS_ENDPOINT_URL_S3="+objects.Endpoint)
	r.must(fake.Create(dynamodbtest.Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES", Recovery: true}))
	return r
}

// repairLost is longer than a stream keeps records.
const repairLost = 25 * time.Hour

func (r *repairRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// write changes some deals, each with few parties and towns, and with values missing; a third are deletes.
func (r *repairRig) write(n int) {
	r.t.Helper()
	for range n {
		id := dynamodbtest.S(fmt.Sprintf("d%02d", r.random.IntN(40)))
		if r.random.IntN(3) == 0 {
			r.must(r.fake.Delete("shop", dynamodbtest.Item{"id": id}))
			continue
		}
		item := dynamodbtest.Item{"id": id, "party": dynamodbtest.S(fmt.Sprintf("p%d", r.random.IntN(8)))}
		if r.random.IntN(2) == 0 {
			item["town"] = dynamodbtest.S(fmt.Sprintf("t%d", r.random.IntN(4)))
		}
		if r.random.IntN(2) == 0 {
			item["amount"] = dynamodbtest.N(strconv.Itoa(r.random.IntN(1000)))
		}
		r.must(r.fake.Put("shop", item))
	}
}

// pipeline writes a pipeline of the table into a schema of its own.
func (r *repairRig) pipeline(name, source string) (schema string) {
	r.t.Helper()
	schema = pgtest.Schema()
	text := strings.NewReplacer("NAME", name, "SOURCE", source, "SCHEMA", schema).Replace(repairPipeline)
	write(r.t, filepath.Join(r.dir, name+".yaml"), []byte(text))
	return schema
}

// table returns what the table has, as the warehouse shows it.
func (r *repairRig) table() (rows []string) {
	r.t.Helper()
	items, err := r.fake.Items("shop")
	r.must(err)
	for _, item := range items {
		rows = append(rows, item["id"].Text+"|"+item["party"].Text+"|"+item["town"].Text+"|"+item["amount"].Text)
	}
	slices.Sort(rows)
	return rows
}

// follow runs a pipeline until the warehouse has what the table has.
func (r *repairRig) follow(name, schema string) {
	r.t.Helper()
	p := start(r.t, r.dir, r.env, "run", name+".yaml")
	get := p.http(r.t)
	wait(r.t, p, func() bool { return get("/readyz") == "ok\n" })
	want := strings.Join(r.table(), "\n")
	deadline := time.Now().Add(time.Minute)
	got := ""
	wait(r.t, p, func() bool {
		got = strings.Join(r.pg.rows("SELECT id, party, coalesce(town, ''), coalesce(amount::text, '') FROM "+schema+".deal ORDER BY id"), "\n")
		return got == want || time.Now().After(deadline)
	})
	if got != want {
		r.t.Errorf("%s has\n%s\nwant\n%s", name, got, want)
	}
	p.signal(r.t, syscall.SIGTERM)
	p.result().want(r.t, exitFine)
}

// copy copies a schema into the test's database.
func (r *repairRig) copy(schema, into string) {
	r.t.Helper()
	r.d.exec("ATTACH ':memory:' AS " + into)
	copyTables(r.t, r.d, r.pg, schema, into)
}

// anew reads the table by a pipeline that has seen nothing before.
func (r *repairRig) anew(name string) {
	r.t.Helper()
	schema := r.pipeline(name, "type: dynamodb_scan, table: shop")
	start(r.t, r.dir, r.env, "run", name+".yaml").result().want(r.t, exitFine)
	r.copy(schema, name)
}

// TestRepairOfPolicies: after a gap and its repair, settled rows and a star are those of a pipeline that reads the
// table anew. Beyond that, rows are flagged with the snapshot's time that are not in it, first rows stay as they
// were of items that are in both, and merged ones show the values that they had before where the table has none.
func TestRepairOfPolicies(t *testing.T) {
	t.Parallel()
	r := newRepairRig(t)
	r.write(120)
	r.fake.Advance(tableAge)
	schema := r.pipeline("repaired", "type: dynamodb, table: shop, bootstrap: {type: export, url: s3://exports/shop, request: true}, stream: {type: dynamodb_streams}")
	r.follow("repaired", schema)
	r.copy(schema, "before")

	r.write(150)
	r.fake.Advance(repairLost)
	start(t, r.dir, r.env, "run", "repaired.yaml").result().want(t, exitGap)
	began := r.fake.Now()
	start(t, r.dir, r.env, "backfill", "repaired.yaml", "--repair").result().want(t, exitFine)
	r.copy(schema, "repaired")
	r.anew("anew")
	r.wantRepaired(began, r.fake.Now())

	r.write(60)
	r.follow("repaired", schema)
	r.copy(schema, "later")
	r.anew("anew2")
	for _, query := range []string{"FROM %s.deal", "FROM %s.fact_deal", "SELECT * EXCLUDE (is_deleted, deleted_at) FROM %s.flagged WHERE NOT is_deleted"} {
		r.same("later", "anew2", query)
	}
}

// same holds what a query finds in one catalog against what it finds in another.
func (r *repairRig) same(got, want, query string) {
	r.t.Helper()
	r.d.same(got+": "+query, fmt.Sprintf(query, got), fmt.Sprintf(query, want))
}

// wantRepaired holds the repaired tables against those that were read anew, and those before the gap.
func (r *repairRig) wantRepaired(began, ended time.Time) {
	r.t.Helper()
	d := r.d
	for _, table := range []string{"deal", "by_party", "fact_deal"} {
		r.same("repaired", "anew", "FROM %s."+table)
	}
	r.same("repaired", "anew", "FROM %s.dim_party WHERE NOT is_inferred") // flagged facts have parties that are gone
	for _, table := range []string{"flagged", "fact_flagged"} {
		r.same("repaired", "anew", "SELECT * EXCLUDE (is_deleted, deleted_at) FROM %s."+table+" WHERE NOT is_deleted")
		d.same("what is flagged in "+table, "SELECT id FROM repaired."+table+" WHERE is_deleted",
			"SELECT id FROM before."+table+" WHERE id NOT IN (SELECT id FROM anew.deal)")
		removed := d.rows("SELECT count(DISTINCT deleted_at), min(epoch_us(deleted_at)) FROM repaired." + table +
			" WHERE is_deleted AND id IN (SELECT id FROM before.deal)")
		var n, at int64
		if _, err := fmt.Sscanf(removed, "%d|%d", &n, &at); err != nil {
			r.t.Fatal(removed, err)
		}
		version := time.UnixMicro(at).Add(5 * time.Minute)
		if n != 1 || version.Before(began.Add(-10*time.Minute)) || version.After(ended) {
			r.t.Errorf("%s: what the snapshot does not have was deleted at %d times, the first by an export of %v; the repair was from %v to %v", table, n, version, began, ended)
		}
	}
	d.same("first rows", "FROM repaired.born", `SELECT * FROM before.born SEMI JOIN anew.deal USING (id)
		UNION ALL SELECT * FROM anew.born ANTI JOIN before.deal USING (id)`)
	d.same("merged rows", "SELECT id, party_key, amount, town FROM repaired.fact_merged", `SELECT id, n.party_key, coalesce(n.amount, b.amount), coalesce(n.town, b.town)
		FROM anew.fact_merged n LEFT JOIN before.fact_merged b USING (id)`)
	for what, query := range map[string]string{
		"item that the repair removed":                "SELECT count(*) FROM before.deal ANTI JOIN anew.deal USING (id)",
		"item that is new":                            "SELECT count(*) FROM anew.deal ANTI JOIN before.deal USING (id)",
		"merged value that only the rows before have": "SELECT count(*) FROM anew.fact_merged n JOIN before.fact_merged b USING (id) WHERE n.amount IS NULL AND b.amount IS NOT NULL",
	} {
		if d.number(query) == 0 {
			r.t.Errorf("there is no %s", what)
		}
	}
}
