package redshift

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// script is a session that notes statements for people. Each of them touches, or returns, one row.
type script struct{ statements []string }

// Exec implements warehouse.Session.
func (s *script) Exec(_ context.Context, statement string, args ...any) (int64, error) {
	s.note(statement, args)
	return 1, nil
}

// Query implements warehouse.Session.
func (s *script) Query(_ context.Context, query string, args ...any) ([][]string, error) {
	s.note(query, args)
	return [][]string{{"1"}}, nil
}

// note adds a statement. What its parameters are stands behind it: numbers and times are those of
// the flush.
func (s *script) note(statement string, args []any) {
	statement += ";"
	for i, a := range args {
		if i == 0 {
			statement += " --"
		}
		switch a.(type) {
		case int64:
			a = "<number>"
		case time.Time:
			a = "<time>"
		}
		statement += fmt.Sprintf(" $%d = %v", i+1, a)
	}
	s.statements = append(s.statements, statement)
}

// exampleLoader is a loader of which only its example is run.
type exampleLoader struct{ loader }

func (l exampleLoader) load(ctx context.Context, t *tx, _ string, _ int64, s *warehouse.StagedTable, to *stageTable) (int64, error) {
	for _, statement := range l.examples(s, to) {
		if _, err := t.Exec(ctx, statement); err != nil {
			return 0, err
		}
	}
	return s.Rows(), nil
}

// DDL implements pipeline.DDLWriter.
func (s *Sink) DDL(name string, tables []*pipeline.Table) string {
	token := tokens(warehouse.Owner{Pipeline: name, Sink: s.name})
	return s.Sink.DDL(name, tables) + s.db.dialect.CreateTable(s.cfg.Schema, token) + ";\n"
}

// LoadStatements implements pipeline.LoadWriter: it runs a flush of one updated row a table on a
// script.
func (s *Sink) LoadStatements(name string, tables []*pipeline.Table) string {
	out := &script{}
	ctx, t := context.Background(), s.db.tx(out, committing)
	t.loader, t.assumed = exampleLoader{s.loader}, true
	owner := warehouse.Owner{Pipeline: name, StateID: "<state folder>", Sink: s.name}
	err := s.writeFlush(ctx, t, owner, tables)
	text := strings.Join(append(append([]string{begin + ";"}, out.statements...), "COMMIT;"), "\n") + "\n"
	text = strings.ReplaceAll(text, "<pipeline>", keyName(name)) // of the loader's examples
	if err != nil {
		return text + "-- " + err.Error() + "\n" // none of the statements can fail
	}
	return text
}

// writeFlush runs a flush of one updated row a table.
func (s *Sink) writeFlush(ctx context.Context, t *tx, o warehouse.Owner, tables []*pipeline.Table) error {
	if err := t.LockToken(ctx, o); err != nil {
		return err
	}
	if _, err := t.LastEpoch(ctx, o); err != nil {
		return err
	}
	for _, table := range tables {
		staged := &warehouse.StagedTable{Table: table.Name, Key: warehouse.KeyOf(table), Updates: 1}
		for _, c := range table.Columns {
			staged.Columns, staged.Types = append(staged.Columns, c.Name), append(staged.Types, c.Type.String())
		}
		if err := t.Apply(ctx, &warehouse.Files{}, staged, nil); err != nil {
			return err
		}
	}
	return t.RecordEpoch(ctx, warehouse.Audit{Owner: o, Epoch: 1, Rows: int64(len(tables)), Started: time.Unix(0, 0), Ended: time.Unix(0, 0)})
}
