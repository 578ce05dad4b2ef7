package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// feeders is a case in which one key, member, row or item gets all of very many changes,
// or as many of them one each.
type feeders struct {
	name       string
	transforms string                         // of the pipeline file
	inputs     string                         // of the sink
	records    func(one bool, n int) []string // what brings them; what takes them away follows
	removals   func(one bool, n int) []string
	epoch      int // records of an epoch at most, of n; 0 = a hundredth
}

const feedersStart = 1_709_251_200_000 // ms since 1970

// fed is a record of a stream; a nil image is none.
func fed(event, id string, at int, image, old string) string {
	images := ""
	if image != "" {
		images += `,"NewImage":` + image
	}
	if old != "" {
		images += `,"OldImage":` + old
	}
	return fmt.Sprintf(`{"eventName":"%s","tableName":"shop","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"id":{"S":"%s"}}%s}}`, event, feedersStart+at, id, images)
}

// soldLine is an order line of one product, or of a product of its own.
func soldLine(one bool, i int) string {
	product := "p"
	if !one {
		product = fmt.Sprintf("p%06d", i)
	}
	color := `{"S":"blue"}`
	if i%3 == 0 {
		color = `{"NULL":true}`
	}
	return fmt.Sprintf(`{"id":{"S":"l%06d"},"type":{"S":"line"},"product":{"S":"%s"},"name":{"S":"name of %06d"},"qty":{"N":"%d"},"color":%s}`, i, product, i, i, color)
}

func soldLines(one bool, n int) (lines []string) {
	for i := range n {
		lines = append(lines, fed("INSERT", fmt.Sprintf("l%06d", i), 10*i, soldLine(one, i), ""))
	}
	return lines
}

// returnedLines deletes the lines, the newest first.
func returnedLines(one bool, n int) (lines []string) {
	for i := n - 1; i >= 0; i-- {
		lines = append(lines, fed("REMOVE", fmt.Sprintf("l%06d", i), 10*n+10*(n-i), "", soldLine(one, i)))
	}
	return lines
}

// listOf is an item that explodes to some rows, from number from on; changed has another
// quantity.
func listOf(from, to, changed int) string {
	var rows []string
	for i := from; i < to; i++ {
		qty := i
		if i == changed {
			qty = -1
		}
		rows = append(rows, fmt.Sprintf(`{"M":{"k":{"S":"k%06d"},"name":{"S":"name of %06d"},"qty":{"N":"%d"}}}`, i, i, qty))
	}
	return `{"id":{"S":"x"},"type":{"S":"list"},"rows":{"L":[` + strings.Join(rows, ",") + `]}}`
}

// lists makes a change of one item of n rows, or of n items of one.
func lists(one bool, n int, event string, at, changed int) (lines []string) {
	image := func(from, to int) string {
		if event == "REMOVE" {
			return ""
		}
		return listOf(from, to, changed)
	}
	if one {
		return []string{fed(event, "list", at, image(0, n), "")}
	}
	for i := range n {
		lines = append(lines, fed(event, fmt.Sprintf("list%06d", i), at, image(i, i+1), ""))
	}
	return lines
}

// instant is n changes at one time, of one item or of as many.
func instant(one bool, n int) (lines []string) {
	for i := range n {
		id := "one"
		if !one {
			id = fmt.Sprintf("l%06d", i)
		}
		lines = append(lines, fed("MODIFY", id, 0, strings.Replace(soldLine(one, i), fmt.Sprintf("l%06d", i), id, 1), ""))
	}
	return lines
}

func noRemovals(bool, int) []string { return nil }

// perProduct is a table of lines with the product as key.
func perProduct(more string) string {
	return `
  items: {type: unnest, inputs: [changes], unmatched: ignore, tables: {line: {where: {type: [line]}, key: [product],` + more + `
    columns: {product: {}, name: {}, qty: {type: int64}, color: {}}}}}`
}

// perLine is tables of lines and products, for a star.
const perLine = `
  items: {type: unnest, inputs: [changes], unmatched: ignore, tables: {
    line: {where: {type: [line]}, key: [id], columns: {id: {}, product: {}, name: {}, qty: {type: int64}, color: {}}},
    product: {where: {type: [product]}, key: [product], columns: {product: {}, label: {}}}}}
  star: {type: star, inputs: [items], `

func perList(more string) string {
	return `
  items: {type: unnest, inputs: [changes], tables: {row: {where: {type: [list]}, explode: {from: rows, as: r}, key: [k],` + more + `
    columns: {k: {from: r.k}, name: {from: r.name}, qty: {from: r.qty, type: int64}}}}}`
}

const latestNonNull = `
  star: {type: star, inputs: [items], facts: {f: {from: line, grain: [product], merge: latest_non_null, measures: {name: name, qty: qty, color: color}}}}`

// soldThings is lines after their products.
func soldThings(one bool, n int) (lines []string) {
	products := []string{"p"}
	if !one {
		products = nil
		for i := range n {
			products = append(products, fmt.Sprintf("p%06d", i))
		}
	}
	label := func(event string, at int, v string) {
		for _, p := range products {
			lines = append(lines, fed(event, p, at, fmt.Sprintf(`{"id":{"S":"%[1]s"},"type":{"S":"product"},"product":{"S":"%[1]s"},"label":{"S":"%[2]s"}}`, p, v), ""))
		}
	}
	label("INSERT", 0, "first")
	lines = append(lines, soldLines(one, n)...)
	label("MODIFY", 10*n, "second")
	return lines
}

func listsMade(one bool, n int) []string {
	return slices.Concat(lists(one, n, "INSERT", 0, -1), lists(one, n, "MODIFY", 10, n/2))
}

