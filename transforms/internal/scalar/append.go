package scalar

import (
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// NotBool is why a text is not a bool.
const NotBool = "is not a bool: want true or false"

// Append converts a text to the type and appends it to a builder of that type.
// It returns why the text does not fit, having appended nothing, or "".
func Append(b array.Builder, t pipeline.Type, text []byte) (reason string) {
	switch b := b.(type) {
	case *array.StringBuilder:
		b.BinaryBuilder.Append(text)
	case *array.BooleanBuilder:
		if string(text) != "true" && string(text) != "false" {
			return NotBool
		}
		b.Append(len(text) == len("true"))
	case *array.Int64Builder:
		v, reason := decimal.Int64(text)
		return appended(b.Append, v, reason)
	case *array.Float64Builder:
		v, reason := decimal.Float(text)
		return appended(b.Append, v, reason)
	case *array.Decimal128Builder:
		n, reason := decimal.Scaled(text, int(t.Scale), int(t.Precision))
		hi, lo := n.Twos()
		return appended(b.Append, decimal128.New(int64(hi), lo), reason)
	case *array.Date32Builder:
		day, reason := ParseDate(text)
		return appended(b.Append, arrow.Date32(day), reason)
	case *array.TimestampBuilder:
		micros, reason := ParseTime(text)
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
