package pattern

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// random makes patterns and items of few names and values, so that they meet.
type random struct{ *rand.Rand }

func newRandom(t *testing.T) random {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return random{rand.New(rand.NewPCG(seed, 0))}
}

func pick[T any](r random, of ...T) T { return of[r.IntN(len(of))] }

var names = []string{"a", "b", "c"}

func (r random) text() string {
	return pick(r, "", "a", "ab", "b", "AB", "aab", "10.0.0.1", "10.1.0.1")
}

func (r random) scalar() any {
	return pick[any](r, nil, true, false, json.Number("1"), json.Number("2.0"), json.Number("20e-1"), r.text(), r.text(), r.text())
}

func (r random) value(depth int) any {
	switch n := r.IntN(10); {
	case depth > 0 && n < 2:
		list := make([]any, r.IntN(3))
		for i := range list {
			list[i] = r.value(depth - 1)
		}
		return list
	case depth > 0 && n < 5:
		return r.item(depth - 1)
	default:
		return r.scalar()
	}
}

func (r random) item(depth int) map[string]any {
	item := map[string]any{}
	for _, name := range names {
		if r.IntN(3) > 0 {
			item[name] = r.value(depth)
		}
	}
	return item
}

func (r random) pattern(depth int, top bool) map[string]any {
	p := map[string]any{}
	for range 1 + r.IntN(2) {
		switch n := r.IntN(12); {
		case depth > 0 && n < 2:
			p[pick(r, "$or", "$and")] = []any{r.pattern(depth-1, top), r.pattern(depth-1, top)}
		case top && n < 3:
			p["$expr"] = r.path()
		case depth > 0 && n < 6:
			p[r.path()] = r.pattern(depth-1, false)
		default:
			p[r.path()] = r.tests()
		}
	}
	return p
}

func (r random) path() string {
	if r.IntN(4) > 0 {
		return pick(r, names...)
	}
	return pick(r, names...) + "." + pick(r, names...)
}

func (r random) tests() []any {
	tests := make([]any, 1+r.IntN(3))
	for i := range tests {
		if tests[i] = r.scalar(); r.IntN(3) > 0 {
			tests[i] = r.test()
		}
	}
	return tests
}

func (r random) test() map[string]any {
	test := map[string]any{}
	for range 1 + r.IntN(2) {
		name := pick(r, "prefix", "suffix", "equals-ignore-case", "wildcard", "cidr", "numeric", "exists", "anything-but", "anything-but", "$and")
		switch name {
		case "$and":
			test[name] = r.tests()
		case "numeric":
			test[name] = []any{r.comparison(), r.number()}
		case "exists":
			test[name] = r.IntN(3) > 0
		case "anything-but":
			test[name] = r.anythingBut()
		default:
			test[name] = r.operand(name)
		}
	}
	return test
}

// operand makes the operand of an operator over text.
func (r random) operand(name string) any {
	switch name {
	case "cidr":
		return pick(r, "10.0.0.0/16", "10.0.0.0/8", "10.0.0.1/32", "::/0")
	case "wildcard":
		return pick(r, "*", "a*", "*b", "a*b", "ab")
	case "prefix", "suffix":
		if r.IntN(3) == 0 {
			return map[string]any{"equals-ignore-case": r.text()}
		}
	}
	return r.text()
}

func (r random) anythingBut() any {
	switch r.IntN(3) {
	case 0:
		name := pick(r, "prefix", "suffix", "equals-ignore-case", "wildcard", "cidr")
		return map[string]any{name: []any{r.operand(name), r.operand(name)}}
	case 1:
		return []any{r.scalar(), r.scalar()}
	}
	return pick[any](r, r.text(), json.Number("2"), true)
}

// TestRandomPatterns compares the matcher with the oracle, and what it says of parts of
// an item with what becomes of the whole.
func TestRandomPatterns(t *testing.T) {
	r := newRandom(t)
	accepted, matched := 0, 0
	for range 4_000 {
		pattern := r.pattern(3, true)
		p, err := Compile(pattern, toyConditions{})
		if err != nil {
			continue
		}
		accepted++
		for range 3 {
			item := r.item(2)
			text, want := marshal(t, item), naiveMap(pattern, item)
			if want {
				matched++
			}
			if got := plainMatch(t, p, text); got != want {
				t.Fatalf("%s on %s: %v, want %v", marshal(t, pattern), text, got, want)
			}
			if got := typedMatch(t, p, item); got != want {
				t.Fatalf("%s on DynamoDB's %s: %v, want %v", marshal(t, pattern), text, got, want)
			}
			if want {
				r.checkParts(t, p, item)
			}
		}
	}
	if accepted < 1_000 || matched < 200 {
		t.Errorf("only %d patterns and %d matches", accepted, matched)
	}
}

