package jobs

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/internal/oracle"
)

// duckdbFile is the warehouse that a pipeline file names: it is only read here.
type duckdbFile string

func (duckdbFile) into(*assembly.Pipeline) {}

// rows returns all tables but those of starlift's own.
func (f duckdbFile) rows() (found map[string][]oracle.Row, err error) {
	db, err := sql.Open("duckdb", string(f)+"?access_mode=READ_ONLY&threads=1")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	columns, texts := map[string][]string{}, map[string][]string{}
	names, err := scan(db, "SELECT table_name, column_name, CASE WHEN data_type LIKE '%[]' THEN 'to_json(\"' || column_name || '\")::VARCHAR' ELSE '\"' || column_name || '\"::VARCHAR' END FROM duckdb_columns() WHERE schema_name = 'main' ORDER BY table_name, column_index", 3)
	if err != nil {
		return nil, err
	}
	for _, r := range names {
		if table := r[0].String; !strings.HasPrefix(table, "starlift_") {
			columns[table], texts[table] = append(columns[table], r[1].String), append(texts[table], r[2].String)
		}
	}
	found = map[string][]oracle.Row{}
	for table, names := range columns {
		rows, err := scan(db, fmt.Sprintf(`SELECT %s FROM "%s"`, strings.Join(texts[table], ", "), table), len(names))
		if err != nil {
			return nil, err
		}
		found[table] = []oracle.Row{}
		for _, r := range rows {
			row := oracle.Row{}
			for i, v := range r {
				if v.Valid {
					row[names[i]] = v.String
				}
			}
			found[table] = append(found[table], row)
		}
	}
	return found, nil
}

// scan returns the rows of a query with so many columns of text.
func scan(db *sql.DB, query string, columns int) (all [][]sql.NullString, err error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]sql.NullString, columns)
	into := make([]any, columns)
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, slices.Clone(values))
	}
	return all, rows.Err()
}
