package parquetfile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/convert"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/copytext"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/datetime"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/jsontext"
)

// super adds a column of any shape as JSON: SERIALIZETOJSON.
func (v values) super(dst []byte, from []*cursor) ([]byte, error) {
	first, err := from[v.node.leaf].peek()
	if err == nil && v.node.RepetitionType.V == format.Optional && first.DefinitionLevel() < v.node.def {
		if err := skip(v.node, from); err != nil {
			return dst, v.options.corrupt(err)
		}
		return v.null(dst)
	}
	if err != nil {
		return dst, v.options.corrupt(err)
	}
	text, err := assemble(nil, v.node, from)
	if errors.Is(err, errLongString) {
		return dst, v.options.fail(codeString, "String value exceeds the max size of %d bytes, Column name: %s, File name: %s", maxString, v.column.Name, v.options.File)
	}
	if err != nil {
		return dst, v.options.corrupt(err)
	}
	if len(text) > convert.MaxSuper {
		return dst, v.outOfRange(fmt.Sprintf("of %d bytes", len(text)))
	}
	return copytext.Append(dst, text), nil
}

const (
	// maxString is how long a string within a SUPER may be.
	maxString  = 65535
	codeString = 1224
)

var errLongString = errors.New("a string is too long")

// skip goes past the one value that each leaf below a node has for something that is not
// there.
func skip(n *node, from []*cursor) error {
	var err error
	n.walk(func(leaf *node) {
		if err == nil {
			_, err = from[leaf.leaf].next()
		}
	})
	return err
}

// assemble puts what lies in columns together again, by the levels of each value
// (Dremel's record assembly): a node that the first leaf's level does not reach is not
// there, and a list goes on as long as its next value repeats at the list's own level.
func assemble(dst []byte, n *node, from []*cursor) ([]byte, error) {
	first, err := from[n.leaf].peek()
	if err != nil {
		return dst, err
	}
	there := first.DefinitionLevel() >= n.def
	switch n.RepetitionType.V {
	case format.Optional:
		if !there {
			return append(dst, "null"...), skip(n, from)
		}
	case format.Repeated:
		if !there {
			return append(dst, "[]"...), skip(n, from)
		}
		return repeat(dst, n, from, '[', ']', func(dst []byte) ([]byte, error) { return assembleOne(dst, n, from) })
	}
	return assembleOne(dst, n, from)
}

// repeat adds one element after the other.
func repeat(dst []byte, n *node, from []*cursor, open, closer byte, one func([]byte) ([]byte, error)) ([]byte, error) {
	dst = append(dst, open)
	for i := 0; ; i++ {
		if i > 0 {
			next, err := from[n.leaf].peek()
			if err != nil && err != io.EOF {
				return dst, err
			}
			if err != nil || next.RepetitionLevel() != n.rep {
				return append(dst, closer), nil
			}
			dst = append(dst, ',')
		}
		var err error
		if dst, err = one(dst); err != nil {
			return dst, err
		}
	}
}

