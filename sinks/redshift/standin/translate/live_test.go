package translate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// shared is the cluster of this package's tests.
var shared struct {
	sync.Once
	cluster *backend.Cluster
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Close(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var made atomic.Int64

// session runs Redshift's statements on a database of its own.
type session struct {
	t    *testing.T
	conn *backend.Conn
	env  *translate.Env
}

func newSession(t *testing.T) *session {
	t.Helper()
	shared.Do(func() { shared.cluster, shared.err = backend.Open(context.Background(), backend.Options{}) })
	if errors.Is(shared.err, pgserver.ErrNone) && os.Getenv("CI") == "" {
		t.Skip(shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name := fmt.Sprintf("db%d", made.Add(1))
	if err := shared.cluster.CreateDatabase(t.Context(), name, "", backend.Snapshot); err != nil {
		t.Fatal(err)
	}
	conn, err := shared.cluster.Connect(t.Context(), name, "awsuser")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return &session{t: t, conn: conn, env: &translate.Env{Database: "dev", User: "awsuser", Session: answers, Setting: settings}}
}

func answers(name string) (string, bool) {
	return "0", name == "version" || strings.HasPrefix(name, "pg_last")
}

func settings(name string) (string, bool) { return "", name == "query_group" }

// try runs a text, and returns the last statement's rows: values by |, NULL as ~.
func (s *session) try(sql string) ([]string, error) {
	texts, err := syntax.Parse(sql)
	if err != nil {
		return nil, err
	}
	var rows []string
	for i := range texts {
		if rows, err = s.one(&texts[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (s *session) one(text *syntax.Text) ([]string, error) {
	plan, err := translate.Statement(s.t.Context(), text, s.env, s.conn)
	if err != nil {
		return nil, err
	}
	if err := s.conn.KeepNames(s.t.Context(), plan.Names...); err != nil {
		return nil, err
	}
	for _, c := range plan.Checks {
		rows, err := s.conn.Query(s.t.Context(), c.SQL)
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			return nil, &c.Error
		}
	}
	var out []string
	for _, sql := range plan.SQL {
		rows, err := s.conn.Query(s.t.Context(), sql)
		if err != nil {
			return nil, fmt.Errorf("%w\n\tof %s", err, sql)
		}
		out = nil
		for _, r := range rows {
			line := make([]string, len(r))
			for i, v := range r {
				line[i] = v.Text
				if v.Null {
					line[i] = "~"
				}
			}
			out = append(out, strings.Join(line, "|"))
		}
	}
	return out, nil
}
