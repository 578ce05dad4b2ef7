package jobs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// TestPostgresLimits: what PostgreSQL can't store is found before anything is
// saved, wherever it comes from: the column's on_error or the sink decides, all else
// arrives, and what is dead takes no effect in the other sink either.
func TestPostgresLimits(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := openPostgres(t)
	nul := `\u0000`
	records := []string{
		`{"id":"1","v":"fine"}`,
		`{"id":"2","v":"a` + nul + `b"}`,
		`{"id":"3` + nul + `","v":"x"}`,
		`{"id":"4","j":{"a":["b` + nul + `","\\` + nul + `"]}}`,
		`{"id":"` + strings.Repeat("k", 3000) + `"}`,
		`{"id":"6","l":["p","q` + nul + `"]}`,
		`{"id":"7","j":{"n":1e200000}}`,
		`{"id":"8","v":"old"}`,
		`{"id":"8","v":"n` + nul + `w"}`,
		`{"id":"9","v":"last"}`,
	}
	const tables = `
      t: {key: [id], columns: {id: {}, v: {%[1]s}, j: {type: json, %[1]s}}}
      l: {explode: {from: l, as: e}, key: [id, e], columns: {id: {}, e: {}}}`
	const fine = "1|fine|\n9|last|\n"
	for name, c := range map[string]struct{ column, sink, nodes, inputs, rows, l, letters string }{
		"dead letter": {"", "", "", "items", fine + "8|old|\n6||\n", "", "bad_value items 3,bad_value items 2,bad_value items 4,bad_value items 5,bad_value items 6,bad_value items 7,bad_value items 9"},
		"null":        {`on_error: "null"`, "", "", "items", fine + "2||\n4||\n7||\n8||\n", "", "bad_value items 3,bad_value items 5,bad_value items 6"},
		"strip": {"", "nul: strip, ", "", "items", fine + "2|ab|\n4||{\"a\": [\"b\", \"\\\\\"]}\n8|nw|\n", "",
			"bad_value items 3,bad_value items 5,bad_value items 6,bad_value items 7"},
		"made by an expression": {"", "", "\n  d: {type: derive, inputs: [items.t], columns: {w: {expr: '(v ?? \"\") + (id == \"1\" ? \"\\u0000\" : \"\")', type: string}}}", "d, items.l",
			"8|old||old\n9|last||last\n", "", "bad_value d 1,bad_value d 2,bad_value d 3,bad_value d 4,bad_value d 5,bad_value d 7,bad_value d 9,bad_value items 6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, schema := t.TempDir(), pgtest.Schema()
			file := filepath.Join(dir, "p.yaml")
			write(t, filepath.Join(dir, "in.ndjson"), []byte(strings.Join(records, "\n")))
			write(t, file, fmt.Appendf(nil, `
name: limits
state: {dir: "%[1]s/state"}
dead_letters: {url: "%[1]s/dead-letters", max_ratio: 1}
sources: {changes: {type: file, path: "%[1]s/in.ndjson", format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables:%[2]s%[3]s
sinks:
  p: {type: postgres, inputs: [%[4]s], dsn: "%[5]s", schema: "%[6]s", %[7]s}
  w: {type: duckdb, inputs: [%[4]s], dsn: "%[1]s/w.duckdb"}
`, dir, fmt.Sprintf(tables, c.column), c.nodes, c.inputs, dsn, schema, c.sink))
			command("run", file).want(t, exitFine)
			lines := func(text string) []string {
				all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
				slices.Sort(all)
				return all
			}
			want := lines(c.rows)
			if !strings.HasPrefix(name, "dead") {
				want = slices.DeleteFunc(want, func(l string) bool { return strings.HasPrefix(l, "6|") })
			} else {
				want = slices.DeleteFunc(want, func(l string) bool { return l == "6||" })
			}
			if got := lines(strings.Join(db.rows(`SELECT * FROM "`+schema+`".t`), "\n")); !slices.Equal(got, want) {
				t.Errorf("PostgreSQL has %q, want %q", got, want)
			}
			if got := db.rows(`SELECT e FROM "` + schema + `".l`); len(got) > 0 {
				t.Errorf("PostgreSQL has the elements %q", got)
			}
			d := openDatabase(t)
			d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
			if got := d.rows("SELECT count(*) FROM w.t"); got != fmt.Sprintf("%d\n", len(want)) {
				t.Errorf("DuckDB has %s rows", got)
			}
			var letters []string
			for _, l := range deadLetters(t, dir, file) {
				letters = append(letters, fmt.Sprintf("%s %s %d", l.Reason, l.Node, l.Line))
				if !strings.Contains(l.Message, "(sink p)") {
					t.Errorf("the message is %s", l.Message)
				}
			}
			wanted := strings.Split(c.letters, ",")
			slices.Sort(letters)
			slices.Sort(wanted)
			if !slices.Equal(letters, wanted) {
				t.Errorf("dead letters %q, want %q", letters, wanted)
			}
		})
	}
}

