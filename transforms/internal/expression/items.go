package expression

import "github.com/starlift-etl/starlift/pipeline/decode"

// Items reads values of undecoded items as expressions have them. One goroutine uses it.
type Items struct {
	Typed bool // the records are DynamoDB JSON

	texts []byte // of strings with escapes
}

// Reset forgets the values that were read: their memory is used again.
func (r *Items) Reset() { r.texts = r.texts[:0] }

// Value returns a value of a record. It shares the memory of the record, and what
// Reset takes back.
func (r *Items) Value(rec []byte, v decode.Value) (Value, error) {
	switch v.Kind {
	case decode.Missing, decode.Null:
		return Value{}, nil
	case decode.Number:
		return NumberOf(v.Raw(rec))
	case decode.Bool:
		return BoolOf(v.Raw(rec)[0] == 't'), nil
	case decode.Binary, decode.String:
		if !v.Escaped {
			return TextOf(v.Raw(rec)), nil
		}
		v.Kind = decode.String // a binary is its base64 text
		from := len(r.texts)
		var err error
		if r.texts, err = decode.AppendText(r.texts, rec, v); err != nil {
			return Value{}, err
		}
		return TextOf(r.texts[from:]), nil
	}
	text, err := decode.AppendJSON(nil, rec, v, r.Typed)
	if err != nil {
		return Value{}, err
	}
	return ParseJSON(text)
}

// Indexed returns a character of a string, or an element of a set: what no
// document path leads to.
func (r *Items) Indexed(rec []byte, v decode.Value, index int) (Value, error) {
	switch v.Kind {
	case decode.String, decode.StringSet, decode.NumberSet, decode.BinarySet:
		value, err := r.Value(rec, v)
		return value.At(index), err
	}
	return Value{}, nil
}