// checkParts checks what is said of parts of an item that matches: what is required is
// there, and an item of which some is not known may match.
func (r random) checkParts(t *testing.T, p *Pattern, item map[string]any) {
	t.Helper()
	for i, required := range p.Required() {
		if name := p.Paths()[i][0].Name; required {
			if _, ok := item[name]; !ok {
				t.Fatalf("%s matches without %s, which is required", marshal(t, item), name)
			}
		}
	}
	part := map[string]any{}
	for name, value := range item {
		if r.IntN(2) == 0 {
			part[name] = value
		}
	}
	rec := []byte(marshal(t, part))
	values := decoded(t, p, rec)
	if ok, err := p.NewMatcher(slotsOf(p), false).MayMatch(rec, values, &Meta{}, UnknownItem); !ok || err != nil {
		t.Fatalf("%s matches, but of it %s can't: %v", marshal(t, item), rec, err)
	}
}

func decoded(t *testing.T, p *Pattern, rec []byte) []decode.Value {
	t.Helper()
	d := decode.NewDecoder(&pipeline.Format{Encoding: pipeline.JSON}, decode.Options{New: decode.NewProjection(p.Paths(), false)})
	var r decode.Record
	if err := d.Decode(rec, &r); err != nil {
		t.Fatalf("%s: %v", rec, err)
	}
	return r.New
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const everyValue = "every value passes one of these"

// TestListsOfAllValues: a list that is refused since every value passes it does pass
// every value, and one that some value fails for is not refused.
func TestListsOfAllValues(t *testing.T) {
	r := newRandom(t)
	refused := 0
	for range 10_000 {
		tests := make([]any, 2+r.IntN(2))
		for i := range tests {
			if tests[i] = any(map[string]any{"anything-but": r.anythingBut()}); i > 0 && r.IntN(2) == 0 {
				tests[i] = r.test()
			}
		}
		_, err := Compile(map[string]any{"a": tests}, nil)
		if err == nil || !strings.Contains(err.Error(), everyValue) {
			continue
		}
		refused++
		for _, v := range []any{nil, true, false, json.Number("1"), json.Number("2"), json.Number("3"), "", "a", "b", "ab", "AB", "aB", "ba", "aab", "bab", "x", "10.0.0.1", "10.0.0.2", "10.1.0.1", "11.0.0.1", "::1"} {
			if !naiveTests(tests, v) {
				t.Fatalf("%s is refused, but %v does not pass: %v", marshal(t, tests), v, err)
			}
		}
	}
	if refused < 200 {
		t.Errorf("only %d lists are refused", refused)
	}
}

// TestImpossibleTests: several tests that are refused since no value passes all of them are
// passed by none.
func TestImpossibleTests(t *testing.T) {
	r := newRandom(t)
	refused := map[string]int{}
	for range 20_000 {
		test := map[string]any{"$and": []any{r.test(), r.test()}}
		if r.IntN(4) == 0 {
			test = map[string]any{"numeric": []any{r.comparison(), r.number(), r.comparison(), r.number(), r.comparison(), r.number()}}
		}
		_, err := Compile(map[string]any{"a": []any{test}}, nil)
		reason := ""
		for _, known := range []string{"no value passes all of these", "no number is within these bounds"} {
			if err != nil && strings.Contains(err.Error(), known) {
				reason = known
			}
		}
		if reason == "" {
			continue
		}
		refused[reason]++
		for _, v := range []any{absent{}, nil, true, json.Number("0"), json.Number("1"), json.Number("1.5"), json.Number("2"), json.Number("3"), "", "a", "b", "ab", "AB", "aB", "ba", "aab", "bab", "10.0.0.1", "10.1.0.1", "::1"} {
			if naiveTest(test, v) {
				t.Fatalf("%s is refused, but %v passes: %v", marshal(t, test), v, err)
			}
		}
	}
	if len(refused) < 2 || refused["no value passes all of these"] < 1_000 {
		t.Errorf("refused are %v", refused)
	}
}

func (r random) comparison() any { return pick[any](r, "<", "<=", "=", ">", ">=") }

func (r random) number() any {
	return pick[any](r, json.Number("1"), json.Number("2.0"), json.Number("2"))
}

// TestListsThatAreRefused: the messages say what to write, and that is accepted.
func TestListsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`[{"prefix":"v"},{"anything-but":"v0"}]`:                                        `write [{prefix: "v", anything-but: "v0"}] for the values that pass all`,
		`[{"anything-but":["v0","v1"]},{"prefix":"v"}]`:                                 `write [{anything-but: ["v0", "v1"], prefix: "v"}]`,
		`[{"wildcard":"v*"},{"anything-but":"v0"}]`:                                     `write [{wildcard: "v*", anything-but: "v0"}]`,
		`[{"numeric":[">",100]},{"anything-but":101}]`:                                  `write [{numeric: [">", 100], anything-but: 101}]`,
		`[{"anything-but":"a"},{"anything-but":["b",1]}]`:                               `write [{anything-but: ["a", "b", 1]}] for the values that are none of them`,
		`[{"anything-but":{"prefix":"a"}},{"anything-but":{"prefix":"b"}}]`:             `write [{$and: [{anything-but: {prefix: "a"}}, {anything-but: {prefix: "b"}}]}] for the values that pass all`,
		`[{"anything-but":["a","b"]},{"anything-but":{"prefix":"x"}}]`:                  `write [{$and: [{`,
		`[{"prefix":"ab"},{"prefix":"a"},{"anything-but":{"prefix":["ab","aa"]}}]`:      `write [{$and: [{`,
		`[{"anything-but":"a"},"a"]`:                                                    `leave anything-but out, or write [{exists: true}]`,
		`[{"cidr":"10.0.0.0/8"},{"anything-but":{"cidr":"10.1.0.0/16"}}]`:               `write [{cidr: "10.0.0.0/8", anything-but: {cidr: "10.1.0.0/16"}}]`,
		`[{"suffix":{"equals-ignore-case":"B"}},{"anything-but":"ab"}]`:                 `write [{suffix: {equals-ignore-case: "B"}, anything-but: "ab"}]`,
		`[{"anything-but":{"equals-ignore-case":"xY"}},{"equals-ignore-case":"Xy"}]`:    `write [{anything-but: {equals-ignore-case: "xY"}, equals-ignore-case: "Xy"}]`,
		`[{"anything-but":"v0"},{"prefix":"v","suffix":"0"}]`:                           `write [{anything-but: "v0", prefix: "v", suffix: "0"}]`,
		`[{"anything-but":{"wildcard":"a*b"}},{"wildcard":"a*b"},{"anything-but":"x"}]`: `write [{$and: [{`,
	} {
		_, err := Compile(parse(t, `{"a":`+text+`}`), nil)
		if err == nil || !strings.Contains(err.Error(), everyValue) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{
		`[{"prefix":"v"},{"anything-but":"x"}]`, `[{"prefix":"v"},{"anything-but":{"suffix":"x"}}]`,
		`[{"numeric":[">",100]},{"anything-but":"101"}]`, `[{"anything-but":["a"]},{"exists":false}]`,
		`[{"anything-but":["a"]},{"exists":true},{"prefix":"a"}]`, `[{"anything-but":"a"},"a",null]`,
		`[{"anything-but":["a","b"]},{"anything-but":["b","c"]}]`, `[{"anything-but":{"prefix":"a"}},{"anything-but":"ab"}]`,
		`[{"anything-but":{"prefix":"a"}},{"prefix":"ab"}]`, `[{"prefix":"v","anything-but":"v0"}]`,
	} {
		if _, err := Compile(parse(t, `{"a":`+text+`}`), nil); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestConditions: what can't be computed is an error of its own, and only where the
// fields beside it match; what is not known may be true.
func TestConditions(t *testing.T) {
	p, err := Compile(parse(t, `{"t":["x"],"$or":[{"u":["y"]},{"$expr":"v"}]}`), toyConditions{})
	if err != nil {
		t.Fatal(err)
	}
	match := func(item string, unknown Unknown) (bool, error) {
		rec := []byte(item)
		return p.NewMatcher(slotsOf(p), false).MayMatch(rec, decoded(t, p, rec), &Meta{}, unknown)
	}
	for _, c := range []struct {
		item    string
		unknown Unknown
		want    bool
		broken  bool
	}{
		{`{"t":"x","v":"broken"}`, 0, false, true},
		{`{"t":"z","v":"broken"}`, 0, false, false},
		{`{"t":"x","u":"y","v":"broken"}`, 0, true, false},
		{`{"t":"x"}`, 0, false, false},
		{`{"t":"x"}`, UnknownItem, true, false},
		{`{"t":"x","u":"z"}`, UnknownItem, true, false},
		{`{"t":"x","u":"z","v":false}`, UnknownItem, false, false},
	} {
		ok, err := match(c.item, c.unknown)
		var failed *ConditionError
		if ok != c.want || errors.As(err, &failed) != c.broken {
			t.Errorf("%s, unknown %d: %v, %v", c.item, c.unknown, ok, err)
		}
	}
	for i, required := range p.Required() {
		if path := p.Paths()[i].String(); required != (path == "t") {
			t.Errorf("%s is required: %v", path, required)
		}
	}
}

func TestConditionsOfMeta(t *testing.T) {
	p, err := Compile(parse(t, `{"$expr":"$meta.table"}`), toyConditions{})
	if err != nil {
		t.Fatal(err)
	}
	m := p.NewMatcher(nil, false)
	for table, want := range map[string]bool{"t": true, "u": false} {
		if ok, err := m.Match([]byte("{}"), nil, &Meta{Table: []byte(table)}); ok != want || err != nil {
			t.Errorf("table %s: %v %v", table, ok, err)
		}
	}
	if ok, err := m.MayMatch([]byte("{}"), nil, &Meta{}, UnknownKind); !ok || err != nil || !p.UsesMeta() {
		t.Error("what $meta has is not known, but can't match")
	}
	if _, err := Compile(parse(t, `{"$or":[{"a":[1]},{"$expr":"a..b"}]}`), toyConditions{}); err == nil || !strings.Contains(err.Error(), "document path") {
		t.Errorf("a mistake in a condition: %v", err)
	}
}
