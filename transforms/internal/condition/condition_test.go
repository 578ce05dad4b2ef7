package condition

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
)

// holds computes a condition of an item, given as plain JSON or as the image of a full
// export.
func holds(t *testing.T, text, item string, meta *pattern.Meta) (bool, error) {
	t.Helper()
	c, mistakes := Compiler{}.Condition(text)
	if len(mistakes) > 0 {
		t.Fatalf("%s: %v", text, mistakes[0])
	}
	f := &pipeline.Format{Encoding: pipeline.JSON}
	typed := strings.HasPrefix(item, `{"Item":`)
	if typed {
		f = &pipeline.Format{Encoding: pipeline.DynamoDBExport, Table: "t"}
	}
	d := decode.NewDecoder(f, decode.Options{New: decode.NewProjection(c.Paths(), typed)})
	var r decode.Record
	if err := d.Decode([]byte(item), &r); err != nil {
		t.Fatalf("%s: %v", item, err)
	}
	return c.NewEvaluator(typed).Holds([]byte(item), r.New, meta)
}

func TestHolds(t *testing.T) {
	meta := &pattern.Meta{Table: []byte("shop"), Created: 1_657_238_400_000_000, Arrived: pipeline.NoTime}
	for _, c := range []struct {
		text, item string
		want       bool
	}{
		{"total > paid", `{"total":5,"paid":4.5}`, true},
		{"total > paid", `{"total":5,"paid":5.0}`, false},
		{"total > paid", `{"total":5}`, false},
		{"total > paid", `{"total":5,"paid":null}`, false},
		{"total > (paid ?? 0)", `{"total":5}`, true},
		{"total > paid", `{"Item":{"total":{"N":"5"},"paid":{"N":"4"}}}`, true},
		{"PK == SK", `{"PK":"CUST#1","SK":"CUST\u00231"}`, true},
		{"SK == PK + \"#META\"", `{"PK":"C\"1","SK":"C\"1#META"}`, true},
		{"address.zip == billing.zip", `{"address":{"zip":"1"},"billing":{"zip":"1"}}`, true},
		{"lines[1].qty > lines[0].qty", `{"lines":[{"qty":1},{"qty":2}]}`, true},
		{"any(lines, .qty > 1 && .sku == \"a\")", `{"lines":[{"qty":2,"sku":"b"},{"qty":1,"sku":"a"}]}`, false},
		{"any(lines, .qty > 1 && .sku == \"a\")", `{"Item":{"lines":{"L":[{"M":{"qty":{"N":"2"},"sku":{"S":"a"}}}]}}}`, true},
		{"SK[0] == \"v\"", `{"SK":"v12"}`, true},
		{"tags[0] == \"a\"", `{"Item":{"tags":{"SS":["b","a"]}}}`, true},
		{"$env[\"order-id\"] == \"x\" and $env[\"a.b\"].c > 1", `{"order-id":"x","a.b":{"c":2}}`, true},
		{"$env[\"order-id\"] == \"x\"", `{"Item":{"order-id":{"S":"y"}}}`, false},
		{"let n = $env[\"n\"]; n + n > 3", `{"n":2}`, true},
		{"active", `{"active":true}`, true},
		{"active", `{"active":false}`, false},
		{"not (deleted ?? false)", `{}`, true},
		{"$meta.table == \"shop\" && n > 1", `{"n":2}`, true},
		{"$meta.created_at < timestamp(\"2023-01-01T00:00:00Z\")", `{}`, true},
		{"$meta.arrived_at > $meta.created_at", `{}`, false},
		{"$meta.event_id == \"x\"", `{}`, false},
	} {
		got, err := holds(t, c.text, c.item, meta)
		if got != c.want || err != nil {
			t.Errorf("%s of %s: %v, %v", c.text, c.item, got, err)
		}
	}
}

