package pattern

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func parse(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func slotsOf(p *Pattern) []int {
	slots := make([]int, len(p.Paths()))
	for i := range slots {
		slots[i] = i
	}
	return slots
}

// matchRecord matches the new image of a record.
func matchRecord(t testing.TB, p *Pattern, f *pipeline.Format, rec string, meta *Meta) bool {
	t.Helper()
	typed := f.Encoding != pipeline.JSON
	d := decode.NewDecoder(f, decode.Options{New: decode.NewProjection(p.Paths(), typed)})
	var r decode.Record
	if err := d.Decode([]byte(rec), &r); err != nil {
		t.Fatalf("%s: %v", rec, err)
	}
	ok, err := p.NewMatcher(slotsOf(p), typed).Match([]byte(rec), r.New, meta)
	if err != nil {
		t.Fatalf("%s: %v", rec, err)
	}
	return ok
}

func plainMatch(t testing.TB, p *Pattern, item string) bool {
	return matchRecord(t, p, &pipeline.Format{Encoding: pipeline.JSON}, item, &Meta{})
}

// typedMatch matches the item as DynamoDB JSON in a full export.
func typedMatch(t testing.TB, p *Pattern, item any) bool {
	rec, err := json.Marshal(map[string]any{"Item": typed(item).(map[string]any)["M"]})
	if err != nil {
		t.Fatal(err)
	}
	return matchRecord(t, p, &pipeline.Format{Encoding: pipeline.DynamoDBExport, Table: "t"}, string(rec), &Meta{})
}

func typed(v any) any {
	switch v := v.(type) {
	case nil:
		return map[string]any{"NULL": true}
	case bool:
		return map[string]any{"BOOL": v}
	case json.Number:
		return map[string]any{"N": string(v)}
	case string:
		return map[string]any{"S": v}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = typed(v[i])
		}
		return map[string]any{"L": list}
	default:
		m := map[string]any{}
		for k, e := range v.(map[string]any) {
			m[k] = typed(e)
		}
		return map[string]any{"M": m}
	}
}

