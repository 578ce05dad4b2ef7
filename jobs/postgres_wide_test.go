package jobs

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestPostgresTooWide: validate finds tables with more columns, or more columns of a
// key, than PostgreSQL takes, and takes those with as many.
func TestPostgresTooWide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		columns, keys int
		says          string
	}{
		{1600, 1, ""}, {1601, 1, "1601 columns"},
		{40, 32, ""}, {40, 33, "33 columns"},
	} {
		var columns, keys []string
		for i := range c.columns {
			columns = append(columns, fmt.Sprintf("c%d: {}", i))
		}
		for i := range c.keys {
			keys = append(keys, fmt.Sprintf("c%d", i))
		}
		dir := t.TempDir()
		write(t, filepath.Join(dir, "p.yaml"), fmt.Appendf(nil, `
name: wide
sources: {changes: {type: file, path: in.ndjson, format: json, key: [c0]}}
transforms: {items: {type: unnest, inputs: [changes], tables: {t: {key: [%s], columns: {%s}}}}}
sinks: {w: {type: postgres, inputs: [items], dsn: "host=127.0.0.1 port=1"}}
`, strings.Join(keys, ", "), strings.Join(columns, ", ")))
		r := starlift(t, dir, "validate", "p.yaml")
		if c.says == "" {
			r.want(t, exitFine)
			continue
		}
		r.want(t, exitUsage, c.says)
	}
}
