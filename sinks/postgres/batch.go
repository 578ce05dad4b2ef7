package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// batch is the statements of a small epoch, which are sent in one request. Each takes its rows as
// parameters, an array a column, and finds them by their keys; nothing is made or emptied.
type batch struct {
	pgconn.Batch
	tx     *tx
	checks []check // of each statement
}

// check is what a statement is about, and what it has to have done.
type check struct {
	about, what string // an empty what = whatever it did is right
	want        int64
}

// beginBatch starts a transaction, and batchSettings are a query for settings besides those of begin. The
// planner does not know how few rows a batch has, nor what has come into a table since it was
// analyzed: but for these it may read all of the table, which has an index on its key (hasIndexes).
// Plans are those of prepared statements, which hold for any number of rows.
const (
	beginBatch    = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	batchSettings = sessionSettings + ", set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), " +
		"set_config('plan_cache_mode', 'force_generic_plan', true)"
)

// errOtherEpoch says that the token is not at the epoch before.
var errOtherEpoch = errors.New("the token is at another epoch")

// Publish implements warehouse.Publisher.
func (d *database) Publish(ctx context.Context, p *warehouse.Publication, then warehouse.InTx) (published bool, err error) {
	if indexed, err := d.hasIndexes(ctx, p.Tables); err != nil || !indexed {
		return false, err
	}
	err = d.client.InBatch(ctx, func(ctx context.Context, c *pgconn.Conn) error {
		tx := d.tx(c)
		b := &batch{tx: tx}
		if err := b.addAll(p); err != nil {
			return err
		}
		if err := b.run(ctx); err != nil {
			return err
		}
		return then(ctx, tx)
	})
	if errors.Is(err, errOtherEpoch) {
		return false, nil
	}
	return err == nil, err
}

// hasIndexes reports whether the tables have an index on their keys. Those that are made here do.
func (d *database) hasIndexes(ctx context.Context, tables []warehouse.StagedTable) (all bool, err error) {
	for i := range tables {
		s := &tables[i]
		if _, known := d.indexed[s.Table]; known {
			continue
		}
		err := d.client.Do(ctx, func(ctx context.Context, c *pgconn.Conn) error {
			rows, err := c.Query(ctx, indexQuery, warehouse.QualifiedName(d.schema, s.Table), strconv.Itoa(len(s.Key)), strings.Join(s.Key, keySeparator))
			if err == nil {
				d.indexed[s.Table] = len(rows) > 0
			}
			return err
		})
		if err != nil {
			return false, fmt.Errorf("table %q: looking for an index on its key: %w", s.Table, err)
		}
	}
	return !slices.ContainsFunc(tables, func(s warehouse.StagedTable) bool { return !d.indexed[s.Table] }), nil
}

// keySeparator stands between the names of columns, of which it is no part.
const keySeparator = "\x1f"

// indexQuery finds unique indexes of a table on so many columns, each of which is among the names.
const indexQuery = `SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = $2::int
	AND i.indnkeyatts = (SELECT count(*) FROM generate_series(0, i.indnkeyatts - 1) n JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n] WHERE a.attname = ANY (string_to_array($3, chr(31))))`

// addAll adds all statements but the COMMIT.
func (b *batch) addAll(p *warehouse.Publication) error {
	b.Add(beginBatch)
	b.AddSession(batchSettings)
	b.Add(lockToken, b.tx.tokenName(p.Owner))
	statement, args := b.tx.TokenStatement(p.Audit)
	b.Add(fmt.Sprintf(`%s AND "epoch" = $%d`, statement, len(args)+1), append(args, p.Previous)...)
	b.checks = []check{{about: "beginning"}, {about: "beginning"}, {about: "waiting for the token"}, {about: "writing the token"}}
	for i := range p.Tables {
		if err := b.addTable(p.Files, &p.Tables[i]); err != nil {
			return fmt.Errorf("table %q: %w", p.Tables[i].Table, err)
		}
	}
	statement, args = b.tx.AuditStatement(p.Audit)
	b.Add(statement, args...)
	b.checks = append(b.checks, check{about: "writing the audit table"})
	return nil
}

// tokenAt is the place of the statement that updates the token.
const tokenAt = 3

