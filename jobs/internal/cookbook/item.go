package cookbook

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// An item, or a map in one: its attributes in their order.
type item []attribute

type attribute struct {
	name  string
	value any
}

// The values of attributes that Go has no own types for. An int is a number too, a []any a
// list, an item a map, and nil NULL.
type (
	number  string   // the digits of a number
	texts   []string // a set of texts
	numbers []string // a set of numbers, by their digits
)

// of returns an item of names and values, in turns.
func of(pairs ...any) item { return item(nil).with(pairs...) }

// with returns a copy of the item with these attributes set.
func (i item) with(pairs ...any) item {
	c := slices.Clone(i)
	for ; len(pairs) > 0; pairs = pairs[2:] {
		name := pairs[0].(string)
		if at := c.index(name); at >= 0 {
			c[at].value = pairs[1]
		} else {
			c = append(c, attribute{name, pairs[1]})
		}
	}
	return c
}

// without returns a copy of the item that lacks these attributes.
func (i item) without(names ...string) item {
	return slices.DeleteFunc(slices.Clone(i), func(a attribute) bool { return slices.Contains(names, a.name) })
}

func (i item) index(name string) int {
	return slices.IndexFunc(i, func(a attribute) bool { return a.name == name })
}

// only returns the attributes of these names.
func (i item) only(names []string) item {
	return slices.DeleteFunc(slices.Clone(i), func(a attribute) bool { return !slices.Contains(names, a.name) })
}

// appendItem appends the item as DynamoDB JSON.
func appendItem(b []byte, i item) []byte {
	b = append(b, '{')
	for n, a := range i {
		if n > 0 {
			b = append(b, ',')
		}
		b = appendText(b, a.name)
		b = append(b, ':')
		b = appendValue(b, a.value)
	}
	return append(b, '}')
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, `{"NULL":true}`...)
	case string:
		return append(appendText(append(b, `{"S":`...), v), '}')
	case int:
		return appendValue(b, number(strconv.Itoa(v)))
	case number:
		return append(appendText(append(b, `{"N":`...), string(v)), '}')
	case bool:
		return append(strconv.AppendBool(append(b, `{"BOOL":`...), v), '}')
	case []byte:
		return append(appendText(append(b, `{"B":`...), base64.StdEncoding.EncodeToString(v)), '}')
	case texts:
		return append(appendTexts(append(b, `{"SS":`...), v), '}')
	case numbers:
		return append(appendTexts(append(b, `{"NS":`...), v), '}')
	case item:
		return append(appendItem(append(b, `{"M":`...), v), '}')
	case []any:
		b = append(b, `{"L":[`...)
		for n, e := range v {
			if n > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e)
		}
		return append(b, `]}`...)
	}
	panic(fmt.Sprintf("a value of type %T has no form in DynamoDB", v))
}

func appendTexts(b []byte, list []string) []byte {
	b = append(b, '[')
	for n, s := range list {
		if n > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string is always JSON
	}
	return append(b, text...)
}
