package syntax

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// entry is a statement of the corpora, and what Redshift does with it.
type entry struct {
	ID, SQL, Expect, Level string
	Setup                  []string
}

// readCorpora returns the entries of the corpora that are statements.
func readCorpora(t testing.TB) []entry {
	files, err := filepath.Glob("../testdata/corpus*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpora: %v", err)
	}
	var all []entry
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			var e entry
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !strings.HasPrefix(e.SQL, "-- ") {
				all = append(all, e)
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// notByText are entries whose verdict the corpora ascribe to the text, and who refuses them.
var notByText = map[string]string{
	"rs-dml-040": "E'…' is a literal of the type e, which package translate does not find",
}

// TestCorpora holds the parser against the corpora, as far as the text alone decides: what
// Redshift takes is read, and what its grammar does not have is refused.
func TestCorpora(t *testing.T) {
	t.Parallel()
	for _, e := range readCorpora(t) {
		for _, sql := range e.Setup {
			if _, err := Parse(sql); err != nil {
				t.Errorf("%s: %s: %v", e.ID, sql, err)
			}
		}
		_, err := Parse(e.SQL)
		var pg *pgconn.PgError
		switch {
		case e.Expect == "ok" && err != nil:
			t.Errorf("%s: %s: %v", e.ID, e.SQL, err)
		case e.Level != "syntax" || notByText[e.ID] != "":
		case !errors.As(err, &pg):
			t.Errorf("%s: %s: taken", e.ID, e.SQL)
		case pg.Code != "42601" && pg.Code != "0A000":
			t.Errorf("%s: %s: %v", e.ID, e.SQL, err)
		}
	}
}

// TestReformatted writes statements that are taken with a comment and the end of a line
// between all tokens, and in capital letters: they stay what they were.
func TestReformatted(t *testing.T) {
	t.Parallel()
	statements := make([]string, 0, len(taken))
	for _, c := range taken {
		statements = append(statements, c[0])
	}
	for _, c := range understood {
		statements = append(statements, "select "+c.sql)
	}
	for _, e := range readCorpora(t) {
		if e.Expect == "ok" {
			statements = append(statements, e.SQL)
		}
	}
	for _, sql := range statements {
		before, err := Parse(sql)
		if err != nil {
			continue // another test says so
		}
		again := spread(sql)
		after, err := Parse(again)
		if err != nil || len(after) != len(before) {
			t.Errorf("%s: %d statements, %v", again, len(after), err)
			continue
		}
		for i := range before {
			if was, is := says(before[i]), says(after[i]); was != is {
				t.Errorf("%s was\n\t%s\nand is\n\t%s", sql, was, is)
			}
		}
	}
}

// says returns what a statement says but for the case of letters, and for what is kept of
// its text as it was.
func says(t Text) string {
	switch s := t.Statement.(type) {
	case *Prepare:
		s.Of.SQL = ""
	case *CreateView:
		s.QuerySQL = ""
	case *Policy:
		s.UsingSQL = ""
	case *CreateMaterializedView:
		s.QuerySQL = ""
	case *CreateTable:
		for i := range s.Columns {
			s.Columns[i].DefaultSQL = ""
		}
	case *AlterTable:
		if a, ok := s.Actions[0].(*AddColumn); ok {
			a.Column.DefaultSQL = ""
		}
	}
	return Fold(dump(t.Statement))
}

// spread writes every token on a line of its own, behind a comment, and words in capitals.
func spread(sql string) string {
	var b strings.Builder
	l := &lexer{source: sql}
	for t := l.next(); t.kind != endOfInput; t = l.next() {
		raw := sql[t.pos:t.end]
		if t.kind == word {
			raw = strings.Map(func(r rune) rune {
				if 'a' <= r && r <= 'z' {
					return r - 'a' + 'A'
				}
				return r
			}, raw)
		}
		b.WriteString("/* 'it /* nests */ */" + raw + " -- \"\n")
	}
	return b.String()
}
