package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// copy runs COPY: what the loader makes of the files goes to PostgreSQL's COPY as it comes.
// Load errors are kept whatever becomes of the transaction.
func (s *session) copy(ctx context.Context, c *call) (string, error) {
	plan := c.statement.plan.Copy
	o := plan.Options
	o.Query, o.Access.User = s.query, s.sessionUser
	var result *load.CopyResult
	var err error
	if o.NoLoad {
		result, err = s.server.loader.Copy(ctx, &o, io.Discard)
	} else {
		err = s.copyIn(ctx, plan.Into, func(w io.Writer) error {
			var err error
			result, err = s.server.loader.Copy(ctx, &o, w)
			return err
		})
	}
	if result != nil {
		s.server.activity.Copied(s.self(), s.query, o.Table, plan.Table.OID, formatName(o.Format), result, err)
	}
	if err != nil {
		return "", err
	}
	s.last.copyID, s.last.copyCount = s.query, result.Rows
	s.notice("INFO", "00000", fmt.Sprintf("Load into table '%s' completed, %d record(s) loaded successfully.", o.Table, result.Rows))
	if result.Failed > 0 {
		s.notice("INFO", "00000", fmt.Sprintf("Load into table '%s' completed, %d record(s) could not be loaded.  Check '%s' system table for details.",
			o.Table, result.Failed, s.server.loadErrors()))
	}
	return "COPY", nil
}

// loadErrors is the system table that tells of load errors.
func (s *Server) loadErrors() string {
	if s.options.Serverless {
		return "sys_load_error_detail"
	}
	return "stl_load_errors"
}

func formatName(f load.Format) string {
	return map[load.Format]string{
		load.Delimited: "Text", load.CSV: "CSV", load.FixedWidth: "Fixed Width", load.JSON: "JSON", load.Parquet: "Parquet",
	}[f]
}

