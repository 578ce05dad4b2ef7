package pgconn

import (
	"context"
	"errors"
	"fmt"

	pgx "github.com/jackc/pgx/v5/pgconn"
)

// Batch is statements that are sent in one request. The server runs them in their order, and
// none behind one that fails.
type Batch struct {
	statements []statement
}

type statement struct {
	text    string
	values  [][]byte
	formats []int16
	begins  bool
}

// binaryFormat is the protocol's number of it, for all parameters.
const binaryFormat = 1

// Add adds a statement with parameters as Conn.Exec takes them.
func (b *Batch) Add(text string, args ...any) {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = textOf(a)
	}
	b.statements = append(b.statements, statement{text: text, values: values})
}

// AddBinary adds a statement whose parameters are in the binary format of their types.
func (b *Batch) AddBinary(text string, values ...[]byte) {
	b.statements = append(b.statements, statement{text: text, values: values, formats: []int16{binaryFormat}})
}

// AddSession adds the query of a transaction that has begun for its session: what Conn.Begin has as the
// last one. It is answered before the server goes on, and known from then on.
func (b *Batch) AddSession(query string) {
	b.statements = append(b.statements, statement{text: query, begins: true})
}

// Result is what a statement has found as texts, of which a null is empty, and how many rows it
// has found or touched.
type Result struct {
	Rows  [][]string
	Count int64
}

// Run runs the statements. After an error the results are those of the statements before the one
// that failed, and the connection is of no use any more.
func (c *Conn) Run(ctx context.Context, b *Batch) (results []Result, err error) {
	p := c.pg.StartPipeline(ctx)
	prepared := make([]bool, len(b.statements))
	for i := range b.statements {
		prepared[i] = c.send(p, &b.statements[i])
	}
	if err := p.Sync(); err != nil {
		return nil, err
	}
	for i := range b.statements {
		result, err := receive(p, prepared[i])
		if err != nil {
			_ = p.Close() // it is the same error
			return results, err
		}
		if b.statements[i].begins {
			c.tx.Store(&Transaction{result.Rows[0][0], result.Rows[0][1]})
		}
		results = append(results, result)
	}
	return results, p.Close()
}

// send sends a statement, and reports whether it has it prepared before.
func (c *Conn) send(p *pgx.Pipeline, s *statement) (prepares bool) {
	if !c.isDirect() {
		p.SendQueryParams(s.text, s.values, nil, s.formats, nil)
	} else {
		name, ok := c.prepared[s.text]
		if !ok {
			name = fmt.Sprintf("starlift_%d", len(c.prepared))
			c.prepared[s.text] = name
			p.SendPrepare(name, s.text, nil)
		}
		p.SendQueryPrepared(name, s.values, s.formats, nil)
		prepares = !ok
	}
	if s.begins {
		p.SendFlushRequest()
	}
	return prepares
}

// isDirect reports that the last transaction was in the session that the connection was made with. Behind
// a pooler, the next one may be in a session that knows nothing of statements that were prepared.
func (c *Conn) isDirect() bool {
	tx := c.tx.Load()
	return tx != nil && tx.PID == c.PID()
}

// receive receives the result of a statement, and before it of its preparation.
func receive(p *pgx.Pipeline, prepared bool) (Result, error) {
	if prepared {
		if _, err := p.GetResults(); err != nil {
			return Result{}, err
		}
	}
	next, err := p.GetResults()
	if err != nil {
		return Result{}, err
	}
	reader, ok := next.(*pgx.ResultReader)
	if !ok {
		return Result{}, errors.New("the server answered fewer statements than it was sent")
	}
	result := reader.Read()
	return Result{textsOf(result), result.CommandTag.RowsAffected()}, result.Err
}
