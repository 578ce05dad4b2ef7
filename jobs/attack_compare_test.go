package jobs

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sqlRow is SQL for a row of the columns as attackModel has it.
func sqlRow(columns ...string) string {
	for i, c := range columns {
		columns[i] = fmt.Sprintf("coalesce(CAST(%s AS VARCHAR), '%s')", c, sqlNull)
	}
	return strings.Join(columns, " || '|' || ")
}

// attackColumns are those of each table of rows, as the model has them.
var attackColumns = map[string][]string{
	"customer": {"id", "name", "city", "n"}, "purchase": {"id", "customer", "day", "n"},
	"line": {"purchase", "nr", "product", "price"}, "marker": {"id"},
}

// attackQueries read a warehouse the way the model has its tables; %s is the schema.
var attackQueries = map[string]string{
	"dim_customer": "SELECT " + sqlRow("id", "name", "city") + " FROM %[1]s.dim_customer WHERE customer_key <> 0 AND NOT is_inferred",
	"dim_city":     "SELECT " + sqlRow("city") + " FROM %[1]s.dim_city WHERE city_key <> 0",
	"dim_product":  "SELECT " + sqlRow("product") + " FROM %[1]s.dim_product WHERE product_key <> 0",
	"fact_line": "SELECT " + sqlRow("purchase", "nr", "c.id", "ci.city", "p.product", "d.date", "price", "of_customer") + ` FROM %[1]s.fact_line
		LEFT JOIN %[1]s.dim_customer c USING (customer_key) LEFT JOIN %[1]s.dim_city ci USING (city_key)
		LEFT JOIN %[1]s.dim_product p USING (product_key) LEFT JOIN %[1]s.dim_date d USING (date_key)`,
}

// differences lists what a round has left that is not as it should be.
type differences struct {
	dir string
	gap bool // it was told that something is lost: what is missing is no difference
	all []string
}

func (d *differences) add(format string, args ...any) {
	d.all = append(d.all, fmt.Sprintf(format, args...))
}

// most is how many rows of a difference are shown.
const most = 5

// rows compares rows without regard to their order; each counts as often as it is there.
func (d *differences) rows(what string, got, want []string) {
	count := map[string]int{}
	for _, r := range want {
		count[r]++
	}
	for _, r := range got {
		count[r]--
	}
	var missing, extra []string
	for _, r := range slices.Sorted(maps.Keys(count)) {
		switch n := count[r]; {
		case n > 0:
			missing = append(missing, fmt.Sprintf("%d × %s", n, r))
		case n < 0:
			extra = append(extra, fmt.Sprintf("%d × %s", -n, r))
		}
	}
	for _, of := range []struct {
		how  string
		rows []string
	}{{"missing", missing}, {"should not be there", extra}} {
		if len(of.rows) > 0 && !(d.gap && of.how == "missing") {
			d.add("%s: %d rows %s: %s", what, len(of.rows), of.how, strings.Join(of.rows[:min(most, len(of.rows))], "; "))
		}
	}
}

// nothing expects that a query finds nothing.
func (d *differences) nothing(what string, rows []string) {
	if len(rows) > 0 {
		d.add("%s: %s", what, strings.Join(rows[:min(most, len(rows))], "; "))
	}
}

// warehouse compares the tables of a warehouse with the model, but for customers
// whose rows it may have refused. query returns rows of one text.
func (d *differences) warehouse(name, schema string, m *attackModel, query func(string) []string, refuses bool) {
	for table, columns := range attackColumns {
		got, want := query(fmt.Sprintf("SELECT %s FROM %s.%s", sqlRow(slices.Clone(columns)...), schema, table)), m.tables[table]
		if table == "customer" && refuses {
			may := func(row string) bool { return m.refused[keyOfRow(table, row)] }
			got, want = slices.DeleteFunc(got, may), slices.DeleteFunc(slices.Clone(want), may)
		}
		d.rows(name+", "+table, got, want)
	}
	for table, q := range attackQueries {
		d.rows(name+", "+table, query(fmt.Sprintf(q, schema)), m.tables[table])
	}
	for _, of := range []string{"customer", "city", "product"} {
		d.nothing(name+", surrogate keys that are there twice", query(fmt.Sprintf("SELECT CAST(%[2]s_key AS VARCHAR) FROM %[1]s.dim_%[2]s GROUP BY %[2]s_key HAVING count(*) > 1", schema, of)))
	}
	d.nothing(name+", inferred members that were seen", slices.DeleteFunc(query(fmt.Sprintf("SELECT id FROM %s.dim_customer WHERE is_inferred", schema)),
		func(id string) bool {
			return !slices.ContainsFunc(m.tables["dim_customer"], func(row string) bool { return keyOfRow("customer", row) == id })
		}))
	d.nothing(name+", epochs that are there twice", query(fmt.Sprintf("SELECT CAST(epoch AS VARCHAR) FROM %s.starlift_epochs GROUP BY epoch HAVING count(*) > 1", schema)))
}

