package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A scenario is records in the order in which they were made, and the star that
// they give in whatever order they arrive.
type scenario struct {
	records  []string
	facts    string // orderid|product|username|inferred|country|date|price, each fact
	inferred string // customers known by their natural key only, which facts refer to
}

var scenarios = map[string]scenario{
	"orders before their customer": {
		records: []string{
			`{"id": "o1", "at": 1, "type": "order", "orderid": "o1", "username": "ada", "orderdate": "2024-02-29"}`,
			`{"id": "o1-pen", "at": 2, "type": "line", "orderid": "o1", "product": "pen", "price": 2.5}`,
			`{"id": "o2", "at": 3, "type": "order", "orderid": "o2", "username": "ada", "orderdate": "2024-03-01"}`,
			`{"id": "o2-pen", "at": 4, "type": "line", "orderid": "o2", "product": "pen", "price": 2.6}`,
			`{"id": "c1", "at": 5, "type": "customer", "username": "ada", "country": "Italy"}`,
		},
		facts: "o1|pen|ada|false|Italy|2024-02-29|2.50\no2|pen|ada|false|Italy|2024-03-01|2.60\n",
	},
	"products before their order": {
		records: []string{
			`{"id": "o1-pen", "at": 1, "type": "line", "orderid": "o1", "product": "pen", "price": 2.5}`,
			`{"id": "o1-mug", "at": 2, "type": "line", "orderid": "o1", "product": "mug", "price": 9}`,
			`{"id": "o1", "at": 3, "type": "order", "orderid": "o1", "username": "ada", "orderdate": "2024-02-29"}`,
			`{"id": "c1", "at": 4, "type": "customer", "username": "ada", "country": "Italy"}`,
			`{"id": "c1", "at": 5, "type": "customer", "username": "ada", "country": "Japan"}`,
		},
		facts: "o1|mug|ada|false|Japan|2024-02-29|9.00\no1|pen|ada|false|Japan|2024-02-29|2.50\n",
	},
	"a customer that never comes": {
		records: []string{
			`{"id": "o1", "at": 1, "type": "order", "orderid": "o1", "username": "nobody", "orderdate": "2024-02-29"}`,
			`{"id": "o1-pen", "at": 2, "type": "line", "orderid": "o1", "product": "pen", "price": 2.5}`,
			`{"id": "o2", "at": 3, "type": "order", "orderid": "o2", "orderdate": "2025-01-01"}`, // outside of the calendar
			`{"id": "o2-pen", "at": 4, "type": "line", "orderid": "o2", "product": "pen", "price": 2.6}`,
			`{"id": "o3-pen", "at": 5, "type": "line", "orderid": "o3", "product": "pen"}`, // an order that never comes
		},
		facts: "o1|pen|nobody|true|<nil>|2024-02-29|2.50\no2|pen|<nil>|false|<nil>|<nil>|2.60\no3|pen|<nil>|false|<nil>|<nil>|<nil>\n", inferred: "nobody\n",
	},
	"a deleted order": {
		records: []string{
			`{"id": "c1", "at": 1, "type": "customer", "username": "ada", "country": "Italy"}`,
			`{"id": "o1", "at": 2, "type": "order", "orderid": "o1", "username": "ada", "orderdate": "2024-02-29"}`,
			`{"id": "o1-pen", "at": 3, "type": "line", "orderid": "o1", "product": "pen", "price": 2.5}`,
			`{"id": "o1-mug", "at": 4, "type": "line", "orderid": "o1", "product": "mug", "price": 9}`,
			`{"id": "o1", "at": 5, "type": "order", "op": "delete"}`,
			`{"id": "o1-mug", "at": 6, "type": "line", "op": "delete"}`,
		},
		facts: "o1|pen|<nil>|false|<nil>|<nil>|2.50\n",
	},
	"a deleted order that comes back": {
		records: []string{
			`{"id": "c1", "at": 1, "type": "customer", "username": "ada", "country": "Italy"}`,
			`{"id": "o1", "at": 2, "type": "order", "orderid": "o1", "username": "ada", "orderdate": "2024-02-29"}`,
			`{"id": "o1-pen", "at": 3, "type": "line", "orderid": "o1", "product": "pen", "price": 2.5}`,
			`{"id": "o1-pen", "at": 4, "type": "line", "op": "delete"}`,
			`{"id": "o1", "at": 5, "type": "order", "op": "delete"}`,
			`{"id": "c1", "at": 6, "type": "customer", "op": "delete"}`,
			`{"id": "o1", "at": 7, "type": "order", "orderid": "o1", "username": "ada", "orderdate": "2024-03-01"}`,
			`{"id": "o1-pen", "at": 8, "type": "line", "orderid": "o1", "product": "pen", "price": 3}`,
		},
		facts: "o1|pen|ada|false|<nil>|2024-03-01|3.00\n", // the member stays, and its row is gone
	},
}

