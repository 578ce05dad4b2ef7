package expression

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"unicode/utf8"

	"github.com/apache/arrow/go/v14/arrow/decimal128"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/scalar"
)

// Accepts returns the kinds of values that a column of the type takes.
func Accepts(t pipeline.Type) Kind {
	switch t.Kind {
	case pipeline.UUID, pipeline.Time:
		return String
	case pipeline.List:
		return List
	}
	switch t.Base() {
	case pipeline.Bool:
		return Bool
	case pipeline.Int64, pipeline.Decimal, pipeline.Double:
		return numeric
	case pipeline.Date:
		return Date
	case pipeline.Timestamp:
		return temporal
	case pipeline.String, pipeline.JSONText:
		return anything
	default:
		return 0
	}
}

// Cell is a value as a column of its type has it, in the field of that type. The
// text of a Cell is valid until the next one.
type Cell struct {
	Null bool
	scalar.Value
}

// cell converts a value to a type: an exact number is rounded to the scale, half
// away from zero. What does not fit is an error.
func cell(scratch []byte, v Value, t pipeline.Type) (c Cell, err error) {
	if v.isNull() {
		return Cell{Null: true}, nil
	}
	if v.kind&Accepts(t) == 0 {
		return c, wrong(v, t)
	}
	if t.Kind == pipeline.List {
		return listCell(scratch, v, t)
	}
	switch t.Base() {
	case pipeline.Int64, pipeline.Decimal:
		return exactCell(v, t)
	case pipeline.Double:
		d, err := finite(toDouble(v))
		if err != nil {
			return c, unfit(v, t)
		}
		return bitsCell(uint64(d.n)), nil
	case pipeline.Timestamp:
		if v.kind == Date {
			return bitsCell(uint64(v.n * microsPerDay)), nil
		}
	case pipeline.String, pipeline.JSONText:
		if t.Kind != pipeline.String && t.Kind != pipeline.JSONText {
			return textCell(scratch, v, t)
		}
		c.Text = v.appendText(scratch[:0])
		if t.Base() == pipeline.JSONText && v.kind != List && v.kind != Map {
			c.Text = appendJSON(scratch[:0], v)
		}
		if len(c.Text) > maxText {
			return c, errText
		}
		if !utf8.Valid(c.Text) {
			return c, errUTF8
		}
		return c, nil
	}
	return bitsCell(uint64(v.n)), nil
}

func bitsCell(bits uint64) Cell { return Cell{Value: scalar.Value{Bits: bits}} }

// textCell is cell for types whose texts have a form or a length.
func textCell(scratch []byte, v Value, t pipeline.Type) (c Cell, err error) {
	text := v.appendText(nil)
	if !utf8.Valid(text) {
		return c, errUTF8
	}
	var reason string
	if c.Text, reason = scalar.AppendText(scratch[:0], t, text); reason != "" {
		return Cell{}, fmt.Errorf("%s does not fit %s: it %s", quote(v), t, reason)
	}
	if len(c.Text) > maxText {
		return Cell{}, errText
	}
	return c, nil
}

var errUTF8 = errors.New("the result is not UTF-8")

func wrong(v Value, t pipeline.Type) error {
	return mismatch("the result is a %s, not %s", v.Kind(), t)
}

func unfit(v Value, t pipeline.Type) error { return fmt.Errorf("%s does not fit %s", quote(v), t) }

func exactCell(v Value, t pipeline.Type) (c Cell, err error) {
	if v.kind == Double {
		if _, err := finite(v.double()); err != nil {
			return c, unfit(v, t)
		}
		v = exactly(v.double())
	}
	if n, ok := nearestInt(v, int(t.Scale)); ok {
		if t.Base() == pipeline.Decimal && t.Precision < 19 && magnitude(n) >= uint64(smallPowers[t.Precision]) {
			return c, unfit(v, t)
		}
		if !scalar.FitsInt(t, n) {
			return c, unfit(v, t)
		}
		return Cell{Value: scalar.Value{Bits: uint64(n), High: uint64(n >> 63)}}, nil
	}
	unit := new(big.Rat).SetInt(power(int(t.Scale)))
	n := nearest(unit.Mul(unit, v.rat()))
	if t.Base() == pipeline.Int64 {
		if !n.IsInt64() || !scalar.FitsInt(t, n.Int64()) {
			return c, unfit(v, t)
		}
		return bitsCell(uint64(n.Int64())), nil
	}
	if n.CmpAbs(power(int(t.Precision))) >= 0 {
		return c, unfit(v, t)
	}
	d := decimal128.FromBigInt(n)
	return Cell{Value: scalar.Value{Bits: d.LowBits(), High: uint64(d.HighBits())}}, nil
}

// pack appends a cell, which is not null, as rows are packed.
func (c *Cell) pack(dst []byte, t pipeline.Type) []byte {
	switch t.Base() {
	case pipeline.Bool:
		return append(dst, byte(c.Bits))
	case pipeline.Date:
		return binary.LittleEndian.AppendUint32(dst, uint32(c.Bits))
	case pipeline.Decimal:
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, c.Bits), c.High)
	case pipeline.String, pipeline.JSONText:
		return packed.AppendBytes(dst, c.Text)
	default:
		return binary.LittleEndian.AppendUint64(dst, c.Bits)
	}
}

// unpack returns a packed value.
func unpack(v []byte, t pipeline.Type) (Value, error) {
	if v == nil {
		return Value{}, nil
	}
	if t.Kind == pipeline.List {
		c := packed.Cursor{B: v}
		return unpackList(c.Bytes(), t)
	}
	return unpackScalar(v, t), nil
}

func unpackScalar(v []byte, t pipeline.Type) Value {
	switch t.Base() {
	case pipeline.Bool:
		return BoolOf(v[0] == 1)
	case pipeline.Int64:
		return IntOf(int64(binary.LittleEndian.Uint64(v)))
	case pipeline.Double:
		return Value{kind: Double, n: int64(binary.LittleEndian.Uint64(v))}
	case pipeline.Date:
		return DateOf(int32(binary.LittleEndian.Uint32(v)))
	case pipeline.Timestamp:
		return TimestampOf(int64(binary.LittleEndian.Uint64(v)))
	case pipeline.Decimal:
		lo, hi := binary.LittleEndian.Uint64(v), int64(binary.LittleEndian.Uint64(v[8:]))
		if n := int64(lo); n>>63 == hi && int(t.Scale) < len(smallPowers) {
			return ratio(n, smallPowers[t.Scale])
		}
		r := new(big.Rat).SetFrac(decimal128.New(hi, lo).BigInt(), power(int(t.Scale)))
		return Value{kind: Number, ref: r}
	default:
		c := packed.Cursor{B: v}
		return StringOf(textOf(c.Bytes()))
	}
}