var matches = []struct {
	pattern string
	yes, no []string
}{
	{`{"type":["order"]}`, []string{`{"type":"order"}`, `{"type":["x","order"]}`, `{"type":[["order"]]}`, `{"type":"\u006frder"}`},
		[]string{`{}`, `{"type":"orders"}`, `{"type":null}`, `{"type":1}`, `{"type":{"order":1}}`, `{"type":[]}`}},
	{`{"n":[1]}`, []string{`{"n":1}`, `{"n":1.0}`, `{"n":1e0}`, `{"n":0.1E1}`, `{"n":100e-2}`}, []string{`{"n":"1"}`, `{"n":-1}`, `{"n":10}`, `{"n":1.00000000000000000000000000000000000001}`}},
	{`{"n":[0]}`, []string{`{"n":0}`, `{"n":-0.0}`, `{"n":0e9}`}, []string{`{"n":false}`, `{"n":1e-99999999999999999999}`}},
	{`{"v":[true,null]}`, []string{`{"v":true}`, `{"v":null}`}, []string{`{"v":false}`, `{}`, `{"v":"true"}`}},
	{`{"v":[{"prefix":"CUST#"}]}`, []string{`{"v":"CUST#1"}`, `{"v":"CUST#"}`, `{"v":"\u0043UST#ü"}`}, []string{`{"v":"cust#1"}`, `{"v":"CUST"}`, `{"v":1}`, `{}`}},
	{`{"v":[{"suffix":".png"}]}`, []string{`{"v":"a.png"}`}, []string{`{"v":"a.PNG"}`, `{"v":"png"}`}},
	{`{"v":[{"prefix":{"equals-ignore-case":"straßek"}}]}`, []string{`{"v":"STRAßEKx"}`, "{\"v\":\"straẞe\u212a\"}"}, []string{`{"v":"strasse"}`, `{"v":"STR"}`}},
	{`{"v":[{"suffix":{"equals-ignore-case":".Png"}}]}`, []string{`{"v":"a.PNG"}`}, []string{`{"v":"a.jpg"}`}},
	{`{"v":[{"equals-ignore-case":"Ab"}]}`, []string{`{"v":"aB"}`}, []string{`{"v":"abc"}`}},
	{`{"v":[{"wildcard":"a*b*\\*"}]}`, []string{`{"v":"axbx*"}`, `{"v":"ab*"}`, `{"v":"abbb*"}`}, []string{`{"v":"ab"}`, `{"v":"a*"}`, `{"v":"xab*"}`}},
	{`{"v":[{"wildcard":"aa*aa"}]}`, []string{`{"v":"aaaa"}`}, []string{`{"v":"aaa"}`}},
	{`{"v":[{"anything-but":"a"}]}`, []string{`{"v":"b"}`, `{"v":1}`, `{"v":null}`, `{"v":["a","b"]}`}, []string{`{"v":"a"}`, `{}`, `{"v":{}}`, `{"v":[]}`, `{"v":["a"]}`}},
	{`{"v":[{"anything-but":["a",1]}]}`, []string{`{"v":"1"}`}, []string{`{"v":"a"}`, `{"v":1.0}`}},
	{`{"v":[{"anything-but":{"prefix":["a","b"]}}]}`, []string{`{"v":"c"}`, `{"v":true}`}, []string{`{"v":"ax"}`, `{"v":"bx"}`}},
	{`{"v":[{"anything-but":{"suffix":"a"}}]}`, []string{`{"v":"ab"}`}, []string{`{"v":"ba"}`}},
	{`{"v":[{"anything-but":{"equals-ignore-case":"a"}}]}`, []string{`{"v":"b"}`}, []string{`{"v":"A"}`}},
	{`{"v":[{"anything-but":{"wildcard":"*/lib/*"}}]}`, []string{`{"v":"/usr"}`}, []string{`{"v":"/usr/lib/x"}`}},
	{`{"v":[{"numeric":[">",0,"<=",5]}]}`, []string{`{"v":5}`, `{"v":0.1}`, `{"v":5.000}`, `{"v":[9,3]}`}, []string{`{"v":0}`, `{"v":5.01}`, `{"v":"3"}`, `{"v":-3}`}},
	{`{"v":[{"numeric":["=",3e2]}]}`, []string{`{"v":300}`}, []string{`{"v":301}`}},
	{`{"v":[{"numeric":["<",-1]}]}`, []string{`{"v":-1.5}`, `{"v":-20}`}, []string{`{"v":-1}`, `{"v":-0.5}`, `{"v":2}`}},
	{`{"v":[{"exists":true}]}`, []string{`{"v":null}`, `{"v":[]}`, `{"v":{}}`, `{"v":""}`}, []string{`{}`}},
	{`{"v":[{"exists":false}]}`, []string{`{}`}, []string{`{"v":null}`, `{"v":[]}`, `{"v":[1]}`}},
	{`{"v":[{"exists":false},"x"]}`, []string{`{}`, `{"v":"x"}`}, []string{`{"v":"y"}`}},
	{`{"a":{"b":["x"],"c":[1]}}`, []string{`{"a":{"b":"x","c":1}}`, `{"a":[{"b":"y"},{"b":"x","c":1}]}`}, []string{`{"a":[{"b":"x"},{"c":1}]}`, `{"a":"x"}`, `{}`}},
	{`{"a.b":["x"]}`, []string{`{"a":{"b":"x"}}`, `{"a":[{"b":["x"]}]}`}, []string{`{"a.b":"x"}`}},
	{`{"a":{"b":[{"exists":false}]}}`, []string{`{}`, `{"a":{}}`, `{"a":[]}`, `{"a":[1]}`, `{"a":[[{"b":1}],{}]}`}, []string{`{"a":{"b":1}}`, `{"a":[{"b":null}]}`}},
	{`{"t":["x"],"$or":[{"a":[1]},{"b":{"c":[2]}}]}`, []string{`{"t":"x","a":1}`, `{"t":"x","b":{"c":2}}`}, []string{`{"t":"x"}`, `{"a":1}`}},
	{`{"v":[{"prefix":"v","anything-but":"v0"}]}`, []string{`{"v":"v1"}`, `{"v":"v"}`, `{"v":["v0","v2"]}`}, []string{`{"v":"v0"}`, `{"v":"x"}`, `{"v":1}`, `{}`, `{"v":["v0","x"]}`}},
	{`{"v":[{"numeric":[">",0],"anything-but":[3,5]},"x"]}`, []string{`{"v":4}`, `{"v":"x"}`}, []string{`{"v":3.0}`, `{"v":-1}`, `{"v":"4"}`}},
	{`{"v":[{"exists":true,"anything-but":"a"}]}`, []string{`{"v":"b"}`, `{"v":null}`, `{"v":["b"]}`}, []string{`{"v":"a"}`, `{"v":[]}`, `{}`}},
	{`{"v":[{"prefix":"a","suffix":"b","wildcard":"*x*"}]}`, []string{`{"v":"axb"}`}, []string{`{"v":"ab"}`, `{"v":["ax","xb"]}`}},
	{`{"v":[{"cidr":"10.0.0.0/8"}]}`, []string{`{"v":"10.0.0.0"}`, `{"v":"10.255.255.255"}`, `{"v":["x","10.1.2.3"]}`},
		[]string{`{"v":"11.0.0.0"}`, `{"v":"9.255.255.255"}`, `{"v":"10.0.0"}`, `{"v":"10.0.0.0.0"}`, `{"v":"010.0.0.1"}`, `{"v":"10.0.0.1/8"}`, `{"v":""}`, `{"v":10}`, `{"v":"::ffff:10.0.0.1"}`, `{}`}},
	{`{"v":[{"cidr":"10.1.2.3/32"},{"cidr":"10.9.9.9/16"}]}`, []string{`{"v":"10.1.2.3"}`, `{"v":"10.9.0.1"}`}, []string{`{"v":"10.1.2.4"}`, `{"v":"10.10.0.0"}`}},
	{`{"v":[{"cidr":"2001:DB8::/32"}]}`, []string{`{"v":"2001:db8::1"}`, `{"v":"2001:0DB8:FFFF::"}`}, []string{`{"v":"2001:db9::"}`, `{"v":"10.0.0.1"}`, `{"v":"2001:db8::1%eth0"}`}},
	{`{"v":[{"anything-but":{"cidr":["10.0.0.0/8","192.168.0.0/16"]}}]}`, []string{`{"v":"8.8.8.8"}`, `{"v":"x"}`, `{"v":1}`}, []string{`{"v":"10.0.0.1"}`, `{"v":"192.168.1.1"}`, `{}`}},
	{`{"$and":[{"v":[{"prefix":"a"}]},{"v":[{"anything-but":"ab"}]}]}`, []string{`{"v":"ac"}`, `{"v":["ab","x"]}`}, []string{`{"v":"ab"}`, `{"v":"x"}`, `{"v":["ab"]}`}},
	{`{"$and":[{"$or":[{"a":[1]},{"b":[1]}]},{"$or":[{"c":[1]},{"d":[1]}]}]}`, []string{`{"a":1,"d":1}`, `{"b":1,"c":1}`}, []string{`{"a":1,"b":1}`, `{"c":1,"d":1}`}},
	{`{"$or":[{"$and":[{"a":[1]},{"b":[1]}]},{"c":[1]}]}`, []string{`{"a":1,"b":1}`, `{"c":1}`}, []string{`{"a":1}`}},
	// One element like both, and an element like each.
	{`{"l":{"sku":["x"],"n":[{"numeric":[">",1]}]}}`, []string{`{"l":[{"sku":"y","n":1},{"sku":"x","n":2}]}`}, []string{`{"l":[{"sku":"x","n":1},{"sku":"y","n":2}]}`}},
	{`{"l":{"$and":[{"sku":["x"]},{"n":[2]}]}}`, []string{`{"l":[{"sku":"x","n":2}]}`}, []string{`{"l":[{"sku":"x"},{"n":2}]}`}},
	{`{"$and":[{"l":{"sku":["x"]}},{"l":{"sku":["y"]}}]}`, []string{`{"l":[{"sku":"y"},{"sku":"x"}]}`}, []string{`{"l":[{"sku":"x"}]}`}},
	// Paths that begin alike are about one element too.
	{`{"l.sku":["x"],"l.n":[2]}`, []string{`{"l":[{"sku":"x","n":2}]}`, `{"l":{"sku":"x","n":2}}`, `{"l":[[{"sku":"y"},{"sku":"x","n":2}]]}`}, []string{`{"l":[{"sku":"x"},{"n":2}]}`, `{"l":[{"sku":"x"}]}`, `{}`}},
	{`{"l":{"sku":["x"],"m.j":[1]},"l.m":{"k":[2]},"l.n":[{"exists":false}]}`, []string{`{"l":[{"n":1},{"sku":"x","m":[{},{"j":1,"k":2}]}]}`},
		[]string{`{"l":[{"sku":"x","m":[{"j":1},{"k":2}]}]}`, `{"l":[{"sku":"x","m":{"j":1,"k":2},"n":1}]}`, `{"l":[{"sku":"x","m":{"j":1}},{"m":{"k":2}}]}`}},
	{`{"l":[{"exists":true}],"l.n":[{"exists":false}]}`, []string{`{"l":[]}`, `{"l":{}}`, `{"l":[{"n":1},{}]}`}, []string{`{}`, `{"l":[{"n":1}]}`}},
	{`{"$and":[{"l.sku":["x"]},{"l.n":[2]}]}`, []string{`{"l":[{"sku":"x"},{"n":2}]}`}, []string{`{"l":[{"sku":"x"}]}`}},
	{`{"v":[{"$and":[{"wildcard":"*a*"},{"wildcard":"*b*"}]}]}`, []string{`{"v":"ab"}`, `{"v":"ba"}`, `{"v":["x","xbxa"]}`}, []string{`{"v":"a"}`, `{"v":["a","b"]}`, `{}`}},
	{`{"v":[{"prefix":"a","$and":[{"anything-but":{"suffix":"b"}},{"anything-but":{"suffix":"c"},"wildcard":"*x*"}]},1]}`, []string{`{"v":"ax"}`, `{"v":1.0}`}, []string{`{"v":"axb"}`, `{"v":"axc"}`, `{"v":"a"}`, `{"v":"x"}`}},
	{`{"t":["x"],"$expr":"a.b"}`, []string{`{"t":"x","a":{"b":true}}`}, []string{`{"t":"y","a":{"b":true}}`, `{"t":"x","a":{"b":1}}`, `{"t":"x"}`, `{"t":"x","a":{"b":null}}`}},
	{`{"$or":[{"t":["x"]},{"$and":[{"$expr":"a"},{"$expr":"b"}]}]}`, []string{`{"t":"x"}`, `{"a":true,"b":true}`}, []string{`{"a":true}`, `{"b":true,"t":"y"}`}},
	{`{"a":{"$or":[{"b":[1]},{"c":[2]}]}}`, []string{`{"a":{"b":1}}`, `{"a":[{},{"c":2}]}`}, []string{`{"a":{}}`}},
}

