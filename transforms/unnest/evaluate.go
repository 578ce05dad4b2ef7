package unnest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/transforms/internal/scalar"
)

// maxFloatDigits is how many decimal digits any double holds.
const maxFloatDigits = 15

var errDigits = errors.New("has more digits than an expression can hold (15, or an integer of 64 bits)")

// evaluate runs a column's expression and appends its result.
func (m *mapper) evaluate(c *column, out *cells) string {
	if m.env == nil {
		m.env = map[string]any{}
	}
	clear(m.env)
	for _, v := range c.expr.vars {
		value, err := m.any(v.source)
		if err != nil {
			return err.Error()
		}
		m.env[v.name] = value
	}
	result, err := m.vm.Run(c.expr.program, m.env)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return "its expression fails: " + line
	}
	return m.result(c, out, result)
}

// result appends what an expression gave.
func (m *mapper) result(c *column, out *cells, v any) string {
	if v == nil {
		out.null()
		return ""
	}
	if c.typ.Kind == pipeline.JSONText {
		return jsonResult(out, v)
	}
	text, kind := m.text[:0], decode.String
	switch v := v.(type) {
	case string:
		text = append(text, v...)
	case bool:
		text, kind = strconv.AppendBool(text, v), decode.Bool
	case int:
		text, kind = strconv.AppendInt(text, int64(v), 10), decode.Number
	case float64:
		text, kind = strconv.AppendFloat(text, v, 'g', -1, 64), decode.Number
	case time.Time:
		text = scalar.AppendTime(text, v.UnixMicro())
	case []byte:
		text = append(text, v...)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprintf("its expression gives a %T", v)
		}
		text = append(text, b...)
	}
	m.text = text
	return c.read(out, kind, text)
}

// jsonResult appends a result as JSON text.
func jsonResult(out *cells, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("its expression gives a %T", v)
	}
	out.text(b)
	return ""
}

// any returns a value as expressions have it.
func (m *mapper) any(s source) (any, error) {
	switch s.origin {
	case fromItem, fromElement:
		return m.anyValue(m.valueOf(&s))
	case fromOrdinal:
		return int(m.ordinal), nil
	case fromTTL:
		return m.meta.TTL, nil
	case fromCreated, fromArrived:
		if micros := m.time(s.origin); micros != 0 {
			return string(scalar.AppendTime(nil, micros)), nil
		}
		return nil, nil
	default:
		if text := m.metaText(s.origin); text != nil {
			return string(text), nil
		}
		return nil, nil
	}
}

func (m *mapper) anyValue(v decode.Value) (any, error) {
	switch v.Kind {
	case decode.Missing, decode.Null:
		return nil, nil
	case decode.Binary:
		return string(v.Raw(m.rec)), nil
	case decode.Number:
		return anyNumber(v.Raw(m.rec))
	case decode.Bool:
		return v.Raw(m.rec)[0] == 't', nil
	case decode.String:
		text, err := decode.AppendText(nil, m.rec, v)
		return string(text), err
	}
	text, err := decode.AppendJSON(nil, m.rec, v, m.bound.typed)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	return plainNumbers(tree)
}

// plainNumbers replaces the numbers within v.
func plainNumbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return anyNumber([]byte(v))
	case []any:
		for i := range v {
			if v[i], err = plainNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = plainNumbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// anyNumber returns a number without losing a digit: an int or a float64.
func anyNumber(text []byte) (any, error) {
	if n, reason := decimal.Int64(text); reason == "" {
		return int(n), nil
	}
	d, ok := decimal.Parse(nil, text)
	if !ok {
		return nil, errors.New(decimal.NotNumber)
	}
	if len(d.Digits) > maxFloatDigits {
		return nil, errDigits
	}
	f, reason := decimal.Float(text)
	if reason != "" || f == 0 {
		return nil, errors.New(decimal.OutOfRange)
	}
	return f, nil
}
