package duckdb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// anyCharacter makes a path match itself only, where read_parquet takes globs.
var anyCharacter = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// staging returns the spooled rows with one of the operations, as a table. A
// folder whose name looks like a partition, a=b, must not become a column.
func staging(file string, ops []pipeline.Op) string {
	of := make([]string, len(ops))
	for i, op := range ops {
		of[i] = strconv.Itoa(int(op))
	}
	return fmt.Sprintf("read_parquet(%s, hive_partitioning = false) WHERE %s IN (%s)", literal(anyCharacter.Replace(file)), quote(opColumn), strings.Join(of, ", "))
}

// onKey compares the keys of t and s. Keys are never null.
func onKey(st *staged) string {
	on := make([]string, len(st.Key))
	for i, k := range st.Key {
		on[i] = fmt.Sprintf("t.%s = s.%s", quote(k), quote(k))
	}
	return strings.Join(on, " AND ")
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

// deleteRows returns the statement that takes out the keys of spooled rows.
func deleteRows(schema string, st *staged, file string, ops []pipeline.Op) string {
	return fmt.Sprintf("DELETE FROM %s.%s t USING (SELECT %s FROM %s) s WHERE %s",
		quote(schema), quote(st.Table), quoted(st.Key), staging(file, ops), onKey(st))
}

// insertRows returns the statement that puts in spooled rows.
func insertRows(schema string, st *staged, file string, ops []pipeline.Op) string {
	list := quoted(st.Columns)
	return fmt.Sprintf("INSERT INTO %s.%s (%s) SELECT %s FROM %s", quote(schema), quote(st.Table), list, list, staging(file, ops))
}

// updateRows returns the statement that updates rows in place; empty = there
// are only key columns, which never change.
func updateRows(schema string, st *staged, file string) string {
	var set []string
	for _, c := range st.Columns {
		if !slices.Contains(st.Key, c) {
			set = append(set, fmt.Sprintf("%s = s.%s", quote(c), quote(c)))
		}
	}
	if set == nil {
		return ""
	}
	return fmt.Sprintf("UPDATE %s.%s t SET %s FROM (SELECT %s FROM %s) s WHERE %s", quote(schema), quote(st.Table),
		strings.Join(set, ", "), quoted(st.Columns), staging(file, []pipeline.Op{pipeline.OpUpdate}), onKey(st))
}
