package pgconn

import (
	"context"

	pgx "github.com/jackc/pgx/v5/pgconn"
)

// Batch is statements that are sent in one request. The server runs them in their order, and
// none behind one that fails. Each is parsed anew: a pooler may give every transaction another
// session, which knows nothing of statements that were prepared.
type Batch struct {
	batch pgx.Batch
	size  int
}

// binaryFormat is the protocol's number of it, for all parameters.
const binaryFormat = 1

// Add adds a statement with parameters as Conn.Exec takes them.
func (b *Batch) Add(statement string, args ...any) {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = textOf(a)
	}
	b.batch.ExecParams(statement, values, nil, nil, nil)
	b.size++
}

// AddBinary adds a statement whose parameters are in the binary format of their types.
func (b *Batch) AddBinary(statement string, values ...[]byte) {
	b.batch.ExecParams(statement, values, nil, []int16{binaryFormat}, nil)
	b.size++
}

// ExecBatch runs the statements, and returns how many rows each has touched. After an error they
// are those of the statements before the one that failed.
func (c *Conn) ExecBatch(ctx context.Context, b *Batch) (rows []int64, err error) {
	rows = make([]int64, 0, b.size)
	results := c.pg.ExecBatch(ctx, &b.batch)
	for results.NextResult() {
		tag, err := results.ResultReader().Close()
		if err != nil {
			_ = results.Close() // it is the same error
			return rows, err
		}
		rows = append(rows, tag.RowsAffected())
	}
	return rows, results.Close()
}

// QueryBatch runs queries, and returns the rows of each as Query does. After an error they are
// those of the queries before the one that failed.
func (c *Conn) QueryBatch(ctx context.Context, b *Batch) (found [][][]string, err error) {
	results := c.pg.ExecBatch(ctx, &b.batch)
	for results.NextResult() {
		result := results.ResultReader().Read()
		if result.Err != nil {
			_ = results.Close() // it is the same error
			return found, result.Err
		}
		found = append(found, textsOf(result))
	}
	return found, results.Close()
}
