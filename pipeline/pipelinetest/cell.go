package pipelinetest

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// CellText writes a value as tests compare it: numbers in decimal, with all of a
// decimal's scale, true and false, times as 2006-01-02 15:04:05.999999, bytes in
// lower hexadecimal, "null".
func CellText(t pipeline.Type, column arrow.Array, row int) string {
	if column.IsNull(row) {
		return "null"
	}
	switch a := column.(type) {
	case *array.String:
		return a.Value(row)
	case *array.Binary:
		return fmt.Sprintf("%x", a.Value(row))
	case *array.Float64:
		format := byte('f')
		if size := math.Abs(a.Value(row)); size >= 1e15 || size > 0 && size < 1e-4 {
			format = 'g' // an exponent, as databases print it
		}
		return strconv.FormatFloat(a.Value(row), format, -1, 64)
	case *array.Date32:
		return time.Unix(int64(a.Value(row))*86400, 0).UTC().Format("2006-01-02")
	case *array.Timestamp:
		return time.UnixMicro(int64(a.Value(row))).UTC().Format("2006-01-02 15:04:05.999999")
	case *array.Decimal128:
		v := a.Value(row)
		return string(decimal.FromTwos(v.HighBits(), v.LowBits()).Append(nil, int(t.Scale)))
	}
	return column.ValueStr(row)
}
