package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// resetWait is how long a reset waits for those who read the tables.
const resetWait = "30s"

// Reset implements pipeline.Resettable.
func (s *Sink) Reset(ctx context.Context, r pipeline.Reset) (all []pipeline.TargetObject, err error) {
	if err := s.Close(); err != nil {
		return nil, err
	}
	s.opening = pipeline.SinkOptions{Pipeline: r.Pipeline}
	err = s.try(ctx, func(ctx context.Context, c *conn) error {
		return c.inTx(ctx, func(ctx context.Context) error {
			if r.Do {
				// What a lost process has sent may still take effect: it is waited for.
				if err := s.lock(ctx, c); err != nil {
					return err
				}
				if err := c.exec(ctx, "SET LOCAL lock_timeout = '"+resetWait+"'"); err != nil {
					return err
				}
			}
			all, err = dialect.Reset(ctx, resetting{s, c}, s.schema, s.name, &r)
			return err
		})
	})
	return all, errors.Join(depends(err), s.Close())
}

// depends says what to do about a table that others hang on.
func depends(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == "2BP01" { // dependent objects still exist
		return fmt.Errorf("%w: %s; nothing of the sink was dropped: drop those first, and make them again after the next run", err, server.Detail)
	}
	return err
}

// resetting is a warehouse.Session.
type resetting struct {
	sink *Sink
	conn *conn
}

func (s resetting) Texts(ctx context.Context, query string) ([][]string, error) {
	return s.conn.query(ctx, query)
}

func (s resetting) Exec(ctx context.Context, statement string) error {
	_, err := s.conn.run(ctx, statement)
	return err
}

func (s resetting) Present(ctx context.Context, table string) (warehouse.Present, error) {
	there, err := s.sink.relation(ctx, s.conn, table)
	if err != nil || there == nil {
		return warehouse.Present{}, err
	}
	return s.sink.present(ctx, s.conn, table)
}