// TestStarScenarios gives the records of each scenario in its order and
// backwards, in one run of one or many epochs, and with a run for each record.
func TestStarScenarios(t *testing.T) {
	for name, s := range scenarios {
		backwards := slices.Clone(s.records)
		slices.Reverse(backwards)
		for way, runs := range map[string][][]string{
			"at once":              {s.records},
			"backwards":            {backwards},
			"one by one":           slices.Collect(slices.Chunk(s.records, 1)),
			"backwards one by one": slices.Collect(slices.Chunk(backwards, 1)),
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				s.check(t, runs)
			})
		}
		t.Run(name+", epochs of one", func(t *testing.T) {
			t.Parallel()
			s.check(t, [][]string{s.records}, "--set", "epoch.max_records=1")
		})
	}
}

// smallStar runs the small star in a new folder, a run for each list of records.
func smallStar(t *testing.T, runs [][]string, options ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text, err := os.ReadFile("testdata/pipelines/small_star.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "star.yaml")
	write(t, file, []byte(strings.ReplaceAll(string(text), "DIR", dir)))
	if err := os.Mkdir(filepath.Join(dir, "changes"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, records := range runs {
		write(t, filepath.Join(dir, fmt.Sprintf("changes/%02d.ndjson", i)), []byte(strings.Join(records, "\n")+"\n"))
		r := command(append([]string{"run", file}, options...)...)
		r.want(t, exitFine)
	}
	return dir
}

func (s *scenario) check(t *testing.T, runs [][]string, options ...string) {
	dir := smallStar(t, runs, options...)
	d := openDatabase(t)
	d.exec("ATTACH '" + filepath.Join(dir, "star.duckdb") + "' AS w (READ_ONLY)")
	facts := d.rows(`SELECT orderid, product, username, c.is_inferred, k.country, date::VARCHAR, price::VARCHAR
		FROM (SELECT * EXCLUDE (product) FROM w.fact_line) JOIN w.dim_customer c USING (customer_key) JOIN w.dim_product USING (product_key)
		JOIN (SELECT country_key, country FROM w.dim_country) k USING (country_key) JOIN w.dim_date USING (date_key) ORDER BY ALL`)
	if facts != s.facts {
		t.Errorf("the facts are\n%swant\n%s", facts, s.facts)
	}
	inferred := d.rows("SELECT username FROM w.dim_customer WHERE is_inferred AND customer_key IN (SELECT customer_key FROM w.fact_line) ORDER BY 1")
	if inferred != s.inferred {
		t.Errorf("inferred are %q, want %q", inferred, s.inferred)
	}
	if n := d.number("SELECT count(*) FROM w.dim_customer WHERE customer_key = 0 AND username IS NULL AND NOT is_inferred"); n != 1 {
		t.Errorf("%d unknown customers", n)
	}
}

// TestFactsWait: in a run that ends by itself, a fact is given out once, when
// its lookups are there, however late; one that waits in vain comes at the end.
func TestFactsWait(t *testing.T) {
	t.Parallel()
	records := slices.Clone(scenarios["orders before their customer"].records)
	slices.Reverse(records)
	records = append(records, `{"id": "o9-pen", "at": 9, "type": "line", "orderid": "o9", "product": "pen"}`, `{"id": "c9", "at": 10, "type": "customer", "username": "bo"}`)
	for name, test := range map[string]struct {
		runs [][]string
		want string // order|operation|epoch, as the sink got them; a run's last epoch only ends it
	}{
		"one run":     {[][]string{records}, "o1|upsert|5\no2|upsert|3\no9|upsert|8\n"},
		"a run each":  {slices.Collect(slices.Chunk(records, 1)), "o1|upsert|8\no1|upsert|9\no2|upsert|4\no2|upsert|5\no9|upsert|12\n"},
		"two of them": {[][]string{records[:2], records[2:]}, "o1|upsert|6\no2|upsert|3\no2|upsert|4\no9|upsert|9\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := smallStar(t, test.runs, "--set", "epoch.max_records=1")
			got := openDatabase(t).rows(fmt.Sprintf("SELECT orderid, _op, _epoch FROM '%s/facts/fact_line/*.parquet' ORDER BY ALL", dir))
			if got != test.want {
				t.Errorf("the facts were given out as\n%swant\n%s", got, test.want)
			}
		})
	}
}
