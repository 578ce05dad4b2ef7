package jsonscan

import (
	"encoding/json"
	"testing"
)

// TestSpan ends where values end.
func TestSpan(t *testing.T) {
	for _, value := range []string{`1`, `-1.5e3`, `null`, `true`, `""`, `"a"`, `"\\"`, `"\""`, `"a\\\"b"`, `{}`, `[]`, `{"a":"}","b":[{"c":"]\""},"{"],"d":{"e":1}}`, `[[["[["]]]`, `{ "a" : [ 1 , 2 ] }`} {
		if !json.Valid([]byte(value)) {
			t.Fatalf("the test's own %s", value)
		}
		for _, behind := range []string{"", ",", "}", "]", ` "x"`} {
			s := Scanner{Body: []byte("12" + value + behind)}
			if end := s.Span(2); end != 2+len(value) || s.Err != nil {
				t.Errorf("%s%s: %d, %v", value, behind, end, s.Err)
			}
		}
		for n := range value {
			s := Scanner{Body: []byte(value[:n])}
			if end := s.Span(0); value[0] != '-' && value[0] != '1' && (end >= 0 || s.Err == nil) {
				t.Errorf("%s ends at %d", value[:n], end)
			}
		}
	}
	for _, wrong := range []string{``, `}`, `]`, `,`, `x`, `tru`} {
		s := Scanner{Body: []byte(wrong)}
		if end := s.Span(0); end >= 0 {
			t.Errorf("%q ends at %d", wrong, end)
		}
	}
}
