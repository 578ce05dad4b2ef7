package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// batch is the statements of a small epoch, which are sent in one request. Each takes its rows as
// parameters, an array a column: the planner sees how many they are, and finds so few by
// their keys, which of the rows of a stage it does not know; and nothing is made or emptied.
type batch struct {
	pgconn.Batch
	schema string
	checks []check
}

// check is what a statement has to have done.
type check struct {
	table, what string
	want        int64
}

// ApplyAll implements warehouse.BatchTx.
func (t *tx) ApplyAll(ctx context.Context, files *warehouse.Files, all []warehouse.StagedTable, a warehouse.Audit) error {
	b := &batch{schema: t.Schema}
	for i := range all {
		if err := b.addTable(files, &all[i]); err != nil {
			return fmt.Errorf("table %q: %w", all[i].Table, err)
		}
	}
	statement, args := t.TokenStatement(a)
	b.Add(statement, args...)
	b.checks = append(b.checks, check{warehouse.TokensTable, "updated", 1})
	statement, args = t.AuditStatement(a)
	b.Add(statement, args...)
	rows, err := t.conn.ExecBatch(ctx, &b.Batch)
	for i, n := range rows[:min(len(rows), len(b.checks))] {
		c := &b.checks[i]
		if wrong := warehouse.CheckCount(n, c.want, c.what); wrong != nil {
			return fmt.Errorf("table %q: %w", c.table, wrong)
		}
	}
	switch failed := len(rows); {
	case err != nil && failed < len(b.checks):
		return fmt.Errorf("table %q: %w", b.checks[failed].table, err)
	case err != nil:
		return fmt.Errorf("writing the audit table: %w", err)
	case failed != len(b.checks)+1:
		return fmt.Errorf("the server answered %d of %d statements", failed, len(b.checks)+1)
	}
	return nil
}

// addTable adds what one table's rows need: what goes, what changes, what comes.
func (b *batch) addTable(files *warehouse.Files, s *warehouse.StagedTable) error {
	for _, p := range []struct {
		end, what string
		rows      int64
		columns   []string
		statement func(schema, from string) string
	}{
		{warehouse.DeletePart, "deleted", s.Deletes, s.Key, s.Delete},
		{warehouse.UpdatePart, "updated", s.Updates, s.Columns, s.Update},
		{warehouse.InsertPart, "inserted", s.Inserts, s.Columns, s.Insert},
	} {
		if p.rows == 0 {
			continue
		}
		types, err := arrayTypes(s, p.columns)
		if err != nil {
			return err
		}
		statement := p.statement(b.schema, unnested(p.columns, types))
		if statement == "" {
			continue // an update of nothing but the key
		}
		rows, err := files.Bytes(s.File + p.end)
		if err != nil {
			return err
		}
		values, err := arraysOf(rows, types, p.rows)
		if err != nil {
			return fmt.Errorf("spool of rows that are %s: %w", p.what, err)
		}
		b.AddBinary(statement, values...)
		b.checks = append(b.checks, check{s.Table, p.what, p.rows})
	}
	return nil
}

// unnested returns what stands after FROM for the rows whose columns are parameters.
func unnested(columns []string, types []arrayType) string {
	parameters := make([]string, len(columns))
	for i, t := range types {
		parameters[i] = fmt.Sprintf("$%d::%s[]", i+1, t.name)
	}
	return fmt.Sprintf("unnest(%s) u(%s)", strings.Join(parameters, ", "), warehouse.Quoted(columns))
}

// arrayType is the type of a column's values in an array.
type arrayType struct {
	name string
	oid  uint32
}

// oids are PostgreSQL's numbers of the types that sqlType names. A numeric's digits are no part
// of it: the column that it goes to has them.
var oids = map[string]uint32{"boolean": 16, "bytea": 17, "bigint": 20, "text": 25, "double precision": 701, "date": 1082,
	"timestamp without time zone": 1114, "numeric": 1700, "jsonb": 3802}

func arrayTypes(s *warehouse.StagedTable, columns []string) ([]arrayType, error) {
	ofColumn := map[string]string{}
	for i, c := range s.Columns {
		ofColumn[c] = s.Types[i]
	}
	types := make([]arrayType, len(columns))
	for i, c := range columns {
		name, _, _ := strings.Cut(ofColumn[c], "(")
		oid, ok := oids[name]
		if !ok {
			return nil, fmt.Errorf("column %q: the spool has a type %q, which this version does not know", c, ofColumn[c])
		}
		types[i] = arrayType{name, oid}
	}
	return types, nil
}

// arrayHeader is the length of what an array begins with in the binary format: the number of its
// dimensions, whether there are nulls, the type of its elements, and how many there are, from
// which number on. Each element is its length and its bytes, as in COPY.
const arrayHeader = 20

var errCutOff = fmt.Errorf("its rows are cut off: %w", io.ErrUnexpectedEOF)

// arraysOf returns the rows of a file in COPY's format as an array a column.
func arraysOf(file []byte, types []arrayType, rows int64) ([][]byte, error) {
	if len(file) < len(copyHeader)+len(copyTrailer) {
		return nil, errCutOff
	}
	file = file[len(copyHeader):]
	arrays := make([][]byte, len(types))
	for i, t := range types {
		a := make([]byte, arrayHeader, arrayHeader+len(file)/len(types))
		binary.BigEndian.PutUint32(a[0:], 1)
		binary.BigEndian.PutUint32(a[8:], t.oid)
		binary.BigEndian.PutUint32(a[12:], uint32(rows))
		binary.BigEndian.PutUint32(a[16:], 1)
		arrays[i] = a
	}
	for range rows {
		if len(file) < 2 || int(binary.BigEndian.Uint16(file)) != len(types) {
			return nil, errCutOff
		}
		file = file[2:]
		for i := range arrays {
			n, err := cellBytes(file)
			if err != nil {
				return nil, err
			}
			if string(file[:4]) == nullCell {
				binary.BigEndian.PutUint32(arrays[i][4:], 1)
			}
			arrays[i] = append(arrays[i], file[:n]...)
			file = file[n:]
		}
	}
	if string(file) != string(copyTrailer) {
		return nil, errors.New("it has more rows than the committable says")
	}
	return arrays, nil
}

// nullCell is what stands for the length of a null.
const nullCell = "\xff\xff\xff\xff"

// cellBytes returns how long the first cell of a row of COPY is, its length included.
func cellBytes(row []byte) (int, error) {
	if len(row) < 4 {
		return 0, errCutOff
	}
	n := 4
	if string(row[:4]) != nullCell {
		n += int(binary.BigEndian.Uint32(row))
	}
	if n > len(row) {
		return 0, errCutOff
	}
	return n, nil
}