// refused compares the list of rows that a server has not because it refused them
// with the customers that are not there: one whose update was refused may be as it
// was before.
func (d *differences) refused(m *attackModel, query func(string) []string, schema string) {
	there := query("SELECT id FROM " + schema + ".customer")
	var missing []string
	for key := range m.refused {
		if !slices.Contains(there, key) {
			missing = append(missing, key)
		}
	}
	d.rows("server, rows that are listed as refused", query("SELECT key->>0 FROM "+schema+".starlift_refused"), missing)
}

// read returns a query's rows of a table in a lake.
func (d *differences) read(query func(string) []string, what, mode, table, rest string) []string {
	files := filepath.Join(d.dir, "lake", mode, table, "*.parquet")
	if found, err := filepath.Glob(files); err != nil || len(found) == 0 {
		return nil
	}
	return query(fmt.Sprintf("SELECT %s FROM read_parquet('%s') %s", what, files, rest))
}

// logs compares the files of the modes that keep everything with the model.
func (d *differences) logs(m *attackModel, query func(string) []string) {
	logged := map[string]map[string][]string{"upsert": {}, "delete": {}} // by operation and table
	for _, row := range m.log {
		logged[row.op][row.table] = append(logged[row.op][row.table], row.row)
	}
	for table, columns := range attackColumns {
		row, key := sqlRow(slices.Clone(columns)...), sqlRow(slices.Clone(columns[:attackKeys[table]])...)
		d.rows("changes, upserts of "+table, d.read(query, row, "changes", table, "WHERE _op = 'upsert'"), logged["upsert"][table])
		d.rows("changes, deletes of "+table, d.read(query, key, "changes", table, "WHERE _op = 'delete'"), logged["delete"][table])
		d.rows("append, "+table, d.read(query, row, "append", table, ""), logged["upsert"][table])
	}
}

// newest compares what is the newest in the files with the tables.
func (d *differences) newest(m *attackModel, query func(string) []string) {
	for table, columns := range attackColumns {
		row, key := sqlRow(slices.Clone(columns)...), sqlRow(slices.Clone(columns[:attackKeys[table]])...)
		keys := strings.Join(columns[:attackKeys[table]], ", ")
		of := func(mode, order string) []string {
			found := d.read(query, "CASE _op WHEN 'upsert' THEN "+row+" END", mode, table,
				fmt.Sprintf("QUALIFY row_number() OVER (PARTITION BY %s ORDER BY %s) = 1", keys, order))
			return slices.DeleteFunc(found, func(row string) bool { return row == "" }) // a delete
		}
		d.rows("changes, newest of "+table, of("changes", "_version DESC, _position DESC"), m.tables[table])
		d.rows("latest, newest of "+table, of("latest", "_epoch DESC"), m.tables[table])
		d.nothing("latest, two rows of one key and epoch in "+table, d.read(query, key, "latest", table, fmt.Sprintf("GROUP BY %s, _epoch HAVING count(*) > 1", keys)))
		if slices.Contains(columns, "n") {
			d.nothing("changes, versions in another order than the changes in "+table, d.read(query, "CAST(n AS VARCHAR)", "changes", table,
				"WHERE _op = 'upsert' QUALIFY n < max(n) OVER (ORDER BY _version ROWS UNBOUNDED PRECEDING)"))
		}
	}
}

// letters compares the dead letters with the model: each as often as its record
// was fed.
func (d *differences) letters(t *testing.T, m *attackModel, refuses bool) {
	var got []string
	for _, l := range writtenLetters(t, filepath.Join(d.dir, "data/dead-letters/attack")) {
		if l.Reason == "refused" && l.Node == "server" && refuses {
			continue // how many depends on where epochs were cut
		}
		var r attackRecord
		if err := json.Unmarshal([]byte(l.Record), &r); err != nil || r.EventID == "" {
			d.add("a dead letter that nobody expects: %+v", l)
			continue
		}
		got = append(got, r.EventID)
	}
	d.rows("dead letters", got, m.letters)
}

// leftovers looks for what should be gone when nothing is under way.
func (d *differences) leftovers() {
	for _, glob := range []string{"data/state/attack/spool/*/*", "lake/*/*/.*", "data/dead-letters/attack/.*", "data/dead-letters/attack/*.tmp"} {
		found, err := filepath.Glob(filepath.Join(d.dir, glob))
		if err != nil {
			d.add("%v", err)
		}
		d.nothing("left over", found)
	}
}

// leave writes the differences down.
func (d *differences) leave() error {
	return os.WriteFile(filepath.Join(d.dir, "differences.txt"), []byte(strings.Join(d.all, "\n")+"\n"), 0o600)
}
