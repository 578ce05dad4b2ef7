package translate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
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
	case st.checked && strings.Join(rows, "\n") != strings.Join(st.rows, "\n"):
		s.t.Errorf("%s:%d: %s\n\tgives %q\n\twant  %q", file, st.line, st.sql, rows, st.rows)
	}
}
