package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChangedStars: a star that is not the one its state was made by is refused,
// by what has changed, and the node is named once.
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
			`state of star: "dim_product" is defined differently than when the state was made, and rows`},
		{"added", product, product + "\n" + strings.Replace(product, "dim_product", "dim_more", 1),
			`state of star: "dim_more" was not there when the state was made, and earlier changes are not kept: backfill`},
		{"taken out", "fact_line:", "fact_lines:",
			`state of star: "fact_line" was there when the state was made, and is no longer: put it back`},
	} {
		changed := strings.Replace(string(text), c.old, c.with, 1)
		if c.name == "taken out" {
			changed = strings.ReplaceAll(changed, "star.fact_line]", "star.fact_lines]")
		}
		write(t, file, []byte(changed))
		command("run", file).want(t, exitFailed, "starlift: small: "+c.says)
	}
}
