//go:build cgo

package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	_ "github.com/duckdb/duckdb-go/v2" // the driver "duckdb"

	"github.com/starlift-etl/starlift/configs"
)

// demoReady says why the demo cannot run.
func demoReady() error { return nil }

const demoTables = `
SELECT 'dim_customer' AS "table", count(*) AS rows FROM dim_customer UNION ALL
SELECT 'dim_address', count(*) FROM dim_address UNION ALL
SELECT 'dim_product', count(*) FROM dim_product UNION ALL
SELECT 'dim_date', count(*) FROM dim_date UNION ALL
SELECT 'fact_order', count(*) FROM fact_order`

// queryDemo prints what the demo's warehouse holds.
func queryDemo(ctx context.Context, w io.Writer, path string) (err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return fmt.Errorf("DuckDB: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // USE is of one connection
	attach := "ATTACH '" + strings.ReplaceAll(path, "'", "''") + "' AS demo (READ_ONLY); USE demo"
	if _, err := db.ExecContext(ctx, attach); err != nil {
		return fmt.Errorf("DuckDB: %w", err)
	}
	fmt.Fprintf(w, "\nThe star's tables; a dimension has the unknown member too, key 0\n\n")
	if err := printQuery(ctx, w, db, demoTables); err != nil {
		return err
	}
	growth, err := configs.Demo.ReadFile(configs.DemoQuery)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nRevenue of the latest quarters, and its growth in %% over the same quarter a year before\n\n")
	return printQuery(ctx, w, db, string(growth))
}

// printQuery prints the rows of a query, nulls as –.
func printQuery(ctx context.Context, w io.Writer, db *sql.DB, query string) (err error) {
	rows, err := db.QueryContext(ctx, "SELECT coalesce(COLUMNS(*)::VARCHAR, '–') FROM (\n"+query+"\n)")
	if err != nil {
		return fmt.Errorf("DuckDB: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("DuckDB: %w", err)
	}
	lines := [][]string{names}
	for rows.Next() {
		line := make([]string, len(names))
		into := make([]any, len(names))
		for i := range line {
			into[i] = &line[i]
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("DuckDB: %w", err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("DuckDB: %w", err)
	}
	return printLines(w, lines)
}

// printLines aligns columns; those whose last cell is a number, to the right.
func printLines(w io.Writer, lines [][]string) error {
	widths := make([]int, len(lines[0]))
	right := make([]bool, len(widths))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			right[i] = strings.Trim(cell, "-–.0123456789") == ""
		}
	}
	b := &strings.Builder{}
	for _, line := range lines {
		row := " "
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right[i] {
				row += " " + pad + cell + " "
			} else {
				row += " " + cell + pad + " "
			}
		}
		b.WriteString(strings.TrimRight(row, " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
