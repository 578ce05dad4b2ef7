package pgconn_test

import (
	"testing"

	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// TestBatch: a batch is run in its order, and none of it behind what fails. Its statements are prepared
// once, unless transactions are in another session than the connection's own.
func TestBatch(t *testing.T) {
	cfg, err := pgconn.Parse(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	for session, prepared := range map[string]string{"pg_backend_pid()": "4", "pg_backend_pid() + 1": "0"} {
		c, err := pgconn.Connect(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		begin := "SELECT " + session + ", 'now'"
		if err := c.Begin(t.Context(), "BEGIN; "+begin); err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			b := &pgconn.Batch{}
			b.Add("BEGIN")
			b.AddSession(begin)
			b.Add("SELECT g FROM generate_series(1, $1::int) g", int64(2))
			b.Add("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'starlift%'")
			results, err := c.Run(t.Context(), b)
			if err != nil || len(results) != 4 {
				t.Fatalf("%d results: %v", len(results), err)
			}
			if got := results[2]; got.Count != 2 || len(got.Rows) != 2 || got.Rows[1][0] != "2" {
				t.Errorf("the query has the result %v", got)
			}
			if got := results[3].Rows[0][0]; got != prepared {
				t.Errorf("%s: %s statements are prepared, want %s", session, got, prepared)
			}
			if err := c.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		b := &pgconn.Batch{}
		for _, divisor := range []int64{1, 0, 2} {
			b.Add("SELECT 6 / $1::int", divisor)
		}
		if results, err := c.Run(t.Context(), b); pgconn.Code(err) != "22012" || len(results) != 1 {
			t.Errorf("a division by zero behind another division: %d results, %v", len(results), err)
		}
		c.Close(t.Context())
	}
}
