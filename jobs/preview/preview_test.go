package preview

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/jobs/assembly"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is a pipeline with everything that a preview leaves alone; SOURCE stands for the rest of
// its source.
const shop = `
name: shop
state: {dir: ./state}
dead_letters: {url: ./dead-letters, max_ratio: 0}
sources:
  changes: {SOURCE}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables:
      customer:
        where: {type: [customer]}
        key: [id]
        columns: {id: {from: PK}, name: {mask: true}, age: {type: int64}}
      visit:
        where: {type: [visit]}
        key: [id, at]
        columns: {id: {from: PK}, at: {from: SK}}
  star:
    type: star
    inputs: [items]
    dimensions:
      dim_customer: {from: customer, natural_key: [id], surrogate_key: customer_key, attributes: [name]}
    facts:
      fact_visit: {from: visit, grain: [id, at], dimensions: {customer_key: {dimension: dim_customer, on: {id: id}}}}
sinks:
  lake: {type: parquet, inputs: [items], url: ./lake, mode: changes}
  stars: {type: parquet, inputs: [star], url: ./stars, mode: latest}
`

const fileSource = "type: file, path: changes.ndjson, format: dynamodb_cdc"

// record returns a change of an item.
func record(n int, event, pk, sk, rest string) string {
	image := fmt.Sprintf(`{"PK":{"S":%q},"SK":{"S":%q}%s}`, pk, sk, rest)
	name := "NewImage"
	if event == "REMOVE" {
		name = "OldImage"
	}
	return fmt.Sprintf(`{"eventName":%q,"tableName":"t","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"PK":{"S":%q},"SK":{"S":%q}},%q:%s}}`,
		event, 1_700_000_000_000+n, pk, sk, name, image)
}

func customer(n int, pk, name, age string) string {
	return record(n, "INSERT", pk, "profile", fmt.Sprintf(`,"type":{"S":"customer"},"name":{"S":%q},"age":{"S":%q}`, name, age))
}

func visit(n int, event, pk string) string {
	return record(n, event, pk, fmt.Sprintf("visit%d", n), `,"type":{"S":"visit"}`)
}

