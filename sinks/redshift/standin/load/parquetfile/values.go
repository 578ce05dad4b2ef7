package parquetfile

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/parquet-go/parquet-go"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/convert"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/copytext"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/datetime"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// appender adds the next value of a column as COPY reads it.
type appender func(dst []byte, from []*cursor) ([]byte, error)

// values are those of one column.
type values struct {
	options *Options
	column  *schema.Column
	node    *node
}

// next is the next value of a column that has one leaf.
func (v values) next(from []*cursor) (*parquet.Value, error) { return from[v.node.leaf].next() }

// null adds NULL.
func (v values) null(dst []byte) ([]byte, error) { return v.options.null(dst, v.column) }

func (o *Options) null(dst []byte, c *schema.Column) ([]byte, error) {
	if c.NotNull {
		return dst, failure.NullValue(o.Query, c.Name)
	}
	return copytext.AppendNull(dst), nil
}

func (v values) outOfRange(what any) error {
	return v.options.fail(codeFile, "Value %v of column '%s' is out of range for type %s, File name: %s",
		what, v.options.column(v.column.Name), v.column.Type.Spectrum(), v.options.File)
}

func (v values) int32(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	n := value.Int32()
	if v.column.Type.Kind == schema.Smallint && n != int32(int16(n)) {
		return dst, v.outOfRange(n)
	}
	return strconv.AppendInt(dst, int64(n), 10), nil
}

func (v values) nullOr(dst []byte, err error) ([]byte, error) {
	if err != nil {
		return dst, v.options.corrupt(err)
	}
	return v.null(dst)
}

func (v values) int64(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	return strconv.AppendInt(dst, value.Int64(), 10), nil
}

func (v values) boolean(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	if value.Boolean() {
		return append(dst, 't'), nil
	}
	return append(dst, 'f'), nil
}

func (v values) float(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	return strconv.AppendFloat(dst, float64(value.Float()), 'g', -1, 32), nil
}

func (v values) double(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	return strconv.AppendFloat(dst, value.Double(), 'g', -1, 64), nil
}

func (v values) date(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	s, ok := datetime.FromDays(int64(value.Int32()))
	if !ok {
		return dst, v.outOfRange(value.Int32())
	}
	return s.AppendDate(dst), nil
}

func (v values) text(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	text, err := v.checkText(value.ByteArray())
	if err != nil {
		return dst, err
	}
	if limit := v.column.Type.MaxBytes(); len(text) > limit {
		return dst, v.tooLong(text, limit)
	}
	return copytext.Append(dst, text), nil
}

// bareVarbyte is how many bytes a VARBYTE takes that says no length (dg/r_VARBYTE_type).
const bareVarbyte = 64000

// LengthError is a text that is too long for its column. It is the one error of the scan
// that the tables of load errors are known to have too.
type LengthError struct {
	*pgconn.PgError
	Column schema.Column
	Code   int
	Reason string
	Value  []byte
}

func (e *LengthError) Unwrap() error { return e.PgError }

func (v values) tooLong(text []byte, limit int) error {
	reason := fmt.Sprintf("The length of the data column %s is longer than the length defined in the table. Table: %d, Data: %d, File name: %s",
		v.column.Name, limit, len(text), v.options.File)
	return &LengthError{v.options.fail(codeFile, "%s", reason), *v.column, codeFile, reason, text}
}

// checkText refuses what a text cannot have.
func (v values) checkText(text []byte) ([]byte, error) {
	ascii := true
	for _, b := range text {
		if b >= utf8.RuneSelf {
			ascii = false
		} else if b == 0 {
			return nil, failure.Unsupported(fmt.Sprintf("a NUL byte in column %q", v.column.Name))
		}
	}
	if ascii {
		return text, nil
	}
	if fault := convert.CheckText(v.column.Type, text); fault != nil {
		if !v.options.AcceptInvalid || v.column.Type.Kind == schema.Char {
			return nil, v.options.fail(codeFile, "%s, Column name: %s, File name: %s", fault.Reason, v.column.Name, v.options.File)
		}
		by := v.options.Replacement
		if by == 0 {
			by = '?'
		}
		text = convert.Replace(nil, text, by)
	}
	return text, nil
}

