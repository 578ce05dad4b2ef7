package expression

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/apache/arrow/go/v14/arrow/decimal128"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// day is a date, in days since 1970; instant a timestamp, in µs since 1970.
type (
	day     int32
	instant int64
)

func timeOf(v any) (time.Time, bool) {
	switch t := v.(type) {
	case day:
		return time.Unix(int64(t)*24*60*60, 0).UTC(), true
	case instant:
		return time.UnixMicro(int64(t)).UTC(), true
	}
	return time.Time{}, false
}

var powers = func() (all [39]*big.Int) {
	all[0] = big.NewInt(1)
	for i := 1; i < len(all); i++ {
		all[i] = new(big.Int).Mul(all[i-1], big.NewInt(10))
	}
	return all
}()

// power returns ten to the n, of 0 to 38.
func power(n int) *big.Int { return powers[n] }

// nearest rounds to an integer, half away from zero.
func nearest(x *big.Rat) *big.Int {
	n := new(big.Int).Lsh(x.Num(), 1)
	d := x.Denom()
	if x.Sign() < 0 {
		n.Sub(n, d)
	} else {
		n.Add(n, d)
	}
	return n.Quo(n, new(big.Int).Lsh(d, 1))
}

// unpack returns a packed value as the functions take it.
func unpack(v []byte, t pipeline.Type) any {
	if v == nil {
		return nil
	}
	switch t.Kind {
	case pipeline.Bool:
		return v[0] == 1
	case pipeline.Int64:
		return int64(binary.LittleEndian.Uint64(v))
	case pipeline.Double:
		return math.Float64frombits(binary.LittleEndian.Uint64(v))
	case pipeline.Date:
		return day(binary.LittleEndian.Uint32(v))
	case pipeline.Timestamp:
		return instant(binary.LittleEndian.Uint64(v))
	case pipeline.Decimal:
		n := decimal128.New(int64(binary.LittleEndian.Uint64(v[8:])), binary.LittleEndian.Uint64(v))
		return new(big.Rat).SetFrac(n.BigInt(), power(int(t.Scale)))
	default:
		c := packed.Cursor{B: v}
		return string(c.Bytes())
	}
}

// sample returns a value of a type.
func sample(t pipeline.Type) any {
	switch t.Kind {
	case pipeline.Bool:
		return true
	case pipeline.Int64:
		return int64(1)
	case pipeline.Double:
		return 1.0
	case pipeline.Date:
		return day(1)
	case pipeline.Timestamp:
		return instant(1)
	case pipeline.Decimal:
		return big.NewRat(1, 1)
	default:
		return "a"
	}
}

// convert appends the packed value of a result.
func convert(dst []byte, v any, t pipeline.Type) (result []byte, null bool, err error) {
	if v == nil {
		return dst, true, nil
	}
	switch t.Kind {
	case pipeline.Int64, pipeline.Decimal:
		return convertExact(dst, v, t)
	case pipeline.Double:
		f, ok := double(v)
		if !ok {
			return dst, false, wrong(v, t)
		}
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), false, nil
	case pipeline.String:
		return packed.AppendBytes(dst, []byte(text(v))), false, nil
	case pipeline.Bool:
		if b, ok := v.(bool); ok {
			return append(dst, byte(number(b))), false, nil
		}
	case pipeline.Date:
		if d, ok := v.(day); ok {
			return binary.LittleEndian.AppendUint32(dst, uint32(d)), false, nil
		}
	case pipeline.Timestamp:
		if i, ok := v.(instant); ok {
			return binary.LittleEndian.AppendUint64(dst, uint64(i)), false, nil
		}
	}
	return dst, false, wrong(v, t)
}

func wrong(v any, t pipeline.Type) error {
	return fmt.Errorf("%w: the result is %s, not %s", errMismatch, kindOf(v), t)
}

func convertExact(dst []byte, v any, t pipeline.Type) (result []byte, null bool, err error) {
	x, ok := exact(v)
	if f, isDouble := v.(float64); isDouble {
		if x = new(big.Rat).SetFloat64(f); x == nil {
			return dst, false, fmt.Errorf("%v does not fit %s", f, t)
		}
		ok = true
	}
	if !ok {
		return dst, false, wrong(v, t)
	}
	n := nearest(new(big.Rat).Mul(x, new(big.Rat).SetInt(power(int(t.Scale)))))
	if t.Kind == pipeline.Int64 {
		if !n.IsInt64() {
			return dst, false, fmt.Errorf("%s does not fit %s", text(v), t)
		}
		return binary.LittleEndian.AppendUint64(dst, uint64(n.Int64())), false, nil
	}
	if n.CmpAbs(power(int(t.Precision))) >= 0 {
		return dst, false, fmt.Errorf("%s does not fit %s", text(v), t)
	}
	d := decimal128.FromBigInt(n)
	dst = binary.LittleEndian.AppendUint64(dst, d.LowBits())
	return binary.LittleEndian.AppendUint64(dst, uint64(d.HighBits())), false, nil
}

// text returns a value for people, and as a string result has it.
func text(v any) string {
	if x, ok := exact(v); ok {
		if x.IsInt() {
			return x.Num().String()
		}
		digits, finite := x.FloatPrec()
		if !finite {
			digits = 38
		}
		return x.FloatString(digits)
	}
	switch t := v.(type) {
	case nil:
		return "null"
	case day:
		at, _ := timeOf(t)
		return at.Format(time.DateOnly)
	case instant:
		at, _ := timeOf(t)
		return at.Format("2006-01-02T15:04:05.999999")
	}
	return fmt.Sprint(v)
}
