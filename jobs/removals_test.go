package jobs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// event is a change of an item of one attribute, id, as its key, and some more.
type event struct {
	name     string // INSERT, MODIFY, REMOVE, or EXPIRE for a removal by time to live
	at       int    // ms
	id       string
	new, old string // DynamoDB JSON of the attributes besides id; empty = no such image
}

func (e event) record() string {
	identity, name := "null", e.name
	if name == "EXPIRE" {
		identity, name = `{"type": "Service", "principalId": "dynamodb.amazonaws.com"}`, "REMOVE"
	}
	images := ""
	for _, image := range []struct{ name, attributes string }{{"NewImage", e.new}, {"OldImage", e.old}} {
		if image.attributes != "" {
			images += fmt.Sprintf(`, %q: {"id": {"S": %q}, %s}`, image.name, e.id, image.attributes)
		}
	}
	return fmt.Sprintf(`{"eventName": %q, "userIdentity": %s, "tableName": "app", "dynamodb": {"ApproximateCreationDateTime": %d, "Keys": {"id": {"S": %q}}%s}}`,
		name, identity, 1709251200000+e.at, e.id, images)
}

// attributes are those of an item with a status and a code.
func attributes(status, code string) string {
	return fmt.Sprintf(`"status": {"S": %q}, "code": {"S": %q}`, status, code)
}

// removalsCase runs events through tables into a warehouse and a lake, in epochs of
// one record.
func removalsCase(t *testing.T, source, tables string, runs ...[]event) (dir string, d *database) {
	t.Helper()
	dir = t.TempDir()
	file := filepath.Join(dir, "p.yaml")
	text := fmt.Sprintf(`
name: removals
epoch: {max_records: 1, interval: 1h}
state: {dir: "%[1]s/state"}
dead_letters: {url: "%[1]s/dead-letters", max_ratio: 1}
sources: {changes: {type: file, path: "%[1]s/c*.ndjson", format: dynamodb_cdc%[2]s}}
transforms:
  items:
    type: unnest
    inputs: [changes]
    unmatched: ignore
    tables:
%[3]s
sinks:
  lake: {type: parquet, inputs: [items], url: "%[1]s/lake"}
`, dir, source, tables)
	var keyed []string
	for line := range strings.Lines(tables) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && strings.Contains(rest, "key: ") {
			keyed = append(keyed, "items."+name)
		}
	}
	text += fmt.Sprintf("  warehouse: {type: duckdb, inputs: [%s], dsn: \"%s/w.duckdb\"}\n", strings.Join(keyed, ", "), dir)
	write(t, file, []byte(text))
	for i, run := range runs {
		var lines []string
		for _, e := range run {
			lines = append(lines, e.record())
		}
		write(t, filepath.Join(dir, fmt.Sprintf("c%02d.ndjson", i)), []byte(strings.Join(lines, "\n")+"\n"))
		command("run", file).want(t, exitFine)
	}
	d = openDatabase(t)
	d.exec("ATTACH '" + dir + "/w.duckdb' AS w (READ_ONLY)")
	return dir, d
}

func wantRows(t *testing.T, d *database, queries map[string]string) {
	t.Helper()
	for query, want := range queries {
		if got := d.rows(query); got != want {
			t.Errorf("%s gives\n%swant\n%s", query, got, want)
		}
	}
}

