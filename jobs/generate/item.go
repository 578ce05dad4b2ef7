package generate

import (
	"strconv"
	"time"
)

// item gathers the attributes of one item as JSON, and its size as DynamoDB
// counts it: names and values, not the JSON around them.
type item struct {
	plain bool // 5 and "a" instead of {"N":"5"} and {"S":"a"}
	bare  bool // {"N":5} instead of {"N":"5"}
	text  []byte
	spans []span // each attribute in text, without the comma before it
	size  int
}

type span struct{ start, end int }

func (it *item) reset() {
	it.text, it.spans, it.size = it.text[:0], it.spans[:0], 0
}

// open begins an attribute; what is appended to text until shut is its value.
func (it *item) open(name string) {
	if len(it.text) > 0 {
		it.text = append(it.text, ',')
	}
	it.spans = append(it.spans, span{start: len(it.text)})
	it.text = append(it.text, '"')
	it.text = append(it.text, name...)
	it.text = append(it.text, `":`...)
	it.size += len(name)
}

func (it *item) shut() { it.spans[len(it.spans)-1].end = len(it.text) }

// str adds a string attribute.
func (it *item) str(name, value string) {
	it.open(name)
	it.text = appendStr(it.text, value, it.plain)
	it.size += len(value)
	it.shut()
}

// id adds a string attribute made of a prefix and an identifier, neither of
// which needs escaping.
func (it *item) id(name, prefix string, id []byte) {
	it.open(name)
	if !it.plain {
		it.text = append(it.text, `{"S":`...)
	}
	it.text = append(it.text, '"')
	it.text = append(it.text, prefix...)
	it.text = append(it.text, id...)
	it.text = append(it.text, '"')
	if !it.plain {
		it.text = append(it.text, '}')
	}
	it.size += len(prefix) + len(id)
	it.shut()
}

// time adds a time, given in seconds since 1970, as text.
func (it *item) time(name string, unix int64) {
	var buf [32]byte
	it.id(name, "", appendTime(buf[:0], unix))
}

// num adds a number of hundredths. trim leaves zeros at its end out, as
// DynamoDB gives numbers back; without it there are always two decimals.
func (it *item) num(name string, hundredths int64, trim bool) {
	it.open(name)
	quoted := !it.plain && !it.bare
	if !it.plain {
		it.text = append(it.text, `{"N":`...)
	}
	if quoted {
		it.text = append(it.text, '"')
	}
	start := len(it.text)
	it.text = appendHundredths(it.text, hundredths, trim)
	it.size += (len(it.text)-start)/2 + 2
	if quoted {
		it.text = append(it.text, '"')
	}
	if !it.plain {
		it.text = append(it.text, '}')
	}
	it.shut()
}

// object adds a map attribute of string values.
func (it *item) object(name string, fields ...[2]string) {
	it.open(name)
	if !it.plain {
		it.text = append(it.text, `{"M":`...)
	}
	it.text = append(it.text, '{')
	it.size += 3
	for i, f := range fields {
		if i > 0 {
			it.text = append(it.text, ',')
		}
		it.text = append(it.text, '"')
		it.text = append(it.text, f[0]...)
		it.text = append(it.text, `":`...)
		it.text = appendStr(it.text, f[1], it.plain)
		it.size += 1 + len(f[0]) + len(f[1])
	}
	it.text = append(it.text, '}')
	if !it.plain {
		it.text = append(it.text, '}')
	}
	it.shut()
}

// wrap adds a value with its type around it, unless the item is plain.
func (it *item) wrap(kind string, value func()) {
	if it.plain {
		value()
		return
	}
	it.text = append(it.text, `{"`...)
	it.text = append(it.text, kind...)
	it.text = append(it.text, `":`...)
	value()
	it.text = append(it.text, '}')
}

// appendTo appends the item as a JSON object. With order, the attributes come
// in an order that it draws.
func (it *item) appendTo(b []byte, order *source) []byte {
	b = append(b, '{')
	if order == nil {
		b = append(b, it.text...)
		return append(b, '}')
	}
	for i := len(it.spans) - 1; i > 0; i-- {
		j := order.below(i + 1)
		it.spans[i], it.spans[j] = it.spans[j], it.spans[i]
	}
	for i, s := range it.spans {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, it.text[s.start:s.end]...)
	}
	return append(b, '}')
}

func appendStr(b []byte, s string, plain bool) []byte {
	if plain {
		return appendQuoted(b, s)
	}
	b = append(b, `{"S":`...)
	b = appendQuoted(b, s)
	return append(b, '}')
}

// appendQuoted appends s as a JSON string. The only characters of the sample
// data that need escaping are quotes and backslashes; a table's name from the
// user may hold others.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		if start = i + 1; c < ' ' {
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, '\\', c)
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendHundredths(b []byte, n int64, trim bool) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendInt(b, n/100, 10)
	rest := byte(n % 100)
	if trim && rest == 0 {
		return b
	}
	b = append(b, '.', '0'+rest/10)
	if trim && rest%10 == 0 {
		return b
	}
	return append(b, '0'+rest%10)
}

func appendTime(b []byte, unix int64) []byte {
	return time.Unix(unix, 0).UTC().AppendFormat(b, time.RFC3339)
}