func listsGone(one bool, n int) []string { return lists(one, n, "REMOVE", 20, -1) }

var feederCases = []feeders{
	{name: "row key", transforms: perProduct(""), inputs: "items", records: soldLines, removals: returnedLines},
	{name: "flagged row key", transforms: perProduct(" on_delete: flag,"), inputs: "items", records: soldLines, removals: returnedLines},
	{name: "first row", transforms: perProduct(" keep: first,"), inputs: "items", records: soldLines, removals: returnedLines},
	{name: "latest_non_null", transforms: perProduct("") + latestNonNull, inputs: "star", records: soldLines, removals: returnedLines},
	{name: "member deleted", transforms: perLine + `dimensions: {d: {from: line, natural_key: [product], surrogate_key: pk, attributes: [color], on_delete: delete}}}`, inputs: "star", records: soldLines, removals: returnedLines},
	{name: "member flagged", transforms: perLine + `dimensions: {d: {from: line, natural_key: [product], surrogate_key: pk, attributes: [color], on_delete: flag}}}`, inputs: "star", records: soldLines, removals: returnedLines},
	{name: "lookup", transforms: perLine + `facts: {f: {from: line, grain: [id], lookups: {p: {table: product, on: {product: product}}}, measures: {qty: qty, label: p.label}}}}`, inputs: "star", records: soldThings, removals: returnedLines},
	{name: "explode", transforms: perList(""), inputs: "items", records: listsMade, removals: listsGone},
	{name: "flagged explode", transforms: perList(" on_delete: flag,"), inputs: "items", records: listsMade, removals: listsGone},
	{name: "instant", transforms: perProduct(""), inputs: "items", records: instant, removals: noRemovals, epoch: 10},
	{name: "flagged instant", transforms: perProduct(" on_delete: flag,"), inputs: "items", records: instant, removals: noRemovals, epoch: 10},
	{name: "member at one instant", transforms: perLine + `dimensions: {d: {from: line, natural_key: [product], surrogate_key: pk, attributes: [name, color]}}}`, inputs: "star", records: instant, removals: noRemovals, epoch: 10},
}

// make writes the case's pipeline file into a folder, and returns it.
func (f *feeders) make(t testing.TB, dir string, n int) string {
	epoch := f.epoch
	if epoch == 0 {
		epoch = n / 100
	}
	file := filepath.Join(dir, "p.yaml")
	feedersWrite(t, file, fmt.Sprintf(`
name: feeders
state: {dir: "%[1]s/state"}
dead_letters: {url: "%[1]s/dead"}
epoch: {max_records: %[2]d}
sources: {changes: {type: file, path: "%[1]s/*.ndjson", format: dynamodb_cdc}}
transforms:%[3]s
sinks: {warehouse: {type: duckdb, inputs: [%[4]s], dsn: "%[1]s/w.duckdb"}}
`, dir, epoch, f.transforms, f.inputs))
	return file
}

func feedersWrite(t testing.TB, path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mostBytes is what a value of the state may have.
const mostBytes = 64 << 10

// TestStateValuesStaySmall: however many changes one key, member, row or item gets, no
// value of the state is large, when they have come and when they are gone.
func TestStateValuesStaySmall(t *testing.T) {
	t.Parallel()
	for _, f := range feederCases {
		t.Run(f.name, func(t *testing.T) {
			n := 3000
			if f.epoch > 0 {
				n = 800
				f.epoch = 50
			}
			dir := t.TempDir()
			file := f.make(t, dir, n)
			for part, records := range [][]string{f.records(true, n), f.removals(true, n)} {
				if len(records) == 0 {
					continue
				}
				write(t, filepath.Join(dir, fmt.Sprintf("%d.ndjson", part)), []byte(strings.Join(records, "\n")))
				command("run", file).want(t, exitFine)
				if largest := largestValue(t, filepath.Join(dir, "state")); largest > mostBytes {
					t.Errorf("part %d: a value of the state has %d bytes", part, largest)
				}
			}
		})
	}
}

// largestValue returns the size of the largest value of a state.
func largestValue(t *testing.T, dir string) (largest int) {
	t.Helper()
	db, err := pebble.Open(filepath.Join(dir, "db"), &pebble.Options{FormatMajorVersion: pebble.FormatNewest, ReadOnly: true, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		largest = max(largest, len(it.Value()))
	}
	if err := it.Close(); err != nil {
		t.Error(err)
	}
	return largest
}

// BenchmarkFeeders tells for each case what the CPU of a run is where one key, member,
// row or item gets all changes, and how many times that is of what as many take: make
// bench-feeders.
func BenchmarkFeeders(b *testing.B) {
	for _, f := range feederCases {
		b.Run(strings.ReplaceAll(f.name, " ", "_"), func(b *testing.B) {
			n := 100_000
			if f.epoch > 0 {
				n = 1600
			}
			var cpu [2]time.Duration
			for b.Loop() {
				for i, one := range []bool{true, false} {
					dir := b.TempDir()
					file := f.make(b, dir, n)
					feedersWrite(b, filepath.Join(dir, "c.ndjson"), strings.Join(slices.Concat(f.records(one, n), f.removals(one, n)), "\n"))
					before := cpuTime(b)
					if r := command("backfill", file); r.code != exitFine {
						b.Fatalf("exit status %d: %s", r.code, r.err)
					}
					cpu[i] += cpuTime(b) - before
				}
			}
			b.ReportMetric(cpu[0].Seconds()/float64(b.N), "one-cpu-s")
			b.ReportMetric(cpu[1].Seconds()/float64(b.N), "many-cpu-s")
			b.ReportMetric(cpu[0].Seconds()/cpu[1].Seconds(), "one/many")
			b.ReportMetric(0, "ns/op")
		})
	}
}
