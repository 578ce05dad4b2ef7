package jobs

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/configs"
	"github.com/starlift-etl/starlift/jobs/generate"
)

// TestDemo: the demo works in a new folder, twice, and in folders with odd
// names; it prints the growth that a computation without a database gives, and
// every command that it prints works.
func TestDemo(t *testing.T) {
	for name, dir := range map[string]string{
		"default": filepath.Join("data", "demo"),
		"odd":     "a b/it's ${HOME} [x] {y} *",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cwd := t.TempDir()
			args := []string{"demo"}
			if name != "default" {
				args = append(args, "--dir", dir)
			}
			r := fine(t, cwd, args...)
			if name == "default" {
				keep := filepath.Join(cwd, dir, "notes.txt")
				write(t, keep, nil)
				r = fine(t, cwd, args...)
				if _, err := os.Stat(keep); err != nil {
					t.Errorf("the second demo removed what is not its own: %v", err)
				}
			}
			for _, line := range append(growth(t), "3040 changes read, 0 dead letters.",
				"dim_customer 125", "dim_address 211", "dim_product 17", "dim_date 2193", "fact_order 985") {
				if !strings.Contains(strings.Join(strings.Fields(r.out), " "), line) {
					t.Errorf("no line %q in\n%s", line, r.out)
				}
			}
			tryCommands(t, cwd, filepath.Join(dir, demoPipeline), r.out)
		})
	}
}

// tryCommands runs what the demo says to try next, and holds it against what
// is said of it.
func tryCommands(t *testing.T, cwd, file, out string) {
	t.Helper()
	warehouse := filepath.Join(cwd, filepath.Dir(file), demoWarehouse)
	before, err := os.Stat(warehouse)
	if err != nil {
		t.Fatal(err)
	}
	lake := tree(t, filepath.Join(cwd, filepath.Dir(file), "lake"))
	for _, c := range demoCommands {
		if !strings.Contains(out, strings.ReplaceAll(c.line, "FILE", shellQuote(file))) {
			t.Errorf("command %q is not printed", c.line)
		}
		args := strings.Fields(c.line)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "FILE", file)
		}
		code := exitFine
		if args[0] == "validate" {
			code = exitUsage
		}
		starlift(t, cwd, args...).want(t, code)
	}
	after, err := os.Stat(warehouse)
	if err != nil {
		t.Fatal(err)
	}
	if !after.ModTime().Equal(before.ModTime()) || tree(t, filepath.Join(cwd, filepath.Dir(file), "lake")) != lake {
		t.Error("running the demo's pipeline again changed its tables")
	}
}

// TestDemoKeepsForeignFiles: what no demo made is not removed, and the demo
// says what to do.
func TestDemoKeepsForeignFiles(t *testing.T) {
	cwd := t.TempDir()
	mine := filepath.Join(cwd, "mine", "lake")
	if err := os.MkdirAll(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	starlift(t, cwd, "demo", "--dir", "mine").want(t, exitFailed, "lake is there already", "--dir")
	entries, err := os.ReadDir(filepath.Join(cwd, "mine"))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want the lake alone", entries, err)
	}
}

// TestDemoSample: the sample is what generate makes, and shows growth: the
// latest quarters have a base, but for a few.
func TestDemoSample(t *testing.T) {
	var want bytes.Buffer
	if _, err := generate.EcommerceCDC(t.Context(), &want, nil, generate.Options{Seed: 26, Records: 3040, Products: 16, Duplicates: 0.01, Late: 0.01}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(demoSample(t), want.Bytes()) {
		t.Error("the sample is not what starlift generate ecommerce --records 3040 --products 16 --seed 26 makes")
	}
	lines := growth(t)
	without := len(slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.HasSuffix(l, "–") }))
	if without == 0 || without > 3 {
		t.Errorf("%d of %d lines are without growth:\n%s", without, len(lines), strings.Join(lines, "\n"))
	}
}

func demoSample(t *testing.T) []byte {
	t.Helper()
	data, err := configs.Demo.ReadFile(configs.DemoData)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{
		"data/demo/a-b_c.yaml": "data/demo/a-b_c.yaml",
		"a b":                  "'a b'",
		"it's":                 `'it'\''s'`,
		"$HOME":                "'$HOME'",
		"":                     "''",
	} {
		if got := shellQuote(word); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", word, got, want)
		}
	}
}

// image is what the growth takes from an item.
type image struct {
	PK, Type, Username, OrderID, OrderDate, Category struct{ S string }
	Address                                          struct {
		M struct{ Country struct{ S string } }
	}
	Price struct{ N string }
}

// latestItems settles the embedded sample. Its changes of one item have
// different times.
func latestItems(t *testing.T) []*image {
	t.Helper()
	type change struct {
		DynamoDB struct {
			Time     int64           `json:"ApproximateCreationDateTime"`
			Keys     json.RawMessage `json:"Keys"`
			NewImage *image          `json:"NewImage"`
		} `json:"dynamodb"`
	}
	last := map[string]change{}
	lines := bufio.NewScanner(bytes.NewReader(demoSample(t)))
	for lines.Scan() {
		var c change
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if key := string(c.DynamoDB.Keys); c.DynamoDB.Time >= last[key].DynamoDB.Time {
			last[key] = c
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	var items []*image
	for _, c := range last {
		if i := c.DynamoDB.NewImage; i != nil {
			items = append(items, i)
		}
	}
	return items
}

// group is a row of the growth, less its figures.
type group struct {
	country, category string
	year, quarter     int
}

// growth computes the lines that the demo prints.
func growth(t *testing.T) []string {
	t.Helper()
	countries, orders := map[string]string{}, map[string]*image{}
	items := latestItems(t)
	for _, i := range items {
		switch i.Type.S {
		case "customer":
			countries[i.Username.S] = i.Address.M.Country.S
		case "order":
			orders[i.OrderID.S] = i
		}
	}
	revenue := map[group]*big.Rat{}
	for _, i := range items {
		order := orders[i.OrderID.S]
		if i.Type.S != "product" || order == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339, order.OrderDate.S)
		if err != nil {
			t.Fatal(err)
		}
		country, known := countries[strings.TrimPrefix(order.PK.S, "CUST#")]
		if !known {
			continue
		}
		g := group{country, i.Category.S, at.Year(), (int(at.Month()) + 2) / 3}
		price, ok := new(big.Rat).SetString(i.Price.N)
		if !ok {
			t.Fatalf("price %q", i.Price.N)
		}
		if revenue[g] == nil {
			revenue[g] = new(big.Rat)
		}
		revenue[g].Add(revenue[g], price)
	}
	var groups []group
	for g := range revenue {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b group) int {
		if a.year != b.year {
			return b.year - a.year
		}
		if a.quarter != b.quarter {
			return b.quarter - a.quarter
		}
		return revenue[b].Cmp(revenue[a])
	})
	var lines []string
	for _, g := range groups[:12] {
		base, change := g, "–"
		base.year--
		if before := revenue[base]; before != nil {
			ratio := new(big.Rat).Quo(new(big.Rat).Sub(revenue[g], before), before)
			change = ratio.Mul(ratio, big.NewRat(100, 1)).FloatString(1)
		}
		lines = append(lines, fmt.Sprintf("%s %s %d %d %s %s", g.country, g.category, g.year, g.quarter, revenue[g].FloatString(2), change))
	}
	return lines
}
