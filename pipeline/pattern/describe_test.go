package pattern

import (
	"reflect"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestPatternText: a pattern is said in one line of YAML, which compiles to the same pattern, and its
// fields are what it tests, without what is only on the way there.
func TestPatternText(t *testing.T) {
	for _, c := range []struct {
		pattern, want string
		fields        []string
	}{
		{`{"type": ["customer"]}`, `{type: ["customer"]}`, []string{"type"}},
		{`{"PK": [{"prefix": "CUST#"}], "n": [1.50, "007e3"]}`, `{PK: [{prefix: "CUST#"}], "n": [1.50, "007e3"]}`, []string{"PK", "n"}},
		{`{"address": {"country": ["NL", "no", null, true, "true"]}}`, `{address: {country: ["NL", "no", null, true, "true"]}}`, []string{"address.country"}},
		{`{"a.b": [{"numeric": [">", 0, "<=", 5]}], "$or": [{"c": [{"exists": false}]}, {"d": {"e": ["x<y"]}, "$meta.ttl": [true]}]}`,
			`{$or: [{c: [{exists: false}]}, {$meta.ttl: [true], d: {e: ["x<y"]}}], a.b: [{numeric: [">", 0, "<=", 5]}]}`, []string{"$meta.ttl", "a.b", "c", "d.e"}},
		{`{"$meta": {"event_name": ["INSERT"]}}`, `{$meta: {event_name: ["INSERT"]}}`, []string{"$meta.event_name"}},
	} {
		p, err := Compile(parse(t, c.pattern), nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.String() != c.want || !slices.Equal(p.Fields(), c.fields) {
			t.Errorf("%s is said as %s of %q, want %s of %q", c.pattern, p, p.Fields(), c.want, c.fields)
		}
		var got, want any
		if yaml.Unmarshal([]byte(p.String()), &got) != nil || yaml.Unmarshal([]byte(c.pattern), &want) != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s reads %v, want %v", p, got, want)
		}
	}
}
