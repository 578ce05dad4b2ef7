package dynamodbscan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// parsed reads an answer about a table with the key pk and sk, and writes down what it says.
func parsed(body string) (string, error) {
	p := &page{names: [][]byte{[]byte("pk"), []byte("sk")}}
	defer p.free()
	if err := p.parse([]byte(body)); err != nil {
		return "", err
	}
	var b strings.Builder
	for i, span := range p.spans {
		fmt.Fprintf(&b, "%s %s; ", p.data[span.Start:span.End], p.keyOf(i))
	}
	fmt.Fprintf(&b, "last %s, %g units, %d items", p.last, p.units, p.scanned)
	return b.String(), nil
}

const item1, item2 = `{"pk":{"S":"a\"b"},"n":{"N":"1"},"sk":{"N":"7"}}`, `{"sk":{"N":"8"}, "pk" : {"S":"ü"},"m":{"M":{"pk":{"S":"no"}}}}`

// TestParse: answers, and what is none.
func TestParse(t *testing.T) {
	deep := `{"S":"x"}`
	for range 32 { // the service takes as many levels
		deep = `{"M":{"a":` + deep + `}}`
	}
	for _, c := range []struct{ name, body, want, says string }{
		{"whole", `{"ConsumedCapacity":{"CapacityUnits":1.5,"TableName":"shop"},"Count":2,"Items":[` + item1 + `,` + item2 + `],"LastEvaluatedKey":{"pk":{"S":"ü"},"sk":{"N":"8"}},"ScannedCount":2}`,
			`{"Item":` + item1 + `} {"pk":{"S":"a\"b"},"sk":{"N":"7"}}; {"Item":` + item2 + `} {"pk":{"S":"ü"},"sk":{"N":"8"}}; last {"pk":{"S":"ü"},"sk":{"N":"8"}}, 1.5 units, 2 items`, ""},
		{"empty", `{"Items":[],"Count":0,"ScannedCount":0}`, `last , 0 units, 0 items`, ""},
		{"spaced", "\n{ \"Items\" : [ " + item1 + " ] , \"ScannedCount\" : 1 , \"LastEvaluatedKey\" : null , \"ConsumedCapacity\" : null } \n", `{"Item":` + item1 + `} {"pk":{"S":"a\"b"},"sk":{"N":"7"}}; last , 1 units, 1 items`, ""},
		{"no key", `{"Items":[],"LastEvaluatedKey":{},"ConsumedCapacity":{"CapacityUnits":0.5}}`, `last , 0.5 units, 0 items`, ""},
		{"twice", `{"Items":[` + item1 + `],"Items":[` + item2 + `]}`, `{"Item":` + item2 + `} {"pk":{"S":"ü"},"sk":{"N":"8"}}; last , 0 units, 0 items`, ""},
		{"name in escapes", `{"It\u0065ms":[{"\u0070k":{"S":"x"},"sk":{"N":"1"}}]}`, `{"Item":{"\u0070k":{"S":"x"},"sk":{"N":"1"}}} {"pk":{"S":"x"},"sk":{"N":"1"}}; last , 0 units, 0 items`, ""},
		{"deep", `{"Items":[{"pk":{"S":"x"},"sk":{"N":"1"},"d":` + deep + `}]}`, `{"Item":{"pk":{"S":"x"},"sk":{"N":"1"},"d":` + deep + `}} {"pk":{"S":"x"},"sk":{"N":"1"}}; last , 0 units, 0 items`, ""},
		{"nothing", ``, "", "an object"},
		{"no items", `{}`, "", "no Items"},
		{"null", `{"Items":null}`, "", "a list"},
		{"no item", `{"Items":["x"]}`, "", "an object"},
		{"item without its key", `{"Items":[` + item1 + `,{"pk":{"S":"x"}}]}`, "", `item 1 has no "sk"`},
		{"cut", `{"Items":[` + item1, "", "it ends here"},
		{"more", `{"Items":[]}{}`, "", "the end"},
		{"wrong last key", `{"Items":[],"LastEvaluatedKey":{"pk":{"M":{}}}}`, "", "no key"},
		{"last key is a text", `{"Items":[],"LastEvaluatedKey":"x"}`, "", "an object"},
		{"negative", `{"Items":[],"ConsumedCapacity":{"CapacityUnits":-1}}`, "", "out of range"},
		{"too deep", `{"Items":[{"pk":` + strings.Repeat(`[`, 200) + strings.Repeat(`]`, 200) + `}]}`, "", "levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parsed(c.body)
			if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

// FuzzParse compares with the standard library, of answers that have their members once.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Items":[` + item1 + `,` + item2 + `],"LastEvaluatedKey":{"pk":{"S":"ü"},"sk":{"N":"8"}},"ScannedCount":2,"ConsumedCapacity":{"CapacityUnits":1}}`))
	f.Add([]byte(`{"Items":[{"pk":{"B":"AP8="},"sk":{"N":"1E-130"},"l":{"L":[{"NULL":true},{"BOOL":false}]}}],"X":[1,-2.5e3,null]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p := &page{names: [][]byte{[]byte("pk"), []byte("sk")}}
		err := p.parse(body)
		defer p.free()
		if err != nil {
			return
		}
		var slow struct{ Items []map[string]json.RawMessage }
		if e := json.Unmarshal(body, &slow); e != nil {
			t.Fatalf("the body is no JSON: %v", e)
		}
		for i, span := range p.spans {
			var line struct{ Item map[string]json.RawMessage }
			var key map[string]json.RawMessage
			if e := json.Unmarshal(p.data[span.Start:span.End], &line); e != nil {
				t.Fatalf("item %d: %v", i, e)
			}
			if e := json.Unmarshal(p.keyOf(i), &key); e != nil || len(key) != 2 {
				t.Fatalf("key of item %d: %s, %v", i, p.keyOf(i), e)
			}
			if strings.Count(string(body), "tems") == 1 && len(slow.Items) == len(p.spans) && !reflect.DeepEqual(slow.Items[i], line.Item) {
				t.Fatalf("item %d is %s", i, p.data[span.Start:span.End])
			}
		}
		if p.last != nil {
			if _, e := (position{After: p.last}).startKey(); e != nil {
				t.Fatalf("the last key is %s: %v", p.last, e)
			}
		}
	})
}

// TestPosition: a cursor is read as it was written, and shows nothing of itself where it can't be.
func TestPosition(t *testing.T) {
	for _, p := range []position{{}, {Items: 7}, {Items: 1 << 40, After: []byte(`{"pk":{"S":"a\"b"},"sk":{"N":"1E-130"}}`)}, {After: []byte(`{"k":{"B":"AP8="}}`)}} {
		got, err := parsePosition(p.encode())
		if err != nil || got.Items != p.Items || string(got.After) != string(p.After) {
			t.Errorf("%s is read as %s, %v", p.encode(), got.encode(), err)
		}
	}
	key, err := position{After: []byte(`{"s":{"S":""},"n":{"N":"1"},"b":{"B":"AP8="}}`)}.startKey()
	if want := (map[string]types.AttributeValue{"s": &types.AttributeValueMemberS{}, "n": &types.AttributeValueMemberN{Value: "1"}, "b": &types.AttributeValueMemberB{Value: []byte{0, 255}}}); err != nil || !reflect.DeepEqual(key, want) {
		t.Errorf("the key is %v, %v", key, err)
	}
	for _, wrong := range []string{`x`, `{"items":-1}`, `{"items":1,"after":{}}`, `{"items":1,"after":{"secret":{"M":{}}}}`, `{"items":1,"after":"secret"}`, `{"items":1,"after":{"secret":{"B":"="}}}`} {
		if _, err := parsePosition([]byte(wrong)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// TestPartitionNames: they tell the scan, and what is none is refused.
func TestPartitionNames(t *testing.T) {
	for _, wrong := range []string{"", "1/8", "8/8@2026-11-30T04:00:00Z@id", "-1/8@2026-11-30T04:00:00Z@id", "01/8@2026-11-30T04:00:00Z@id", "1/8@yesterday@id", "1/0@2026-11-30T04:00:00Z@id", "1/20000@2026-11-30T04:00:00Z@id"} {
		if _, _, err := parsePartitionName(wrong); err == nil {
			t.Errorf("%q is read", wrong)
		}
	}
	s, i, err := parsePartitionName("1/8@2026-11-30T04:00:00.5Z@a@b")
	if err != nil || i != 1 || s.segments != 8 || s.table != "a@b" || s.partitionName(1) != "1/8@2026-11-30T04:00:00.5Z@a@b" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := scanOf(map[string]bool{s.partitionName(1): true, "1/7@2026-11-30T04:00:00.5Z@a@b": true}); err == nil || !strings.Contains(err.Error(), "two scans") {
		t.Errorf("of two scans: %v", err)
	}
}