// TestPostgresLimitsOfStars: a change that a star would bring to PostgreSQL is
// blamed for what can't be stored; columns that the star does not use may hold it.
// What a measure or a column behind the star makes is null where on_error says so.
func TestPostgresLimitsOfStars(t *testing.T) {
	t.Parallel()
	dir, schema, db := t.TempDir(), pgtest.Schema(), openPostgres(t)
	file := filepath.Join(dir, "p.yaml")
	nul := `\u0000`
	write(t, filepath.Join(dir, "in.ndjson"), []byte(strings.Join([]string{
		`{"id":"o1","type":"order","customer":"c1","note":"n","unused":"u` + nul + `"}`,
		`{"id":"o2","type":"order","customer":"c2` + nul + `","note":"n"}`,
		`{"id":"o3","type":"order","customer":"c1","note":"n` + nul + `"}`,
		`{"id":"o4` + nul + `","type":"order","customer":"c1"}`,
		`{"id":"o5","type":"order","customer":"c1","note":"made"}`,
		`{"id":"c1","type":"customer","city":"York"}`,
		`{"id":"c1","type":"customer","city":"Y` + nul + `"}`,
		`{"id":"c3` + nul + `","type":"customer","city":"Bath"}`,
		`{"id":"c4","type":"customer","city":"Bath","pin":"4711` + nul + `"}`,
		`{"id":"c4","type":"customer","city":"Leeds"}`,
	}, "\n")))
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
      customer: {where: {type: [customer]}, key: [id], columns: {id: {}, city: {}, pin: {mask: true}}}
      order: {where: {type: [order]}, key: [id], columns: {id: {}, customer: {}, note: {}, unused: {}}}
  star:
    type: star
    inputs: [items]
    dimensions:
      dim_customer: {from: customer, natural_key: [id], surrogate_key: customer_key, attributes: [city, pin]}
    facts:
      fact_order: {from: order, grain: [id], dimensions: {customer_key: {dimension: dim_customer, on: {id: customer}}}, measures: {note: note, made: {expr: 'note + (note == "made" ? "\u0000" : "!")', type: string, on_error: "null"}}}
  behind: {type: derive, inputs: [star.fact_order], columns: {made_again: {expr: 'note + (note == "made" ? "\u0000" : "!")', type: string, on_error: "null"}}}
sinks: {p: {type: postgres, inputs: [behind, star.dim_customer], dsn: "%[2]s", schema: "%[3]s"}}
`, dir, pgtest.DSN(t), schema))
	command("run", file).want(t, exitFine)
	if got := db.rows(`SELECT f.id, f.note, d.id, d.city, f.made, f.made_again FROM "` + schema + `".fact_order f JOIN "` + schema + `".dim_customer d USING (customer_key) ORDER BY f.id`); !slices.Equal(got, []string{"o1|n|c1|York|n!|n!", "o5|made|c1|York||"}) {
		t.Errorf("facts %q", got)
	}
	if got := db.rows(`SELECT id, city FROM "` + schema + `".dim_customer WHERE id IS NOT NULL ORDER BY id`); !slices.Equal(got, []string{"c1|York", "c4|Leeds"}) {
		t.Errorf("members %q", got)
	}
	var lines []int64
	for _, l := range deadLetters(t, dir, file) {
		lines = append(lines, int64(l.Line))
		if l.Reason != "bad_value" || strings.Contains(l.Message, "4711") || !strings.Contains(l.Message, "U+0000, which PostgreSQL cannot store (sink p)") {
			t.Errorf("dead letter %s: %s", l.Reason, l.Message)
		}
	}
	slices.Sort(lines)
	if !slices.Equal(lines, []int64{2, 3, 4, 7, 8, 9}) {
		t.Errorf("the lines %v are dead letters", lines)
	}
}