// load puts a pipeline and its input into a new working directory.
func load(t *testing.T, source string, records ...string) *assembly.Pipeline {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("shop.yaml", []byte(strings.Replace(shop, "SOURCE", source, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("changes.ndjson", []byte(strings.Join(records, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := assembly.Load("shop.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// run previews, and holds that nothing was written.
func run(t *testing.T, a *assembly.Pipeline, o Options) *Result {
	t.Helper()
	r, err := Run(context.Background(), a, o)
	if err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob("*")
	if err != nil || len(left) != 2 {
		t.Errorf("the preview left files: %v, %v", left, err)
	}
	return r
}

// rows returns the rows of a table as JSON.
func rows(t *testing.T, r *Result, table string) string {
	t.Helper()
	for _, shown := range r.Tables {
		if shown.Name == table {
			text, err := json.Marshal(shown.Rows)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	t.Fatalf("there is no table %s", table)
	return ""
}

// TestPreview: rows of the log with operations, settled ones of the star, masked values hidden
// but for null, and dead letters counted; of files that are followed what is there.
func TestPreview(t *testing.T) {
	input := []string{
		customer(1, "a", "Ann", "41"), customer(2, "b", "Bob", "old"), visit(3, "INSERT", "a"), visit(4, "INSERT", "c"), visit(4, "REMOVE", "c"),
		customer(5, "e", "Eve", "old"), record(6, "INSERT", "x", "y", ""), `{"broken":`,
		record(7, "INSERT", "f", "profile", `,"type":{"S":"customer"}`),
	}
	for _, source := range []string{fileSource, fileSource + ", follow: true"} {
		r := run(t, load(t, source, input...), Options{Rows: 10, Records: 100})
		for table, want := range map[string]string{
			"customer":     `[{"_op":"upsert","id":"a","name":"***","age":"41"},{"_op":"upsert","id":"f","name":null,"age":null}]`,
			"visit":        `[{"_op":"upsert","id":"a","at":"visit3"},{"_op":"upsert","id":"c","at":"visit4"},{"_op":"delete","id":"c","at":"visit4"}]`,
			"fact_visit":   `[{"id":"a","at":"visit3","customer_key":"2"}]`,
			"dim_customer": `[{"customer_key":"0","id":null,"name":null,"is_inferred":"false"},{"customer_key":"1","id":"f","name":null,"is_inferred":"false"},{"customer_key":"2","id":"a","name":"***","is_inferred":"false"}]`,
		} {
			got := rows(t, r, table)
			if table == "dim_customer" || table == "fact_visit" { // surrogate keys have no promised order
				got, want = strings.ReplaceAll(got, `"1"`, `"2"`), strings.ReplaceAll(want, `"1"`, `"2"`)
			}
			if table == "dim_customer" {
				if !strings.Contains(got, `"id":"a","name":"***"`) || !strings.Contains(got, `"id":"f","name":null`) || r.Tables[2].Count != 3 {
					t.Errorf("%s has %s", table, got)
				}
			} else if got != want {
				t.Errorf("%s has\n%s, want\n%s", table, got, want)
			}
		}
		if !r.Complete || r.Records != int64(len(input)) {
			t.Errorf("complete is %v, after %d records", r.Complete, r.Records)
		}
		counts := map[string]int{}
		for _, l := range r.Letters {
			counts[string(l.Reason)] = l.Count
		}
		if want := map[string]int{"bad_value": 2, "unmatched": 1, "bad_record": 1}; fmt.Sprint(counts) != fmt.Sprint(want) {
			t.Errorf("the dead letters are %v, want %v", counts, want)
		}
		var text bytes.Buffer
		if err := r.Text(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"customer (items): 2 rows of all changes\n", "fact_visit (star): 1 row\n", "2 dead letters, bad_value of items: ", "9 records read: all of the input\n"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the text lacks %q:\n%s", want, &text)
			}
		}
		if strings.Contains(text.String(), "Ann") {
			t.Errorf("a masked value is shown:\n%s", &text)
		}
	}
}

// TestPreviewEnds: reading ends when each shown table has rows enough, or after as many records
// as are wanted, whatever comes then.
func TestPreviewEnds(t *testing.T) {
	var input []string
	for i := range 5 * epochRecords {
		input = append(input, visit(i, "INSERT", "a"))
	}
	r := run(t, load(t, fileSource, input...), Options{Tables: []string{"visit"}, Rows: 2, Records: 1e6})
	if r.Complete || r.Records != epochRecords || len(r.Tables) != 1 || len(r.Tables[0].Rows) != 2 || r.Tables[0].Count != epochRecords {
		t.Errorf("enough rows: %d records, complete %v, %d tables with %d of %d rows", r.Records, r.Complete, len(r.Tables), len(r.Tables[0].Rows), r.Tables[0].Count)
	}
	r = run(t, load(t, fileSource, input...), Options{Tables: []string{"items.customer"}, Rows: 2, Records: 7})
	if r.Complete || r.Records != 7 || r.Tables[0].Count != 0 {
		t.Errorf("enough records: %d, complete %v, %d rows", r.Records, r.Complete, r.Tables[0].Count)
	}
	r = run(t, load(t, fileSource, input...), Options{Tables: []string{"customer"}, Rows: 2, Records: 1e6})
	if !r.Complete || r.Records != int64(len(input)) {
		t.Errorf("no rows: %d records, complete %v", r.Records, r.Complete)
	}
}

// TestPreviewOfReference: rows are joined to a reference that is loaded.
func TestPreviewOfReference(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"shop.yaml": `
name: joined
sources:
  changes: {type: file, path: changes.ndjson, format: json, table: t, key: [id]}
transforms:
  items: {type: unnest, inputs: [changes], tables: {visit: {key: [id], columns: {id: {}, country: {}}}}}
  joined: {type: reference_join, inputs: [items], reference: {source: {type: file, path: countries.ndjson}, refresh: 10s, max_staleness: 5m}, on: {country: code}, how: left, columns: [name]}
sinks:
  lake: {type: parquet, inputs: [joined], url: ./lake, mode: latest}
`,
		"changes.ndjson":   `{"id":"1","country":"IT"}` + "\n" + `{"id":"2","country":"XX"}` + "\n",
		"countries.ndjson": `{"code":"IT","name":"Italy"}` + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := assembly.Load("shop.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(context.Background(), a, Options{Tables: []string{"joined.visit"}, Rows: 10, Records: 100})
	if err != nil {
		t.Fatal(err)
	}
	if got := rows(t, r, "visit"); got != `[{"id":"1","country":"IT","name":"Italy"},{"id":"2","country":"XX","name":null}]` {
		t.Errorf("the rows are %s", got)
	}
	if left, err := filepath.Glob("*"); err != nil || len(left) != 3 {
		t.Errorf("the preview left files: %v, %v", left, err)
	}
}

// TestPreviewFails: a value whose column says that the run ends by it, and an interrupt, end the
// preview, and leave nothing behind.
func TestPreviewFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	a := load(t, fileSource, customer(1, "a", "Ann", "41"), customer(2, "b", "Bob", "old"))
	text, err := os.ReadFile("shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	strict := strings.Replace(string(text), "age: {type: int64}", "age: {type: int64, on_error: fail}", 1)
	if err := os.WriteFile("shop.yaml", []byte(strict), 0o600); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(canceled, a, Options{Rows: 10, Records: 100}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if a, err = assembly.Load("shop.yaml", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), a, Options{Rows: 10, Records: 100}); err == nil || !strings.Contains(err.Error(), "column age") || !strings.Contains(err.Error(), "changes.ndjson:2") {
		t.Errorf("on_error: fail: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "*")); err != nil || len(left) > 0 {
		t.Errorf("the preview left files: %v, %v", left, err)
	}
}

// TestPreviewRefuses: an unknown table, and sources of which nothing can be read.
func TestPreviewRefuses(t *testing.T) {
	a := load(t, fileSource)
	if _, err := Run(context.Background(), a, Options{Tables: []string{"visits"}, Rows: 1, Records: 1}); err == nil || !strings.Contains(err.Error(), `--table "visits"`) || !strings.Contains(err.Error(), `did you mean "visit"?`) {
		t.Errorf("an unknown table: %v", err)
	}
	a = load(t, "type: kinesis, stream: changes, format: dynamodb_cdc, region: eu-west-1")
	if _, err := Run(context.Background(), a, Options{Rows: 1, Records: 1}); err == nil || !strings.Contains(err.Error(), `source "changes": it is followed`) {
		t.Errorf("a stream: %v", err)
	}
}