func TestHoldsNot(t *testing.T) {
	for text, want := range map[string]string{
		"1 / n > 0":  "1 / n > 0 with n = 0: ",
		"n + s > 1":  "n + s > 1 with n = 0, s = ",
		"s > 1":      "s > 1 with s = ",
		"s":          "the result is a string, not bool",
		"n ?? false": "the result is a number, not bool",
	} {
		if got, err := holds(t, text, `{"n":0,"s":"secret"}`, &pattern.Meta{}); got || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	p, err := pattern.Compile(map[string]any{"$expr": "s > 1"}, Compiler{})
	if err != nil {
		t.Fatal(err)
	}
	Hide(nil, nil)
	Hide(p, func(path decode.Path) bool { return path.String() == "s" })
	rec := []byte(`{"s":"secret"}`)
	_, err = p.Conditions()[0].NewEvaluator(false).Holds(rec, []decode.Value{{Kind: decode.String, Start: 6, End: 12}}, &pattern.Meta{})
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "masked") {
		t.Errorf("of masked values: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string][]string{
		"total >":                           {"6:1 the expression ends where something is missing"},
		"total + 1":                         {"type mismatch: the result is a number, not bool"},
		"$meta.event_name == \"INSERT\"":    {"$meta.event_name is tested beside $expr, not in it: write $meta.event_name: […] as a field of the pattern"},
		"$meta.ttl || $meta.evnt":           {"$meta.ttl is tested beside $expr", `unknown metadata "$meta.evnt"`},
		"$meta":                             {`unknown metadata "$meta"`},
		"$item.total > 0 || len($rest) > 0": {"$item is for columns: $expr names attributes of the item by themselves", "$rest is for columns"},
		"nosuch(total)":                     {"nosuch"},
		"$env":                              {`0:4 $env wants a name, as in $env["order-id"]`},
		"$env[0] > 1":                       {`0:4 $env wants a name, as in $env["order-id"]`},
		"1 > 2":                             {"0:5 it names nothing of the item, so it is the same for every one"},
		"nil":                               {"0:3 it names nothing of the item"},
	} {
		c, mistakes := Compiler{}.Condition(text)
		if c != nil {
			t.Errorf("%s: accepted", text)
		}
		var got []string
		for _, m := range mistakes {
			got = append(got, fmt.Sprintf("%d:%d %s", m.Within.From, m.Within.Width, m.Message))
		}
		if !slices.EqualFunc(got, want, strings.Contains) {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestRequired(t *testing.T) {
	for text, want := range map[string]string{
		"total > paid":                    "total paid",
		"total > (paid ?? 0)":             "",
		"SK[0] == \"v\" && a.b > 1":       "SK a.b",
		"lines[0].qty > 1":                "lines[0].qty",
		"$meta.table == \"a\" && b == 1":  "b",
		"deleted ? false : (total > 100)": "",
	} {
		c, mistakes := Compiler{}.Condition(text)
		if len(mistakes) > 0 {
			t.Fatalf("%s: %v", text, mistakes[0])
		}
		var got []string
		for i, required := range c.Required() {
			if required {
				got = append(got, c.Paths()[i].String())
			}
		}
		if fmt.Sprint(got) != "["+want+"]" || (len(c.Meta()) > 0) != strings.Contains(text, "$meta") {
			t.Errorf("%s: %q, $meta %v", text, got, c.Meta())
		}
	}
}

func TestHoldsAllocatesNothing(t *testing.T) {
	c, _ := Compiler{}.Condition("total > paid && status == \"open\"")
	rec := []byte(`{"total":12.5,"paid":3,"status":"open"}`)
	d := decode.NewDecoder(&pipeline.Format{Encoding: pipeline.JSON}, decode.Options{New: decode.NewProjection(c.Paths(), false)})
	var r decode.Record
	if err := d.Decode(rec, &r); err != nil {
		t.Fatal(err)
	}
	e, meta := c.NewEvaluator(false), &pattern.Meta{}
	if n := testing.AllocsPerRun(100, func() {
		if ok, err := e.Holds(rec, r.New, meta); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
