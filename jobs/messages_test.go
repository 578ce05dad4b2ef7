package jobs

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/jobs/assembly"
)

// TestChangedStars: a star that is not the one its state was made by is refused, by
// what has changed in the pipeline file.
func TestChangedStars(t *testing.T) {
	t.Parallel()
	dir := smallStar(t, [][]string{{`{"id": "c1", "at": 1, "type": "customer", "username": "ada", "country": "Italy"}`}})
	file := filepath.Join(dir, "star.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const product = `      dim_product:  {from: line, natural_key: [product], surrogate_key: product_key, keys: hash}`
	for _, c := range []struct{ name, old, with, says string }{
		{"changed", "surrogate_key: product_key, keys: hash", "surrogate_key: product_key",
			`transforms.star.dimensions.dim_product.keys was hash, and is left out: put it back`},
		{"added", product, product + "\n" + strings.Replace(product, "dim_product", "dim_more", 1),
			`transforms.star.dimensions.dim_more is new: put it back, or begin anew`},
		{"taken out", "fact_line:", "fact_lines:",
			`transforms.star.facts.fact_line was renamed: it is gone, and fact_lines is new: put it back`},
	} {
		changed := strings.Replace(string(text), c.old, c.with, 1)
		if c.name == "taken out" {
			changed = strings.ReplaceAll(changed, "star.fact_line]", "star.fact_lines]")
		}
		write(t, file, []byte(changed))
		command("run", file).want(t, exitFailed, "starlift: small: the state in ", c.says)
	}
}

// TestEpochOfDone: the last line of a run has the last epoch of the state, also
// when this run added none, and no epoch while there is none. It is not parallel,
// since the log is the process's.
func TestEpochOfDone(t *testing.T) {
	var log output
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "changes.ndjson"), []byte(`{"id": 1}`))
	file := filepath.Join(dir, "p.yaml")
	write(t, file, []byte(strings.ReplaceAll(`
name: small
state: {dir: DIR/state}
dead_letters: {url: DIR/dead-letters}
sources: {changes: {type: file, path: DIR/changes.ndjson, format: json, key: [id]}}
transforms: {items: {type: unnest, inputs: [changes], tables: {item: {key: [id], columns: {id: {}}}}}}
sinks: {lake: {type: parquet, inputs: [items], url: DIR/lake}}
`, "DIR", dir)))
	stopped, stop := context.WithCancel(context.Background())
	stop()
	done := regexp.MustCompile(`"msg":"(done|stopped)","pipeline":"small",("epoch":\d+,)?"records":\d+`)
	for i, want := range []string{`stopped","pipeline":"small","records":0`, `done","pipeline":"small","epoch":1,"records":1`, `done","pipeline":"small","epoch":1,"records":0`} {
		a, err := assembly.Load(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		if i == 0 {
			ctx = stopped
		}
		if err := newCLI(nil, nil, &log).runPipeline(ctx, a); err != nil {
			t.Fatal(err)
		}
		if all := done.FindAllString(log.String(), -1); len(all) != i+1 || all[i] != `"msg":"`+want {
			t.Fatalf("run %d: %q, want %s\n%s", i+1, all, want, log.String())
		}
	}
}
