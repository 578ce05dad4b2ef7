package redshift

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDocumentProblems: the corner cases of JSON, one by one.
func TestDocumentProblems(t *testing.T) {
	names := func(n int, last string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"n%d":{},`, i)
		}
		return "{" + b.String() + last + ":1}"
	}
	for doc, want := range map[string]string{
		`null`: "", `""`: "", `[]`: "", `{}`: "", ` {"a" : [ true , null , {"a":1} ], "b":{"a":1}} `: "",
		`"\u0000"`: "U+0000", `"\\u0000"`: "", `{"\u0000":1}`: "U+0000", `"\ud800"`: "surrogate", `"\ude00"`: "surrogate", `"\ud83d\ude00"`: "", `"\ud83d\u0041"`: "surrogate",
		`{"a":1,"a":2}`: "one name", `{"a":1,"\u0061":2}`: "one name", `[{"b":{"a":1,"c":[{"x":1}],"a":2}}]`: "one name", `{"a":{"a":1},"b":{"a":1},"c":["a","a"]}`: "", `{"a":"a","b":"a"}`: "", `{"":1,"":2}`: "one name",
		`{"A":1,"a":2}`: "", names(15, `"n3"`): "one name", names(16, `"n3"`): "one name", names(17, `"n16"`): "one name", names(40, `"n3"`): "one name", names(40, `"n39"`): "one name", names(40, `"n40"`): "",
		strings.Repeat("[", 1000) + strings.Repeat("]", 1000):           "",
		strings.Repeat("[", 1001) + strings.Repeat("]", 1001):           "1,000",
		strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000): "",
		strings.Repeat(`{"a":`, 1001) + "1" + strings.Repeat("}", 1001): "1,000",
		`0`: "", `-0`: "", `0.0`: "", `0e999`: "", `1e308`: "", `1e400`: "number", `-1e400`: "number", `1e-400`: "number", `5e-324`: "", `[1.7976931348623157e308]`: "", `1e99999999999999999999`: "number",
		`9223372036854775808`: "", strings.Repeat("9", 38): "", strings.Repeat("9", 39): "number", "1" + strings.Repeat("0", 125): "", `0.` + strings.Repeat("1", 37): "", `0.` + strings.Repeat("1", 38): "number", `0.` + strings.Repeat("0", 37) + `1`: "",
		`12345678901234567890.5`: "", `1234567890123456789e5`: "number", `1.5e3`: "", `0.1`: "", `1.00`: "",
	} {
		got := documentProblem(doc, false)
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%.100s: %q, want %q", doc, got, want)
		}
	}
}

// TestDocumentNames: a document has an object with two attributes of one name if and only if a
// parser that keeps the last one loses an attribute.
func TestDocumentNames(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		doc, count := drawObject(rt, 3)
		var v any
		if err := json.Unmarshal([]byte(doc), &v); err != nil {
			rt.Fatalf("%s: %v", doc, err)
		}
		if got, want := documentProblem(doc, false) != "", attributes(v) < count; got != want {
			rt.Fatalf("%s: a name is twice in an object: %t, want %t", doc, got, want)
		}
	})
}

// drawObject draws an object of other objects and arrays, and how many attributes it has in all.
func drawObject(rt *rapid.T, depth int) (doc string, count int) {
	var parts []string
	for range rapid.IntRange(0, 4*depth*depth).Draw(rt, "attributes") {
		value, n := rapid.SampledFrom([]string{"1", `"a"`, `["a","a"]`, `{}`}).Draw(rt, "value"), 0
		if depth > 1 && rapid.Bool().Draw(rt, "nested") {
			value, n = drawObject(rt, depth-1)
		}
		name := rapid.SampledFrom([]string{`"a"`, `"b"`, `"\u0061"`, `"\"\\"`, `"é"`}).Draw(rt, "name")
		if rapid.IntRange(0, 9).Draw(rt, "other") > 0 {
			name = strconv.Quote(rapid.StringMatching("[a-z]{4}").Draw(rt, "long name"))
		}
		parts = append(parts, name+" : "+value)
		count += 1 + n
	}
	return "{" + strings.Join(parts, ", ") + "}", count
}

func attributes(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			n += 1 + attributes(child)
		}
	case []any:
		for _, child := range v {
			n += attributes(child)
		}
	}
	return n
}
