package translate_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// statement is a case of testdata: a text, and what becomes of it.
type statement struct {
	line    int
	sql     string
	rows    []string // of "= row"; "=0" is none
	checked bool     // whether rows were told
	refusal string   // of "! SQLSTATE a part of the message"
}

// statements reads a file of testdata. Its cases stand between blank lines: a text, and then
// lines of what it gives. What begins with # is a comment.
func statements(t *testing.T, file string) []statement {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []statement
	var now statement
	for i, line := range append(strings.Split(string(text), "\n"), "") {
		switch {
		case line == "" && now.sql != "":
			all = append(all, now)
			now = statement{}
		case line == "", strings.HasPrefix(line, "#"):
		case line == "=0":
			now.checked = true
		case strings.HasPrefix(line, "= "):
			now.rows, now.checked = append(now.rows, line[2:]), true
		case strings.HasPrefix(line, "! "):
			now.refusal = line[2:]
		case now.sql == "":
			now.line, now.sql = i+1, line
		default:
			now.sql += "\n" + line
		}
	}
	return all
}

// TestStatements runs the files of testdata, each on a database of its own.
func TestStatements(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := newSession(t)
			for _, st := range statements(t, file) {
				s.check(file, st)
			}
		})
	}
}

func (s *session) check(file string, st statement) {
	s.t.Helper()
	rows, err := s.try(st.sql)
	var e *pgconn.PgError
	switch {
	case st.refusal != "":
		code, message, _ := strings.Cut(st.refusal, " ")
		if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, message) {
			s.t.Errorf("%s:%d: %s\n\tgives %v %q\n\twant %s", file, st.line, st.sql, err, rows, st.refusal)
		}
	case err != nil:
		s.t.Errorf("%s:%d: %s\n\t%v", file, st.line, st.sql, err)
	default:
		s.checkTypes(file, st)
	}
	if err == nil && st.checked && strings.Join(rows, "\n") != strings.Join(st.rows, "\n") {
		s.t.Errorf("%s:%d: %s\n\tgives %q\n\twant  %q", file, st.line, st.sql, rows, st.rows)
	}
}

// checkTypes compares the types that the plan tells of a query's columns with PostgreSQL's
// own: a client is told these.
func (s *session) checkTypes(file string, st statement) {
	s.t.Helper()
	texts, err := syntax.Parse(st.sql)
	if err != nil {
		s.t.Error(err)
		return
	}
	if _, ok := texts[0].Statement.(*syntax.SelectStatement); !ok {
		return
	}
	plan, err := translate.Statement(s.t.Context(), &texts[0], s.env, s.conn)
	if err != nil || len(plan.Columns) == 0 {
		return
	}
	var names, types []string
	for i := range plan.Columns {
		names = append(names, fmt.Sprintf(`"c%d"`, i))
		types = append(types, fmt.Sprintf(`pg_typeof(x."c%d")`, i))
	}
	rows, err := s.conn.Query(s.t.Context(), "SELECT "+strings.Join(types, ", ")+" FROM (VALUES (1)) AS one LEFT JOIN ("+
		plan.SQL[0]+") AS x("+strings.Join(names, ", ")+") ON true LIMIT 1")
	if err != nil {
		s.t.Errorf("%s:%d: %s\n\t%v", file, st.line, st.sql, err)
		return
	}
	for i, c := range plan.Columns {
		got := strings.TrimPrefix(rows[0][i].Text, "rs.")
		want := strings.NewReplacer("binary varying", "varbyte", "interval day to second", "interval", "interval year to month", "interval").Replace(c.Name)
		if want != "" && got != want && !(want == "character varying" && (got == "text" || got == "character")) {
			s.t.Errorf("%s:%d: %s\n\tcolumn %d is of type %s, and the plan says %s", file, st.line, st.sql, i+1, got, want)
		}
	}
}

// TestEveryFunction finds a call of each function of the lists in testdata, so that none is
// there that PostgreSQL does not have.
func TestEveryFunction(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, file := range files {
		for _, st := range statements(t, file) {
			if st.refusal != "" {
				continue
			}
			for _, word := range strings.FieldsFunc(strings.ToLower(st.sql), func(r rune) bool {
				return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
			}) {
				called[word] = true
			}
		}
	}
	for _, name := range translate.FunctionNames() {
		if !called[name] {
			t.Errorf("function %s is called by no statement of testdata", name)
		}
	}
}