// copyIn has PostgreSQL copy what write writes.
func (s *session) copyIn(ctx context.Context, into string, write func(io.Writer) error) error {
	frontend := s.pg.Frontend()
	frontend.SendQuery(&pgproto3.Query{String: "COPY " + into + " FROM STDIN"})
	var failed error
	err := s.exchangeCopy(ctx, func() {
		// PostgreSQL reads on after an error, so that this never waits for it.
		failed = write(copyWriter{frontend})
		if failed != nil {
			frontend.Send(&pgproto3.CopyFail{Message: "the load failed"})
		} else {
			frontend.Send(&pgproto3.CopyDone{})
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// exchangeCopy is exchange for a statement that is given data when PostgreSQL asks for it.
func (s *session) exchangeCopy(ctx context.Context, give func()) error {
	return s.exchange(ctx, func(message pgproto3.BackendMessage) error {
		if _, ok := message.(*pgproto3.CopyInResponse); ok {
			give()
			return s.pg.Frontend().Flush()
		}
		return nil
	})
}

// copyWriter sends what is written as it is.
type copyWriter struct{ frontend *pgproto3.Frontend }

func (w copyWriter) Write(p []byte) (int, error) {
	w.frontend.Send(&pgproto3.CopyData{Data: p})
	return len(p), w.frontend.Flush()
}

// unload runs UNLOAD: the query's rows go to the loader as they come.
func (s *session) unload(ctx context.Context, c *call) (string, error) {
	plan := c.statement.plan.Unload
	name := s.name("s")
	frontend := s.pg.Frontend()
	frontend.SendParse(&pgproto3.Parse{Name: name, Query: plan.SQL})
	frontend.SendDescribe(&pgproto3.Describe{ObjectType: 'S', Name: name})
	frontend.SendSync(&pgproto3.Sync{})
	o := plan.Options
	o.Query, o.Access.User = s.query, s.sessionUser
	err := s.exchange(ctx, func(message pgproto3.BackendMessage) error {
		description, ok := message.(*pgproto3.RowDescription)
		if !ok {
			return nil
		}
		for _, f := range description.Fields {
			t, err := s.loadType(f)
			if err != nil {
				return err
			}
			o.Columns = append(o.Columns, load.Column{Name: s.pg.FullName(string(f.Name)), Type: t})
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	frontend.SendBind(&pgproto3.Bind{PreparedStatement: name})
	frontend.SendExecute(&pgproto3.Execute{})
	frontend.SendClose(&pgproto3.Close{ObjectType: 'S', Name: name})
	frontend.SendSync(&pgproto3.Sync{})
	rows := &resultRows{session: s}
	stop := s.cancelOn(ctx)
	defer stop()
	if err := frontend.Flush(); err != nil {
		return "", err
	}
	result, err := s.server.loader.Unload(ctx, &o, rows)
	if err := errors.Join(err, rows.drain()); err != nil {
		return "", err
	}
	s.server.activity.Unloaded(s.self(), s.query, formatName(o.Format), result)
	s.last.unloadID, s.last.unloadCount = s.query, result.Rows
	s.notice("INFO", "00000", fmt.Sprintf("UNLOAD completed, %d record(s) unloaded successfully.", result.Rows))
	return "UNLOAD", nil
}

// resultRows are the rows of a query that runs, for the loader.
type resultRows struct {
	session *session
	ended   bool // by ReadyForQuery
	err     error
}

// Next is load.Rows'.
func (r *resultRows) Next() ([][]byte, error) {
	for !r.ended {
		message, err := r.session.pg.Frontend().Receive()
		if err != nil {
			r.session.breakOff(err)
			r.ended, r.err = true, err
			return nil, err
		}
		switch m := message.(type) {
		case *pgproto3.DataRow:
			return m.Values, nil
		case *pgproto3.ErrorResponse:
			r.err = r.session.backendError(m)
		case *pgproto3.NoticeResponse:
			if err := r.session.backendNotice(m); err != nil && r.err == nil {
				r.err = err
			}
		case *pgproto3.ReadyForQuery:
			r.session.pg.SetStatus(m.TxStatus)
			r.ended = true
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return nil, io.EOF
}

// drain reads what the loader left. Its error is the query's.
func (r *resultRows) drain() error {
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil && r.ended {
			return err
		}
	}
}

// kinds are the loader's types by PostgreSQL's OIDs.
var kinds = map[uint32]schema.Kind{
	pgtype.Int2OID: schema.Smallint, pgtype.Int4OID: schema.Integer, pgtype.Int8OID: schema.Bigint, pgtype.NumericOID: schema.Numeric,
	pgtype.Float4OID: schema.Real, pgtype.Float8OID: schema.Double, pgtype.BoolOID: schema.Boolean, pgtype.BPCharOID: schema.Char,
	pgtype.VarcharOID: schema.Varchar, pgtype.TextOID: schema.Varchar, pgtype.NameOID: schema.Varchar, pgtype.DateOID: schema.Date,
	pgtype.TimestampOID: schema.Timestamp, pgtype.TimestamptzOID: schema.TimestampTZ, pgtype.TimeOID: schema.Time, pgtype.TimetzOID: schema.TimeTZ,
	superOID: schema.Super, varbyteOID: schema.Varbyte, geometryOID: schema.Geometry, geographyOID: schema.Geography,
	hllSketchOID: schema.HLLSketch, intervalYearToMonthOID: schema.IntervalYearToMonth, intervalDayToSecondOID: schema.IntervalDayToSecond,
}

// loadType is the type of a result's column.
func (s *session) loadType(f pgproto3.FieldDescription) (schema.Type, error) {
	kind, ok := kinds[s.redshiftOID(f.DataTypeOID, f.TypeModifier)]
	if !ok {
		return schema.Type{}, refusal("0A000", "UNLOAD of column %q: its type is not supported", f.Name)
	}
	t := schema.Type{Kind: kind}
	if f.TypeModifier < 4 {
		if kind == schema.Numeric {
			t.Precision, t.Scale = 38, 0
		}
		return t, nil
	}
	modifier := int(f.TypeModifier) - 4 // PostgreSQL counts the header of a value
	switch kind {
	case schema.Char, schema.Varchar:
		t.Length = modifier
	case schema.Numeric:
		t.Precision, t.Scale = modifier>>16, modifier&0x7ff
	}
	return t, nil
}