// assembleOne adds a node that is there, once.
func assembleOne(dst []byte, n *node, from []*cursor) ([]byte, error) {
	if len(n.children) == 0 {
		value, err := from[n.leaf].next()
		if err != nil {
			return dst, err
		}
		return appendScalar(dst, n, value)
	}
	if list, element := n.list(); list != nil {
		return assembleList(dst, list, element, from)
	}
	if entry := n.mapEntry(); entry != nil {
		return assembleMap(dst, entry, from)
	}
	dst = append(dst, '{')
	for i, c := range n.children {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsontext.AppendString(dst, c.Name)
		dst = append(dst, ':')
		var err error
		if dst, err = assemble(dst, c, from); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// list tells whether a group is a list, and returns its repeated node and what its elements
// are: the repeated node's one member, or by old writers the repeated node itself.
func (n *node) list() (repeated, element *node) {
	_, logical := n.LogicalType.Value.(*format.ListType)
	if !logical && !n.converted(deprecated.List) || len(n.children) != 1 || n.children[0].RepetitionType.V != format.Repeated {
		return nil, nil
	}
	repeated = n.children[0]
	if len(repeated.children) != 1 || repeated.Name == "array" || repeated.Name == n.Name+"_tuple" {
		return repeated, repeated
	}
	return repeated, repeated.children[0]
}

func assembleList(dst []byte, list, element *node, from []*cursor) ([]byte, error) {
	first, err := from[list.leaf].peek()
	if err != nil {
		return dst, err
	}
	if first.DefinitionLevel() < list.def {
		return append(dst, "[]"...), skip(list, from)
	}
	return repeat(dst, list, from, '[', ']', func(dst []byte) ([]byte, error) {
		if element == list {
			return assembleOne(dst, list, from)
		}
		return assemble(dst, element, from)
	})
}

// mapEntry returns a map's repeated pair of key and value; nil = the group is no map.
func (n *node) mapEntry() *node {
	_, logical := n.LogicalType.Value.(*format.MapType)
	if !logical && !n.converted(deprecated.Map) && !n.converted(deprecated.MapKeyValue) || len(n.children) != 1 {
		return nil
	}
	entry := n.children[0]
	if entry.RepetitionType.V != format.Repeated || len(entry.children) != 2 || entry.children[0].group() {
		return nil
	}
	return entry
}

func assembleMap(dst []byte, entry *node, from []*cursor) ([]byte, error) {
	first, err := from[entry.leaf].peek()
	if err != nil {
		return dst, err
	}
	if first.DefinitionLevel() < entry.def {
		return append(dst, "{}"...), skip(entry, from)
	}
	return repeat(dst, entry, from, '{', '}', func(dst []byte) ([]byte, error) {
		key, err := assemble(nil, entry.children[0], from)
		if err != nil {
			return dst, err
		}
		if len(key) == 0 || key[0] != '"' {
			key = jsontext.AppendString(nil, string(key)) // JSON's keys are strings
		}
		dst = append(append(dst, key...), ':')
		return assemble(dst, entry.children[1], from)
	})
}

// appendScalar adds one value.
func appendScalar(dst []byte, n *node, v *parquet.Value) ([]byte, error) {
	switch n.Type.V {
	case format.Boolean:
		return strconv.AppendBool(dst, v.Boolean()), nil
	case format.Int32:
		if n.isDate() {
			if s, ok := datetime.FromDays(int64(v.Int32())); ok {
				return quoted(dst, s.AppendDate), nil
			}
		}
		if n.converted(deprecated.Decimal) {
			return appendScaled(dst, int64(v.Int32()), int(n.Scale.V)), nil
		}
		return strconv.AppendInt(dst, int64(v.Int32()), 10), nil
	case format.Int64:
		return appendInt64(dst, n, v.Int64()), nil
	case format.Int96:
		s, ok := fromInt96(v)
		if !ok {
			return dst, fmt.Errorf("a time of column %q is out of range", n.Name)
		}
		return quoted(dst, s.AppendTimestamp), nil
	case format.Float:
		return appendFloat(dst, float64(v.Float()), 32), nil
	case format.Double:
		return appendFloat(dst, v.Double(), 64), nil
	case format.FixedLenByteArray:
		dst, _ = appendDecimal(dst, v.ByteArray(), int(n.Scale.V))
		return dst, nil
	}
	if len(v.ByteArray()) > maxString {
		return dst, errLongString
	}
	if n.isText() || n.isJSON() || n.converted(deprecated.Enum) {
		return jsontext.AppendString(dst, string(v.ByteArray())), nil
	}
	return jsontext.AppendString(dst, hex.EncodeToString(v.ByteArray())), nil
}

func appendInt64(dst []byte, n *node, v int64) []byte {
	unit := int64(0)
	switch {
	case n.converted(deprecated.TimestampMicros):
		unit = 1
	case n.converted(deprecated.TimestampMillis):
		unit = 1000
	case n.converted(deprecated.Decimal):
		return appendScaled(dst, v, int(n.Scale.V))
	}
	if unit > 0 && v <= math.MaxInt64/unit && v >= math.MinInt64/unit {
		if s, ok := datetime.FromMicros(v * unit); ok {
			return quoted(dst, s.AppendTimestamp)
		}
	}
	return strconv.AppendInt(dst, v, 10)
}

func appendScaled(dst []byte, v int64, scale int) []byte {
	var b [8]byte
	for i := range b {
		b[i] = byte(v >> (56 - 8*i))
	}
	dst, _ = appendDecimal(dst, b[:], scale)
	return dst
}

func quoted(dst []byte, add func([]byte) []byte) []byte {
	dst = add(append(dst, '"'))
	return append(dst, '"')
}

// appendFloat adds a number; JSON has none for what is not finite.
func appendFloat(dst []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits)
}