// run runs the statements, and holds what they did against what they had to.
func (b *batch) run(ctx context.Context) error {
	results, err := b.tx.conn.Run(ctx, &b.Batch)
	if len(results) > tokenAt && results[tokenAt].Count == 0 {
		return errOtherEpoch // whatever went wrong behind it
	}
	for i, r := range results {
		c := &b.checks[i]
		if c.what == "" {
			continue
		}
		if wrong := warehouse.CheckCount(r.Count, c.want, c.what); wrong != nil {
			return fmt.Errorf("%s: %w", c.about, wrong)
		}
	}
	if err != nil && len(results) < len(b.checks) {
		return fmt.Errorf("%s: %w", b.checks[len(results)].about, err)
	}
	return err
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
		statement := p.statement(b.tx.Schema, unnested(p.columns, types))
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
		b.checks = append(b.checks, check{fmt.Sprintf("table %q", s.Table), p.what, p.rows})
	}
	return nil
}

// unnested returns what stands after FROM for the rows whose columns are parameters. An array of arrays would be taken
// for one of more dimensions, so arrays come as their texts.
func unnested(columns []string, types []arrayType) string {
	parameters, selected, arrays := make([]string, len(columns)), make([]string, len(columns)), false
	for i, t := range types {
		parameters[i], selected[i] = fmt.Sprintf("$%d::%s[]", i+1, t.name), warehouse.Quote(columns[i])
		if t.isArray() {
			parameters[i] = fmt.Sprintf("$%d::text[]", i+1)
			selected[i] = fmt.Sprintf("%s::%s AS %[1]s", selected[i], t.name)
			arrays = true
		}
	}
	from := fmt.Sprintf("unnest(%s) u(%s)", strings.Join(parameters, ", "), warehouse.Quoted(columns))
	if arrays {
		return fmt.Sprintf("(SELECT %s FROM %s) u", strings.Join(selected, ", "), from)
	}
	return from
}

// arrayType is the type of a column's values in an array. One that is an array itself has the number of its elements'.
type arrayType struct {
	name string
	oid  uint32
}

func (t arrayType) isArray() bool { return strings.HasSuffix(t.name, arraySuffix) }

// oids are PostgreSQL's numbers of the types that sqlType names. A numeric's digits and a text's length
// are no part of them: the column that it goes to has them.
var oids = map[string]uint32{"boolean": 16, "bytea": 17, "bigint": 20, "integer": 23, "text": 25, "double precision": 701, "bpchar": 1042, "character varying": 1043, "date": 1082,
	"time without time zone": 1083, "timestamp without time zone": 1114, "timestamp with time zone": 1184, "numeric": 1700, "uuid": 2950, "jsonb": 3802}

func arrayTypes(s *warehouse.StagedTable, columns []string) ([]arrayType, error) {
	ofColumn := map[string]string{}
	for i, c := range s.Columns {
		ofColumn[c] = s.Types[i]
	}
	types := make([]arrayType, len(columns))
	for i, c := range columns {
		var err error
		if types[i], err = arrayTypeOf(ofColumn[c]); err != nil {
			return nil, fmt.Errorf("column %q: %w", c, err)
		}
	}
	return types, nil
}

// arrayTypeOf returns the type of a column that the spool has.
func arrayTypeOf(column string) (arrayType, error) {
	element, isArray := strings.CutSuffix(column, arraySuffix)
	name := withoutArguments(element)
	oid, ok := oids[name]
	if !ok {
		return arrayType{}, fmt.Errorf("the spool has a type %q, which this version does not know", column)
	}
	if isArray {
		name += arraySuffix
	}
	return arrayType{name, oid}, nil
}

// withoutArguments returns the name of a type without its digits or length.
func withoutArguments(name string) string {
	name, _, _ = strings.Cut(name, "(")
	if name == "character" {
		return "bpchar" // the other name without a length is one of a single character
	}
	return name
}

var errCutOff = fmt.Errorf("its rows are cut off: %w", io.ErrUnexpectedEOF)

// arraysOf returns the rows of a file in COPY's format as an array a column.
func arraysOf(file []byte, types []arrayType, rows int64) ([][]byte, error) {
	if len(file) < len(copyHeader)+len(copyTrailer) {
		return nil, errCutOff
	}
	file = file[len(copyHeader):]
	arrays := make([][]byte, len(types))
	for i, t := range types {
		oid := t.oid
		if t.isArray() {
			oid = oids["text"]
		}
		arrays[i] = appendArrayHeader(make([]byte, 0, arrayHeader+len(file)/len(types)), oid, int(rows), false)
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
			switch {
			case string(file[:4]) == nullCell:
				binary.BigEndian.PutUint32(arrays[i][4:], 1)
				arrays[i] = append(arrays[i], nullCell...)
			case types[i].isArray():
				if arrays[i], err = appendArrayText(arrays[i], file[4:n], types[i].oid); err != nil {
					return nil, err
				}
			default:
				arrays[i] = append(arrays[i], file[:n]...)
			}
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
