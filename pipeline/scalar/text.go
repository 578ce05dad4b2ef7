package scalar

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// NotUUID is why a text is not a UUID.
const NotUUID = "is not a UUID, as 123e4567-e89b-12d3-a456-426614174000"

// AppendText appends a text as columns of a type have it whose base is string. It returns
// why the text is none of the type, having appended perhaps a part of it.
func AppendText(dst []byte, t pipeline.Type, text []byte) (_ []byte, reason string) {
	switch t.Kind {
	case pipeline.UUID:
		return appendUUID(dst, text)
	case pipeline.Time:
		micros, reason := datetime.ParseTimeOfDay(text)
		if reason != "" {
			return dst, reason
		}
		return datetime.AppendTimeOfDay(dst, micros), ""
	case pipeline.VarChar, pipeline.Char:
		return append(dst, text...), checkLength(text, int(t.Length))
	}
	return append(dst, text...), ""
}

// checkLength returns why a text has more characters than most.
func checkLength(text []byte, most int) string {
	if len(text) <= most {
		return ""
	}
	if n := utf8.RuneCount(text); n > most {
		return fmt.Sprintf("has %d characters, and the type takes %d", n, most)
	}
	return ""
}

// uuidBytes is the length of a UUID's text; its groups of hexadecimal digits end before dashes.
const uuidBytes = 36

// appendUUID appends a UUID in lower case.
func appendUUID(dst, text []byte) (_ []byte, reason string) {
	if len(text) != uuidBytes {
		return dst, NotUUID
	}
	for i, c := range text {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		switch {
		case dash && c == '-', !dash && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f'):
		case !dash && c >= 'A' && c <= 'F':
			c += 'a' - 'A'
		default:
			return dst, NotUUID
		}
		dst = append(dst, c)
	}
	return dst, ""
}

// Int reads an integer of a type whose base is int64.
func Int(t pipeline.Type, text []byte) (v int64, reason string) {
	if v, reason = decimal.Int64(text); reason == "" && !FitsInt(t, v) {
		return 0, decimal.OutOfRange
	}
	return v, reason
}

// FitsInt reports whether an integer is one of the type, whose base is int64.
func FitsInt(t pipeline.Type, v int64) bool {
	return t.Kind != pipeline.Int32 || v >= math.MinInt32 && v <= math.MaxInt32
}
