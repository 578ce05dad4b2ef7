// Package jsontext writes JSON strings as they are kept in SUPER and in files: nothing is
// escaped that JSON lets stand.
package jsontext

import (
	"bytes"
	"encoding/json"
)

// AppendString adds a string. What is not UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	for i := 0; ; i++ {
		if i == len(s) {
			return append(append(append(dst, '"'), s...), '"')
		}
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			break
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string always has a JSON text
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
