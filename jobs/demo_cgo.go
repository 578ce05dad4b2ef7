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
)

// demoReady says why the demo cannot run.
func demoReady() error { return nil }

const demoTables = `
SELECT 'customer' AS "table", count(*)::VARCHAR AS rows FROM customer UNION ALL
SELECT 'order', count(*)::VARCHAR FROM "order" UNION ALL
SELECT 'order_line', count(*)::VARCHAR FROM order_line
ORDER BY 1`

// demoGrowth compares each quarter with the same one a year before.
const demoGrowth = `
WITH revenue AS (
  SELECT country, category, year(orderdate) AS year, quarter(orderdate) AS quarter, sum(price) AS revenue
  FROM order_line JOIN "order" USING (orderid) JOIN customer USING (username)
  GROUP BY ALL
)
SELECT r.country, r.category, r.year::VARCHAR AS year, r.quarter::VARCHAR AS quarter, r.revenue::VARCHAR AS revenue,
       coalesce(((r.revenue - base.revenue) * 100 / nullif(base.revenue, 0))::DECIMAL(18, 1)::VARCHAR, '–') AS "growth %"
FROM revenue r LEFT JOIN revenue base
  ON base.country = r.country AND base.category = r.category AND base.year = r.year - 1 AND base.quarter = r.quarter
ORDER BY r.year DESC, r.quarter DESC, r.revenue DESC, r.country, r.category
LIMIT 12`

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
	fmt.Fprintln(w)
	if err := printQuery(ctx, w, db, demoTables); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nRevenue of the latest quarters, and its growth over the same quarter a year before\n\n")
	return printQuery(ctx, w, db, demoGrowth)
}

// printQuery prints the rows of a query whose columns are texts without nulls.
func printQuery(ctx context.Context, w io.Writer, db *sql.DB, query string) (err error) {
	rows, err := db.QueryContext(ctx, query)
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
