package jobs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

// TestRedshiftLimits: what Redshift can't store is found before anything is saved: the column's
// on_error, on_overflow and nul decide, and all else arrives.
func TestRedshiftLimits(t *testing.T) {
	t.Parallel()
	cluster := redshifttest.Open(t, redshifttest.Snapshot)
	nul, edge := `\u0000`, strings.Repeat("é", 32767) // 65,534 bytes
	records := strings.Join([]string{
		`{"id":"1","v":"fine"}`,
		`{"id":"2","v":"a` + nul + `b"}`,
		`{"id":"3","v":"` + edge + `é"}`,
		`{"id":"4","j":{"n":1e400}}`,
		`{"id":"5 ","v":"x"}`,
		`{"id":"6","j":["` + edge + `"]}`,
		`{"id":"7","v":"` + edge + `x"}`,
		`{"id":"8` + nul + `","v":"x"}`,
		`{"id":"` + edge + `ü","v":"x"}`,
	}, "\n")
	const length = `SELECT id, v IS NULL, LEN(v), OCTET_LENGTH(v), j IS NULL FROM %s.t ORDER BY id`
	fine := []string{"1|f|4|4|t", "7|f|32768|65535|t"}
	for name, c := range map[string]struct {
		column, sink string
		rows         []string
		letters      string
		fails        string
	}{
		"dead letter": {"", "", nil, "2 3 4 5 6 8 9", ""},
		"null":        {`on_error: "null"`, "", []string{"2|t|null|null|t", "3|t|null|null|t", "4|t|null|null|t", "6|t|null|null|t"}, "5 8 9", ""},
		"truncate":    {"", "on_overflow: truncate, nul: strip, ", []string{"2|f|2|2|t", "3|f|32767|65534|t"}, "4 5 6 8 9", ""},
		"fail":        {`on_error: "null"`, "on_overflow: fail, ", nil, "", `table "t", column "id", row with key ("éééééééééééééééééééééééééééééééééééééééé"…): has 65536 bytes, and Redshift takes 65535`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, schema := t.TempDir(), cluster.Schema()
			file := filepath.Join(dir, "p.yaml")
			write(t, filepath.Join(dir, "in.ndjson"), []byte(records))
			write(t, file, fmt.Appendf(nil, `
name: limits
state: {dir: "%[1]s/state"}
dead_letters: {url: "%[1]s/dead-letters", max_ratio: 1}
sources: {changes: {type: file, path: "%[1]s/in.ndjson", format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables:
      t: {key: [id], columns: {id: {}, v: {%[2]s}, j: {type: json, %[2]s}}}
sinks:
  p: {type: redshift, inputs: [items], dsn: "%[3]s", schema: %[4]s, %[5]sstage: none}
`, dir, c.column, cluster.DSN(), schema, c.sink))
			if c.fails != "" {
				if r := command("run", file); r.code == exitFine || !strings.Contains(r.err, c.fails) {
					t.Fatalf("the run ends with %d:\n%s", r.code, r.err)
				}
				return
			}
			command("run", file).want(t, exitFine)
			want := append(slices.Clone(fine), c.rows...)
			slices.Sort(want)
			if got := cluster.Query(fmt.Sprintf(length, schema)); !slices.Equal(got, want) {
				t.Errorf("Redshift has %q, want %q", got, want)
			}
			var letters []string
			for _, l := range deadLetters(t, dir, file) {
				letters = append(letters, fmt.Sprint(l.Line))
				if !strings.Contains(l.Message, "(sink p)") {
					t.Errorf("the message is %.300s", l.Message)
				}
			}
			slices.Sort(letters)
			if got := strings.Join(letters, " "); got != c.letters {
				t.Errorf("dead letters of the lines %s, want %s", got, c.letters)
			}
		})
	}
}