func TestMatch(t *testing.T) {
	for _, c := range matches {
		p, err := Compile(parse(t, c.pattern), toyConditions{})
		if err != nil {
			t.Fatalf("%s: %v", c.pattern, err)
		}
		for _, want := range []bool{true, false} {
			items := c.no
			if want {
				items = c.yes
			}
			for _, item := range items {
				tree := parse(t, item)
				if got := plainMatch(t, p, item); got != want {
					t.Errorf("%s on %s: %v", c.pattern, item, got)
				}
				if got := typedMatch(t, p, tree); got != want {
					t.Errorf("%s on DynamoDB's %s: %v", c.pattern, item, got)
				}
				if !strings.Contains(item, "e-9999") && naiveMap(parse(t, c.pattern).(map[string]any), tree) != want {
					t.Errorf("the oracle errs: %s on %s", c.pattern, item)
				}
			}
		}
	}
}

func TestMatchDynamoDBTypes(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString([]byte("key?>"))
	for _, c := range []struct {
		pattern, item string
		want          bool
	}{
		{`{"v":["b"]}`, `{"v":{"SS":["a","b"]}}`, true},
		{`{"v":["c"]}`, `{"v":{"SS":["a","b"]}}`, false},
		{`{"v":[{"numeric":[">",5]}]}`, `{"v":{"NS":["1","6"]}}`, true},
		{`{"v":["` + b64 + `"]}`, `{"v":{"B":"` + strings.ReplaceAll(b64, "/", `\/`) + `"}}`, true},
		{`{"v":["` + b64 + `"]}`, `{"v":{"BS":["` + b64 + `"]}}`, true},
		{`{"a[1]":["x"]}`, `{"a":{"L":[{"S":"y"},{"S":"x"}]}}`, true},
		{`{"a[0].b":["x"]}`, `{"a":{"L":[{"M":{"b":{"S":"x"}}}]}}`, true},
		{`{"a[0].b":["x"]}`, `{"a":{"L":[{"S":"x"},{"M":{"b":{"S":"x"}}}]}}`, false},
		{`{"\"a.b\"":["x"]}`, `{"a.b":{"S":"x"}}`, true},
	} {
		p, err := Compile(parse(t, c.pattern), nil)
		if err != nil {
			t.Fatalf("%s: %v", c.pattern, err)
		}
		f := &pipeline.Format{Encoding: pipeline.DynamoDBExport, Table: "t"}
		if got := matchRecord(t, p, f, `{"Item":`+c.item+`}`, &Meta{}); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.item, got)
		}
	}
}

