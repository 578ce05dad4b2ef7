package syntax

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// FuzzParse holds what is true of every text: an error names a place in it, and a statement
// that is taken says the same when its tree is printed and read again.
func FuzzParse(f *testing.F) {
	for _, c := range taken {
		f.Add(c[0])
	}
	for _, c := range understood {
		f.Add("select " + c.sql)
	}
	for _, marked := range slices.Concat(refused, refusedObjects) {
		f.Add(strings.Replace(marked, "¦", "", 1))
	}
	for _, e := range readCorpora(f) {
		if len(e.SQL) < 1000 {
			f.Add(e.SQL)
		}
	}
	f.Fuzz(func(t *testing.T, sql string) {
		all, err := Parse(sql)
		if err != nil {
			checkError(t, sql, err)
			return
		}
		for _, text := range all {
			again, err := Parse(text.SQL)
			if err != nil || len(again) != 1 || dump(text) != dump(again[0]) {
				t.Fatalf("%q alone is not what it is in %q: %v", text.SQL, sql, err)
			}
			if printable(text.Statement) {
				checkPrinted(t, text.Statement)
			}
		}
	})
}

func checkError(t *testing.T, sql string, err error) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code == "" || pg.Message == "" || pg.Severity != "ERROR" {
		t.Fatalf("%q: %v", sql, err)
	}
	if pg.Position < 0 || int(pg.Position) > len([]rune(sql))+1 {
		t.Fatalf("%q: position %d", sql, pg.Position)
	}
}

// printable tells whether printStatement knows a statement: all but those of tables and
// sessions.
func printable(s Statement) bool {
	switch s := s.(type) {
	case *Explain:
		return printable(s.Of)
	case *SelectStatement, *Insert, *Update, *Delete, *Merge, *Truncate, *Prepare, *Execute, *Deallocate,
		*DeclareCursor, *Fetch, *CloseCursor, *CallProcedure:
		return true
	}
	return false
}

// TestLongInsert reads INSERTs of 16 MB, which is the most that a statement may have. What
// is allocated stays within a multiple of the text.
func TestLongInsert(t *testing.T) {
	for _, c := range []struct {
		row   string
		times uint64 // of the text's size
	}{
		{"(1234567, 'some text', 1.25, '2024-01-02 03:04:05', null, true)", 8},
		{"(1)", 32},
	} {
		sql := longInsert(c.row)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		all, err := Parse(sql)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		rows := all[0].Statement.(*Insert).Rows
		if want := strings.Count(sql, "("); len(rows) != want {
			t.Errorf("%d rows of %d", len(rows), want)
		}
		if last := dump(rows[len(rows)-1]); last != dump(rows[0]) || cap(rows[0]) > len(rows[0])+8 {
			t.Errorf("the last row is %s", last)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > c.times*uint64(len(sql)) {
			t.Errorf("%d bytes were allocated for %d of text", got, len(sql))
		}
	}
}
