package translate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// memory is a catalog of some tables.
type memory map[string]*translate.Relation

func (m memory) Relation(_ context.Context, _, name string) (*translate.Relation, error) {
	return m[name], nil
}

func (m memory) Schema(_ context.Context, name string) (bool, error) { return name == "public", nil }

func (m memory) Dependents(context.Context, uint32, string) ([]translate.Target, error) {
	return nil, nil
}

func (m memory) Routines(context.Context, string, string) ([]translate.Routine, error) {
	return nil, nil
}

func (m memory) Contents(context.Context, string) ([]translate.Target, error)      { return nil, nil }
func (m memory) Policy(context.Context, string, string) (*translate.Policy, error) { return nil, nil }

func someTables() memory {
	column := func(name, ty string) translate.Column {
		return translate.Column{Name: name, Type: translate.Type{Name: ty, Length: 20}}
	}
	m := memory{}
	for i, name := range []string{"t", "s", "u", "w", "c", "customer", "sales", "idt", "m"} {
		m[name] = &translate.Relation{OID: uint32(i + 1), Schema: "public", Name: name, Columns: []translate.Column{
			column("id", "integer"), column("nm", "character varying"), column("v", "super"), column("amt", "numeric"), column("at", "timestamp without time zone"),
		}}
	}
	m["view"] = &translate.Relation{OID: 90, Schema: "public", Name: "view", Kind: translate.LateBindingView, Definition: "select * from view"}
	m["pg_class"] = &translate.Relation{OID: 91, Schema: "pg_catalog", Name: "pg_class", Kind: translate.SystemView}
	return m
}

// FuzzStatement translates whatever parses: it ends, and what is refused is refused with a
// SQLSTATE.
func FuzzStatement(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "\n\n") {
			sql, _, _ := strings.Cut(part, "\n=")
			sql, _, _ = strings.Cut(sql, "\n!")
			f.Add(sql)
		}
	}
	f.Add("select * from view")
	f.Add("select x from (select 1 as x) a, pg_class where exists (select 1 from t where t.id = a.x)")
	catalog := someTables()
	f.Fuzz(func(t *testing.T, sql string) {
		texts, err := syntax.Parse(sql)
		if err != nil {
			return
		}
		for i := range texts {
			env := &translate.Env{Database: "dev", User: "awsuser", Nondeterministic: true, Session: answers, Setting: settings}
			plan, err := translate.Statement(context.Background(), &texts[i], env, catalog)
			var e *pgconn.PgError
			if err != nil && (!errors.As(err, &e) || e.Code == "" || e.Message == "") {
				t.Errorf("%s\n\tis refused with %v", sql, err)
			}
			if plan == nil {
				t.Errorf("%s\n\thas no plan", sql)
			}
		}
	})
}