func TestMatchMeta(t *testing.T) {
	meta := &Meta{EventName: []byte("REMOVE"), Table: []byte("shop"), Created: 1_657_238_400_000_001, Arrived: pipeline.NoTime, TTL: true}
	for text, want := range map[string]bool{
		`{"$meta.event_name":["REMOVE"]}`:                        true,
		`{"$meta.event_name":[{"anything-but":"REMOVE"}]}`:       false,
		`{"$meta":{"table":["shop"],"ttl":[true]}}`:              true,
		`{"$meta.created_at":["2022-07-08T00:00:00.000001Z"]}`:   true,
		`{"$meta.created_at":[{"prefix":"2022-07-08"}]}`:         true,
		`{"$meta.arrived_at":[{"exists":false}]}`:                true,
		`{"$meta.event_id":[{"exists":true}]}`:                   false,
		`{"$or":[{"a":[2]},{"$meta.ttl":[true]}],"a":[1]}`:       true,
		`{"$meta.ttl":[{"anything-but":true}]}`:                  false,
		`{"$meta.event_name":["REMOVE"],"a":[{"exists":false}]}`: false,
	} {
		p, err := Compile(parse(t, text), nil)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := matchRecord(t, p, &pipeline.Format{Encoding: pipeline.JSON}, `{"a":1}`, meta); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestFieldsNamedAsOperators: an attribute may have the name of an operator.
func TestFieldsNamedAsOperators(t *testing.T) {
	p, err := Compile(parse(t, `{"phone":{"prefix":["+49"],"exists":[true],"numeric":[{"exists":true}]}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !matchRecord(t, p, &pipeline.Format{Encoding: pipeline.JSON}, `{"phone":{"prefix":"+49","exists":true,"numeric":1}}`, &Meta{}) {
		t.Error("it does not match")
	}
}

func TestCompileMistakes(t *testing.T) {
	for text, want := range map[string][]string{
		`[]`:                       {": a pattern is a map of fields"},
		`{}`:                       {": an empty pattern"},
		`{"type":"order"}`:         {`type: a field takes a list of tests, not "order"; write ["order"]`},
		`{"PK":{"prefix":"ORG#"}}`: {`PK: a field takes a list of tests: write [{prefix: "ORG#"}]`},
		`{"a":{"prefx":"x"}}`:      {`a: a field takes a list of tests: write [{prefix: "x"}]`},
		`{"a":{"prefix":"x","suffix":"y"}}`: {`a: a field takes a list of tests: write [{prefix: "x", suffix: "y"}] for values that pass all of them, ` +
			`[{prefix: "x"}, {suffix: "y"}] for values that pass one`},
		`{"a":{"cidr":"10.0.0.0/8"}}`:                          {`a: a field takes a list of tests: write [{cidr: "10.0.0.0/8"}]`},
		`{"a":{"exists":false}}`:                               {`a: a field takes a list of tests: write [{exists: false}]`},
		`{"a.b":{"numeric":[">",5,"<=",9]}}`:                   {`a.b: a field takes a list of tests: write [{numeric: [">", 5, "<=", 9]}]`},
		`{"a":{"anything-but":["x","y"]}}`:                     {`a: a field takes a list of tests: write [{anything-but: ["x", "y"]}]`},
		`{"a":{"anything-but":{"prefix":"x"}}}`:                {`a: a field takes a list of tests: write [{anything-but: {prefix: "x"}}]`},
		`{"$or":[{"a":{"wildcard":"x*"}}]}`:                    {`$or/0/a: a field takes a list of tests: write [{wildcard: "x*"}]`},
		`{"$meta.table":{"prefix":"x"}}`:                       {`$meta.table: a field takes a list of tests: write [{prefix: "x"}]`},
		`{"a":{"b":"x"}}`:                                      {`a/b: a field takes a list of tests, not "x"; write ["x"]`},
		`{"a":[],"b":[[1]]}`:                                   {"a: an empty list", "b/0: want a string"},
		`{"a":[{"prefx":"x"}]}`:                                {`a/0/prefx: unknown operator "prefx"`},
		`{"a":[{}]}`:                                           {"a/0: a test is a value or a map of operators, as in {prefix: x}, not an empty map"},
		`{"a":[{"prefix":"x","sufix":"y"}]}`:                   {`a/0/sufix: unknown operator "sufix"`},
		`{"a":[{"prefix":1,"suffix":2}]}`:                      {"a/0/prefix: want a string, not 1", "a/0/suffix: want a string, not 2"},
		`{"a":[{"prefix":"x","exists":false}]}`:                {"a/0: no value passes all of these tests: what does not exist has no value"},
		`{"a":[{"numeric":["<",1],"cidr":"10.0.0.0/8"}]}`:      {"a/0: no value passes all of these tests: numeric asks for a number and cidr for a text"},
		`{"a":[{"anything-but":{"prefix":["x",""]}}]}`:         {"a/0/anything-but/prefix/1: every text has the empty prefix"},
		`{"a":[{"anything-but":{"prefix":"x","suffix":"y"}}]}`: {"a/0/anything-but: want one operator here, as in {prefix: x}, not 2"},
		`{"a":[{"cidr":["10.0.0.0/8"]},{"cidr":"10.0.0.0"},{"cidr":"10.0.0.0/33"}]}`: {
			`a/0/cidr: cidr takes a network, as in "10.0.0.0/8", not a list`, `a/1/cidr: "10.0.0.0" is not a network: cidr takes an IP address and the bits of its mask`, `a/2/cidr: "10.0.0.0/33" is not a network`},
		`{"a":[{"prefix":1},{"suffix":null}]}`:                                        {"a/0/prefix: want a string", "a/1/suffix: want a string"},
		`{"a":[{"numeric":[">"]}]}`:                                                   {"a/0/numeric: numeric takes pairs"},
		`{"a":[{"numeric":["!=",1,">","x"]}]}`:                                        {"a/0/numeric/0: unknown comparison", "a/0/numeric/3: want a number"},
		`{"a":[{"exists":"yes"}]}`:                                                    {"a/0/exists: exists takes true or false"},
		`{"a":[{"wildcard":"a**b"}]}`:                                                 {"a/0/wildcard: a wildcard has no two asterisks"},
		`{"a":[{"wildcard":"a\\b"}]}`:                                                 {"a/0/wildcard: in a wildcard"},
		`{"a":[{"anything-but":{"exists":1}}]}`:                                       {`a/0/anything-but/exists: unknown operator "exists"`},
		`{"a":[{"anything-but":null}]}`:                                               {"a/0/anything-but: anything-but takes"},
		`{"$or":{}}`:                                                                  {"$or: $or takes a list of patterns"},
		`{"$or":[{"a":[1]},3]}`:                                                       {"$or/1: a pattern is a map of fields"},
		`{"$and":{"a":[1]}}`:                                                          {"$and: $and takes a list of patterns, not a map; write [{a: [1]}]"},
		`{"$or":{"a":["x"],"b":[1]}}`:                                                 {`$or: $or takes a list of patterns, not a map; write [{a: ["x"]}, {b: [1]}]`},
		`{"a":[{"$OR":["x"]}]}`:                                                       {`a/0/$OR: unknown operator "$OR": write the values in the list of tests`},
		`"total > paid"`:                                                              {`: a pattern is a map of fields, each with a list of tests, not "total > paid"; write {$expr: "total > paid"} for an expression`},
		`{"expr":"total > paid"}`:                                                     {`expr: a field takes a list of tests, not "total > paid"; write ["total > paid"], or $expr for an expression`},
		`{"or":[{"a":["x"]},{"b":["y"]}],"AND":[{"c":[1]}]}`:                          {"AND: a field takes a list of tests, and these are patterns: write $and", "or: a field takes a list of tests, and these are patterns: write $or"},
		`{"SK":{"$and":[{"prefix":"v"},{"anything-but":"v0"}]}}`:                      {`SK/$and: here $and is about the values in SK; for tests of SK itself write [{$and: [{prefix: "v"}, {anything-but: "v0"}]}]`},
		`{"SK":{"$or":[{"prefix":"v"},{"anything-but":["v0"]}]}}`:                     {`SK/$or: here $or is about the values in SK; for tests of SK itself write [{prefix: "v"}, {anything-but: ["v0"]}]`},
		`{"a":[{"$and":{"prefix":"x"}},{"$and":[]}]}`:                                 {"a/0/$and: $and takes a list of tests that must all pass, as in [{prefix: a}, {suffix: b}], not a map", "a/1/$and: $and takes a list"},
		`{"a":[{"$and":[{"prefix":1},[2]]}]}`:                                         {"a/0/$and/0/prefix: want a string, not 1", "a/0/$and/1: want a string, a number"},
		`{"a":[{"in":["x"]},{"gt":5},{"REGEX":"x"}]}`:                                 {`a/0/in: unknown operator "in": write the values in the list of tests, as in [a, b]`, `a/1/gt: unknown operator "gt": write {numeric: `, `a/2/REGEX: unknown operator "REGEX": write {wildcard: `},
		`{"a":[{"prefix":["x","y"]}]}`:                                                {"a/0/prefix: want a string, not a list; to match one of several, write a test for each"},
		`{"a":[{"numeric":["!=",1]}]}`:                                                {"a/0/numeric/0: unknown comparison \"!=\": want one of < <= = >= >; write {anything-but: 1} for other values"},
		`{"a":[{"numeric":[">",5,"<",3]}]}`:                                           {"a/0/numeric: no number is within these bounds, which must all hold; to match one of several ranges, write a test for each"},
		`{"a":[{"numeric":["=",5,"=",5.1]},{"numeric":[">=",5,"<",5.0]}]}`:            {"a/0/numeric: no number is within these bounds", "a/1/numeric: no number is within these bounds"},
		`{"a":[{"prefix":"v","anything-but":{"prefix":"v"}}]}`:                        {`a/0: no value passes all of these tests: what passes {prefix: "v"} does not pass {anything-but: {prefix: "v"}}`},
		`{"a":[{"$and":["x",{"anything-but":["x","y"]}]}]}`:                           {`a/0: no value passes all of these tests: what passes "x" does not pass {anything-but: ["x", "y"]}`},
		`{"a":[{"prefix":"a","equals-ignore-case":"bc"}]}`:                            {"a/0: no value passes all of these tests"},
		`{"a":[{"prefix":"ab","wildcard":"b*"}]}`:                                     {"a/0: no value passes all of these tests"},
		`{"a":[{"$and":[{"numeric":[">",5]},{"numeric":["<",5]}]}]}`:                  {"a/0: no value passes all of these tests"},
		`{"$meta.event_name":["INSERT","UPDATE"]}`:                                    {`$meta.event_name/1: no change has "UPDATE" as its $meta.event_name, which is one of INSERT, MODIFY, REMOVE`},
		`{"$meta":{"ttl":["true"],"event_name":[{"anything-but":{"wildcard":"*"}}]}}`: {"$meta/event_name/0: no change has {anything-but: {wildcard: \"*\"}} as its $meta.event_name", `$meta/ttl/0: no change has "true" as its $meta.ttl, which is true or false`},
		`{"$meta.created_at":[{"numeric":[">",5]}],"$meta.table":[null]}`:             {`$meta.created_at/0: no change has {numeric: [">", 5]} as its $meta.created_at, which is a text, as in {prefix: "2024-02-29T12"}`, `$meta.table/0: no change has null as its $meta.table, which is a text`},
		`{"$and":[1,{"$not":[1]}]}`:                                                   {"$and/0: a pattern is a map of fields", `$and/1/$not: unknown operator "$not": write {anything-but: a}, or {anything-but: [a, b]}`},
		`{"a":{"$and":[{"b":1},{"c":[]}]}}`:                                           {"a/$and/0/b: a field takes a list of tests, not 1; write [1]", "a/$and/1/c: an empty list"},
		`{"$expr":"a > 1"}`:                                                           {"$expr: $expr is about items"},
		`{"a":{"$expr":"b > 1"}}`:                                                     {"a/$expr: $expr is about the item, not about what is at a: write it at the top"},
		`{"$or":[{"$expr":["a"]}]}`:                                                   {`$or/0/$expr: $expr takes an expression, as in $expr: "total > paid", not a list`},
		`{"$meta.evnt":[1]}`:                                                          {`$meta.evnt: unknown metadata "$meta.evnt"`},
		`{"a..b":[1]}`:                                                                {"a..b: document path"},
		strings.Repeat(`{"a":`, 80) + "[1]" + strings.Repeat("}", 80):                 {strings.Repeat("a/", 64) + "a: a pattern nests at most 64 deep"},
	} {
		_, err := Compile(parse(t, text), nil)
		if err == nil {
			t.Errorf("%s: accepted", text)
			continue
		}
		var got []string
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			var f *spec.FieldError
			if !errors.As(e, &f) {
				t.Fatalf("%s: a %T", text, e)
			}
			got = append(got, strings.Join(f.Path, "/")+": "+f.Message)
		}
		ok := slices.EqualFunc(got, want, strings.HasPrefix)
		if !ok {
			t.Errorf("%s: got %q", text, got)
		}
	}
}

// TestOperatorInCapitals: what is an operator but for its case is suggested, not replaced.
func TestOperatorInCapitals(t *testing.T) {
	_, err := Compile(parse(t, `{"$OR":[{"a":["x"]}]}`), nil)
	var f *spec.FieldError
	if !errors.As(err, &f) || strings.Contains(f.Message, "write") || spec.Suggest(f.Name, f.Known) != "$or" {
		t.Errorf("%v, of %q", err, f.Known)
	}
}

func TestPathsAreUnique(t *testing.T) {
	p, err := Compile(parse(t, `{"a":{"b":[1]},"$or":[{"a.b":[2]},{"a":{"c":[3]}}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.Paths()); len(p.Paths()) != 3 {
		t.Errorf("paths %s", got)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	p, err := Compile(parse(t, `{"PK":[{"prefix":"CUST#"}],"type":["order","customer"],"n":[1,{"numeric":[">",5]}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	rec := []byte(`{"PK":"CUST#1","type":"customer","n":12.50}`)
	d := decode.NewDecoder(&pipeline.Format{Encoding: pipeline.JSON}, decode.Options{New: decode.NewProjection(p.Paths(), false)})
	var r decode.Record
	if err := d.Decode(rec, &r); err != nil {
		t.Fatal(err)
	}
	m, meta := p.NewMatcher(slotsOf(p), false), &Meta{}
	if n := testing.AllocsPerRun(100, func() {
		if ok, err := m.Match(rec, r.New, meta); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzMatch compares the compiled matcher with the naive one, on the item as
// plain JSON and as DynamoDB JSON.
func FuzzMatch(f *testing.F) {
	for _, c := range matches {
		for _, item := range slices.Concat(c.yes, c.no) {
			f.Add(c.pattern, item)
		}
	}
	f.Fuzz(func(t *testing.T, patternText, itemText string) {
		pattern, ok := fuzzed(patternText)
		if !ok {
			return
		}
		item, ok := fuzzed(itemText)
		if !ok {
			return
		}
		p, err := Compile(pattern, toyConditions{})
		if err != nil {
			return
		}
		plain, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		want := naiveMap(pattern, item)
		if got := plainMatch(t, p, string(plain)); got != want {
			t.Errorf("%s on %s: %v, want %v", patternText, plain, got, want)
		}
		if got := typedMatch(t, p, item); got != want {
			t.Errorf("%s on DynamoDB's %s: %v, want %v", patternText, plain, got, want)
		}
	})
}

// fuzzed reads a JSON object that the oracle and the decoder take: no huge
// exponents, no deep nesting, few asterisks, no paths with indexes or quotes, no
// $meta.
func fuzzed(text string) (map[string]any, bool) {
	if strings.ContainsAny(text, "[]\"`") && strings.Count(text, "{")+strings.Count(text, "[") > 30 {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v map[string]any
	if d.Decode(&v) != nil || v == nil || !tame(v) {
		return nil, false
	}
	return v, true
}

func tame(v any) bool {
	switch v := v.(type) {
	case json.Number:
		_, exp, _ := strings.Cut(strings.ToLower(string(v)), "e")
		return len(exp) < 4 && len(v) < 40
	case string:
		return !strings.ContainsRune(v, '\ufffd') && strings.Count(v, "*") < 5
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !tame(e) })
	case map[string]any:
		for k, e := range v {
			path, isText := e.(string)
			if strings.ContainsAny(k, "[]\"`\ufffd") || strings.HasPrefix(k, "$meta") || !tame(e) || k == "$expr" && isText && strings.ContainsAny(path, "[]\"`$") {
				return false
			}
		}
	}
	return true
}
