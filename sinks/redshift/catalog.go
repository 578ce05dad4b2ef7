package redshift

import (
	"context"
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// relation selects the table $2 of schema $1. Names are stored as they were folded.
const relation = `FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`

func (t *tx) folded(table string) []any {
	return []any{warehouse.FoldASCII(t.Schema), warehouse.FoldASCII(table)}
}

// relationKinds are what has a table's name and is none, by the catalogue's letter.
var relationKinds = map[string]string{"v": "a view", "m": "a materialized view", "f": "a foreign table", "i": "an index", "S": "a sequence", "c": "a type"}

// tableRights are what a flush needs: UPDATE where others have added columns, or with LOCK.
var tableRights = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}

// FindTable implements warehouse.TableReader.
func (t *tx) FindTable(ctx context.Context, table string) (*warehouse.FoundTable, error) {
	list := "c.relkind"
	for _, right := range tableRights {
		list += fmt.Sprintf(", CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, '%s') THEN 1 ELSE 0 END", strings.ToLower(right))
	}
	rows, err := t.Query(ctx, "SELECT "+list+" "+relation+" WHERE n.nspname = $1 AND c.relname = $2", t.folded(table)...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	found := &warehouse.FoundTable{}
	if kind := rows[0][0]; kind != "r" {
		found.Kind = relationKinds[kind]
		if found.Kind == "" {
			found.Kind = "something else"
		}
		return found, nil
	}
	var lacks []string
	for i, right := range tableRights {
		if rows[0][1+i] != "1" {
			lacks = append(lacks, right)
		}
	}
	if lacks != nil {
		list := strings.Join(lacks, ", ")
		found.Problem = fmt.Sprintf("is there, and the user of dsn may not %s there: GRANT %s ON %s", list, list, t.in(table))
	}
	return found, nil
}

// TableColumns implements warehouse.TableReader.
func (t *tx) TableColumns(ctx context.Context, table string) (warehouse.Columns, error) {
	rows, err := t.Query(ctx, `SELECT a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 1 ELSE 0 END, CASE WHEN a.atthasdef THEN 1 ELSE 0 END, CASE WHEN d.adsrc LIKE '"identity"(%' THEN 1 ELSE 0 END `+
		relation+` JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped`, t.folded(table)...)
	if err != nil {
		return nil, err
	}
	found := warehouse.Columns{}
	for _, r := range rows {
		found[r[0]] = warehouse.Column{Type: r[1], NotNull: r[2] == "1", HasDefault: r[3] == "1", Generated: r[4] == "1"}
	}
	return found, nil
}