func (v values) bytes(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	b := value.ByteArray()
	// Only a column without a length comes here: checkColumn.
	if len(b) > bareVarbyte {
		return dst, v.tooLong(b, bareVarbyte)
	}
	return copytext.AppendBytes(dst, b), nil
}

func (v values) decimal(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	start := len(dst)
	dst, digits := appendDecimal(dst, value.ByteArray(), v.column.Type.Scale)
	if digits > v.column.Type.Precision {
		return dst[:start], v.outOfRange(string(dst[start:]))
	}
	return dst, nil
}

// appendDecimal writes a big-endian number of at most 16 bytes with its decimal point, and
// tells how many digits it has without leading zeros.
func appendDecimal(dst, b []byte, scale int) (out []byte, digits int) {
	var hi, lo uint64
	if len(b) > 0 && b[0] >= 0x80 {
		hi, lo = math.MaxUint64, math.MaxUint64
	}
	for _, c := range b {
		hi = hi<<8 | lo>>56
		lo = lo<<8 | uint64(c)
	}
	if hi>>63 == 1 {
		dst = append(dst, '-')
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	var room [48]byte
	text := room[:0]
	if hi == 0 {
		text = strconv.AppendUint(text, lo, 10)
	} else {
		v := new(big.Int).SetUint64(hi)
		v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(lo))
		text = v.Append(text, 10)
	}
	digits = len(text)
	if digits == 1 && text[0] == '0' {
		digits = 0
	}
	if scale <= 0 {
		return append(dst, text...), digits
	}
	for pad := scale + 1 - len(text); pad > 0; pad-- {
		if pad == scale+1-len(text) {
			dst = append(dst, '0', '.')
			continue
		}
		dst = append(dst, '0')
	}
	if whole := len(text) - scale; whole > 0 {
		dst = append(dst, text[:whole]...)
		dst = append(dst, '.')
		text = text[whole:]
	}
	return append(dst, text...), digits
}

func (v values) stamp(dst []byte, s datetime.Stamp) []byte {
	if v.column.Type.Kind == schema.TimestampTZ {
		return s.AppendTimestampUTC(dst)
	}
	return s.AppendTimestamp(dst)
}

func (v values) micros(dst []byte, from []*cursor) ([]byte, error) { return v.since(dst, from, 1) }

func (v values) millis(dst []byte, from []*cursor) ([]byte, error) { return v.since(dst, from, 1000) }

func (v values) since(dst []byte, from []*cursor, unit int64) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	n := value.Int64()
	if n > math.MaxInt64/unit || n < math.MinInt64/unit {
		return dst, v.outOfRange(n)
	}
	s, ok := datetime.FromMicros(n * unit)
	if !ok {
		return dst, v.outOfRange(n)
	}
	return v.stamp(dst, s), nil
}

// raw adds a number that is not marked as a time, as if it were what a TIMESTAMP keeps:
// microseconds since 2000-01-01. The service stores garbage too, without an error
// (apache/arrow issue 38000); which number exactly is not known.
func (v values) raw(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	return v.stamp(dst, datetime.FromRaw(value.Int64())), nil
}

// int96 adds a time as Hive and Spark write it: nanoseconds of a day, and the Julian day.
func (v values) int96(dst []byte, from []*cursor) ([]byte, error) {
	value, err := v.next(from)
	if err != nil || value.IsNull() {
		return v.nullOr(dst, err)
	}
	s, ok := fromInt96(value)
	if !ok {
		return dst, v.outOfRange(value.Int96())
	}
	return v.stamp(dst, s), nil
}

func fromInt96(value *parquet.Value) (datetime.Stamp, bool) {
	n := value.Int96()
	nanos := uint64(n[1])<<32 | uint64(n[0])
	if nanos >= 86_400_000_000_000 {
		return datetime.Stamp{}, false
	}
	s, ok := datetime.FromDays(int64(n[2]) - 2440588)
	clock, _ := datetime.FromMicros(int64(nanos / 1000))
	s.Hour, s.Minute, s.Second, s.Micros = clock.Hour, clock.Minute, clock.Second, clock.Micros
	return s, ok
}