// TestFirstRows: a table of first rows has the one of the earliest change since the
// item was removed that matches, whatever order changes come in.
func TestFirstRows(t *testing.T) {
	t.Parallel()
	changes := []event{
		{"INSERT", 1, "a", attributes("NEW", "x"), ""},
		{"MODIFY", 2, "a", attributes("PAID", "x"), attributes("NEW", "x")},
		{"MODIFY", 9, "a", attributes("NEW", "x"), attributes("PAID", "x")},
		{"INSERT", 3, "b", attributes("NEW", "x"), ""}, // its code is that of a, which was first
		{"REMOVE", 4, "b", "", attributes("NEW", "x")},
		{"INSERT", 5, "b", attributes("DRAFT", "y"), ""},
		{"MODIFY", 6, "b", attributes("PAID", "y"), attributes("DRAFT", "y")},
		{"INSERT", 1, "c", attributes("NEW", "z"), ""},
		{"MODIFY", 2, "c", attributes("PAID", "z"), attributes("NEW", "z")},
		{"REMOVE", 3, "c", "", attributes("PAID", "z")},
	}
	backwards, twice := slices.Clone(changes), slices.Concat(changes, changes[3:7])
	slices.Reverse(backwards)
	// Between two changes of b that are read, its removal comes last.
	late := slices.Concat(changes[:4], changes[5:], changes[4:5])
	for name, order := range map[string][]event{"in order": changes, "backwards": backwards, "twice": twice, "a late removal": late} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, d := removalsCase(t, "", `
      signup: {where: {$meta.event_name: [INSERT]}, keep: first, key: [id], columns: {id: {}, status: {}, since: {from: $meta.created_at, type: timestamp}}}
      paid:   {where: {status: [PAID]}, keep: first, key: [id], columns: {id: {}, since: {from: $meta.created_at, type: timestamp}}, on_delete: flag}
      code:   {keep: first, key: [code], columns: {code: {}, id: {}, status: {}}}`, order)
			wantRows(t, d, map[string]string{
				"SELECT id, status, epoch_ms(since) - 1709251200000 FROM w.signup ORDER BY ALL":                                         "a|NEW|1\nb|DRAFT|5\n",
				"SELECT id, epoch_ms(since) - 1709251200000, is_deleted, epoch_ms(deleted_at) - 1709251200000 FROM w.paid ORDER BY ALL": "a|2|false|<nil>\nb|6|false|<nil>\nc|2|true|3\n",
				"SELECT code, id, status FROM w.code ORDER BY ALL":                                                                      "x|a|NEW\ny|b|DRAFT\n",
			})
		})
	}
}

// TestTTLDeletes: rows of expired items go, stay or are flagged as their table or
// source says, and those that users delete as on_delete does. A row that was kept is
// released.
func TestTTLDeletes(t *testing.T) {
	t.Parallel()
	_, d := removalsCase(t, ", ttl_deletes: keep", `
      item:    {key: [id], columns: {id: {}, code: {}}}
      code:    {key: [code], columns: {code: {}, status: {}}}
      flagged: {key: [code], columns: {code: {}, status: {}}, ttl_deletes: flag}
      gone:    {key: [id], columns: {id: {}}, on_delete: keep, ttl_deletes: delete}
      first:   {key: [code], columns: {code: {}, status: {}}, keep: first}`,
		[]event{
			{"INSERT", 1, "a", attributes("ONE", "x"), ""},
			{"EXPIRE", 5, "a", "", attributes("ONE", "x")},
			{"INSERT", 1, "b", attributes("ONE", "y"), ""},
			{"REMOVE", 5, "b", "", attributes("ONE", "y")},
			{"INSERT", 1, "c", attributes("ONE", "z"), ""},
			{"EXPIRE", 5, "c", "", attributes("ONE", "z")},
			{"INSERT", 1, "e", attributes("ONE", "e"), ""},
			{"EXPIRE", 5, "e", "", attributes("ONE", "e")},
			{"INSERT", 1, "f", attributes("ONE", "f"), ""},
			{"EXPIRE", 5, "f", "", attributes("ONE", "f")},
		},
		[]event{
			{"INSERT", 7, "a", attributes("TWO", "other"), ""},                     // yields another key
			{"MODIFY", 3, "c", attributes("LATE", "late"), attributes("ONE", "z")}, // says that z had gone before
			{"MODIFY", 3, "e", attributes("LATE", "e"), attributes("ONE", "e")},    // says what the row was last
			{"INSERT", 7, "f", attributes("TWO", "f"), ""},                         // replaces the row
			{"REMOVE", 8, "f", "", attributes("TWO", "f")},                         // which a user may delete then
			{"EXPIRE", 5, "a", "", attributes("ONE", "x")},                         // delivered again
		})
	wantRows(t, d, map[string]string{
		"SELECT id, code FROM w.item ORDER BY ALL":                                                          "a|other\nc|late\ne|e\n",
		"SELECT code, status FROM w.code ORDER BY ALL":                                                      "e|LATE\nlate|LATE\nother|TWO\nx|ONE\nz|ONE\n",
		"SELECT code, status, is_deleted, epoch_ms(deleted_at) - 1709251200000 FROM w.flagged ORDER BY ALL": "e|LATE|true|5\nlate|LATE|true|5\nother|TWO|false|<nil>\nx|ONE|true|5\n",
		"SELECT id FROM w.gone ORDER BY ALL":                                                                "a\nb\nf\n",
		"SELECT code, status FROM w.first ORDER BY ALL":                                                     "e|ONE\nlate|LATE\nother|TWO\nx|ONE\nz|ONE\n",
	})
}

