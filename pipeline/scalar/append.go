package scalar

import (
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// NotBool is why a text is not a bool.
const NotBool = "is not a bool: want true or false, 1 or 0"

// ParseBool reads true or false, or 1 or 0 as any number is written.
func ParseBool(text []byte) (v bool, reason string) {
	switch string(text) {
	case "true":
		return true, ""
	case "false":
		return false, ""
	}
	if n, reason := decimal.Int64(text); reason == "" && (n == 0 || n == 1) {
		return n == 1, ""
	}
	return false, NotBool
}

// Append converts a text to the type and appends it to a builder of that type.
// It returns why the text does not fit, having appended nothing, or "".
func Append(b array.Builder, t pipeline.Type, text []byte) (reason string) {
	switch b := b.(type) {
	case *array.StringBuilder:
		if t.Kind != pipeline.String {
			v, reason := AppendText(nil, t, text)
			return appended(b.BinaryBuilder.Append, v, reason)
		}
		b.BinaryBuilder.Append(text)
	case *array.BooleanBuilder:
		v, reason := ParseBool(text)
		return appended(b.Append, v, reason)
	case *array.Int64Builder:
		v, reason := Int(t, text)
		return appended(b.Append, v, reason)
	case *array.Float64Builder:
		v, reason := decimal.Float(text)
		return appended(b.Append, v, reason)
	case *array.Decimal128Builder:
		n, reason := decimal.Scaled(text, int(t.Scale), int(t.Precision))
		hi, lo := n.Twos()
		return appended(b.Append, decimal128.New(int64(hi), lo), reason)
	case *array.Date32Builder:
		day, reason := datetime.ParseDate(text)
		return appended(b.Append, arrow.Date32(day), reason)
	case *array.TimestampBuilder:
		micros, reason := datetime.ParseTime(text)
		return appended(b.Append, arrow.Timestamp(micros), reason)
	default:
		panic(fmt.Sprintf("scalar: a column of Arrow type %s", b.Type()))
	}
	return ""
}

func appended[T any](add func(T), v T, reason string) string {
	if reason == "" {
		add(v)
	}
	return reason
}