// TestRemovalsInLogs: a removal without an old image deletes in a log the rows that
// the key yields, and tables without a key archive removed items.
func TestRemovalsInLogs(t *testing.T) {
	t.Parallel()
	dir, d := removalsCase(t, "", `
      item:    {key: [id], columns: {id: {}, status: {}}}
      paid:    {where: {status: [PAID]}, key: [id], columns: {id: {from: id, after: "p-"}, status: {}}}
      code:    {where: {status: [PAID]}, key: [code], columns: {code: {}, id: {}}}
      other:   {where: {id: [{prefix: q-}], status: [PAID]}, key: [id], columns: {id: {}}}
      signup:  {where: {$meta.event_name: [INSERT]}, keep: first, key: [id], columns: {id: {}, status: {}}}
      removed: {where: {$meta.event_name: [REMOVE], $meta.ttl: [false]}, columns: {id: {}, status: {}}}
      expired: {where: {$meta.ttl: [true]}, columns: {id: {}, status: {}, event: {from: $meta.event_name}}}
      sold:    {where: {$meta: {event_name: [REMOVE]}, status: [PAID]}, columns: {id: {}}}
      all:     {columns: {id: {}, event: {from: $meta.event_name}}}`,
		[]event{
			{"INSERT", 1, "p-1", attributes("PAID", "x"), ""},
			{"MODIFY", 2, "p-1", attributes("SENT", "x"), attributes("PAID", "x")},
			{"REMOVE", 3, "p-1", "", ""},
			{"INSERT", 4, "p-2", attributes("PAID", "x"), ""},
			{"EXPIRE", 5, "p-2", "", attributes("PAID", "x")},
			{"REMOVE", 6, "p-3", "", attributes("NEW", "z")},
			{"EXPIRE", 7, "p-4", "", ""},
		})
	from := func(table string) string { return fmt.Sprintf("FROM read_parquet('%s/lake/%s/*.parquet')", dir, table) }
	wantRows(t, d, map[string]string{
		"SELECT _op, id, status " + from("item") + " ORDER BY _version, _op DESC":   "upsert|p-1|PAID\nupsert|p-1|SENT\ndelete|p-1|<nil>\nupsert|p-2|PAID\ndelete|p-2|PAID\ndelete|p-3|NEW\ndelete|p-4|<nil>\n",
		"SELECT _op, id, status " + from("paid") + " ORDER BY _version, _op DESC":   "upsert|1|PAID\ndelete|1|PAID\ndelete|1|<nil>\nupsert|2|PAID\ndelete|2|PAID\ndelete|4|<nil>\n",
		"SELECT _op, code, id " + from("code") + " ORDER BY _version, _op DESC":     "upsert|x|p-1\ndelete|x|p-1\nupsert|x|p-2\ndelete|x|p-2\n",
		"SELECT _op, id, status " + from("signup") + " ORDER BY _version, _op DESC": "upsert|p-1|PAID\ndelete|p-1|<nil>\nupsert|p-2|PAID\ndelete|p-2|PAID\ndelete|p-3|NEW\ndelete|p-4|<nil>\n",
		"SELECT _op, id, status " + from("removed") + " ORDER BY _version":          "upsert|p-1|<nil>\nupsert|p-3|NEW\n",
		"SELECT _op, id, status, event " + from("expired") + " ORDER BY _version":   "upsert|p-2|PAID|REMOVE\nupsert|p-4|<nil>|REMOVE\n",
		"SELECT _op, id " + from("sold"):                                            "upsert|p-2\n",
		"SELECT id, event " + from("all") + " ORDER BY _version":                    "p-1|INSERT\np-1|MODIFY\np-2|INSERT\n",
		"SELECT count(*) FROM glob('" + dir + "/lake/other/*.parquet')":             "0\n",
		"SELECT id FROM w.item":   "",
		"SELECT id FROM w.signup": "",
	})
}
