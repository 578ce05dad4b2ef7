package draft

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/jobs/assembly"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drafted makes a draft of a path, and holds that it is valid.
func drafted(t *testing.T, path string) (*assembly.Pipeline, string) {
	t.Helper()
	s, err := Read(context.Background(), path, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Write(&text, s, Options{}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "draft.yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := assembly.Load(file, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, &text)
	}
	return a, text.String()
}

// TestDraftOfShop: of the shop's changes, and of its export, the draft has the tables and columns
// that people wrote.
func TestDraftOfShop(t *testing.T) {
	t.Chdir("../..")
	for path, pipeline := range map[string]string{"configs/data/shop.ndjson.gz": "configs/quickstart.yaml", "configs/data/export": "configs/export.yaml"} {
		a, text := drafted(t, path)
		written, err := assembly.Load(pipeline, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := newComparison(rowsOf(t, written), rowsOf(t, a))
		t.Logf("%s: has %d of %d, and %d of %d more", path, c.has, c.written, c.more, c.drafted)
		if float64(c.has) < hasMin*float64(c.written) {
			t.Errorf("%s: the draft lacks %v:\n%s", path, c.lacks, text)
		}
	}
}

// manyWords returns items whose sort keys have words in them that tell nothing.
func manyWords() (records []string) {
	for i := range 700 {
		records = append(records, fmt.Sprintf(`{"PK":{"S":"USER#%d"},"SK":{"S":"2024-01-%02d#%s#%d"},"a":{"N":"1"}}`, i%50, i%28, strings.Repeat(string(rune('a'+i%26)), 1+i%9), i))
	}
	return records
}

// TestDraft: what a draft says of small inputs.
func TestDraft(t *testing.T) {
	tests := []struct {
		name    string
		records []string
		want    []string
		not     []string
	}{
		{
			name: "key prefixes",
			records: []string{
				`{"PK":{"S":"USER#ann"},"SK":{"S":"#METADATA#ann"},"username":{"S":"ann"},"born":{"S":"1990-04-01"}}`,
				`{"PK":{"S":"GAME#1"},"SK":{"S":"#METADATA#1"},"people":{"N":"50"},"map":{"S":"Green"}}`,
				`{"PK":{"S":"GAME#1"},"SK":{"S":"USER#ann"},"place":{"S":"gold"}}`,
			},
			want: []string{
				"format: dynamodb_export", `      user:  # 1 item`, `where: {PK: [{prefix: "USER#"}], SK: [{prefix: "#METADATA#"}]}`, `key: [username]`, `born: {type: date}`,
				`      game_user:  # 1 item`, `key: [game, user]`, `user: {from: SK, after: "USER#"}`, `people: {type: int64}`,
			},
		},
		{
			name: "one prefix within the other",
			records: []string{
				`{"PK":{"S":"OFR#1"},"SK":{"S":"OFR#1"},"OfferId":{"N":"1"},"name":{"S":"a"}}`,
				`{"PK":{"S":"OFR#1"},"SK":{"S":"OFR#1#ITEM#2"},"OfferId":{"N":"1"},"miles":{"N":"0.5"}}`,
			},
			want: []string{`SK: [{prefix: "OFR#", anything-but: {wildcard: ["OFR#*#ITEM#*"]}}]`, `SK: [{wildcard: "OFR#*#ITEM#*"}]`, `item: {from: SK, split: "#", part: 4}`, `offer_id: {from: OfferId, type: int64}`, `miles: {type: "decimal(10,2)"}`},
		},
		{
			name: "a type attribute, and one that is none",
			records: []string{
				`{"PK":{"S":"a"},"SK":{"S":"1"},"EntityType":{"S":"order"},"type":{"S":"express"},"lines":{"L":[{"M":{"sku":{"S":"x"},"n":{"N":"1"}}}]}}`,
				`{"PK":{"S":"a"},"SK":{"S":"2"},"EntityType":{"S":"order"},"type":{"S":"slow"},"lines":{"L":[]}}`,
				`{"PK":{"S":"b"},"SK":{"S":"-"},"EntityType":{"S":"customer"},"address":{"M":{"city":{"S":"Rome"},"zip":{"S":"00100"}}},"ttl":{"N":"1700000000"}}`,
			},
			want: []string{`where: {EntityType: [order]}`, `order_line:  # 1 element`, `explode: {from: lines, as: line, ordinal: position}`, `key: [pk, sk, position]`, `sku: {from: line.sku}`, `city: {from: address.city}`, `format: unix`},
			not:  []string{"entity_type:", "express"},
		},
		{
			name: "changes, removals and what is broken",
			records: []string{
				`{"eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"1"}},"NewImage":{"id":{"S":"1"},"day":{"S":"03/04/2024"},"at":{"S":"2024-01-01T10:00:00Z"}}}}`,
				`{"eventName":"REMOVE","dynamodb":{"Keys":{"id":{"S":"1"}}}}`,
				`{"eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"2"}},"NewImage":{"id":{"X":"1"}}}}`,
			},
			want: []string{"format: dynamodb_cdc", "3 records", "# 1 record can't be read", "day: {}  # dates, with the day or the month first", "at: {type: timestamptz}", "key: [id]"},
		},
		{
			name:    "plain JSON",
			records: []string{`{"id":1,"yes":true,"a b":"x","price":"9.50","zip":"00100","$x":"${HOME}"}`, `{"id":2,"yes":false,"a b":"y","price":"10"}`},
			want:    []string{"format: json", "key: [id]", `"yes": {type: bool}`, `a_b: {from: "a b"}`, `price: {type: "decimal(10,2)"}  # texts`, "zip: {}  # in 1 of 2", `x: {from: "$x"}`},
		},
		{
			name: "maps of maps, open maps, and lists in elements",
			records: []string{
				`{"PK":{"S":"O#1"},"SK":{"S":"O#1"},"to":{"M":{"HOME":{"M":{"city":{"S":"Rome"}}},"WORK":{"M":{"city":{"S":"Oslo"}}}}},"lines":{"L":[{"M":{"sku":{"S":"a"},"lots":{"L":[{"M":{"lot":{"S":"x"},"n":{"N":"1"}}}]}}}]}}`,
				`{"PK":{"S":"O#2"},"SK":{"S":"O#2"},"to":{"M":{"HOME":{"M":{"city":{"S":"Bern"}}}}},"stock":{"M":{"a":{"N":"1"},"b":{"N":"2"},"c":{"N":"3"}}}}`,
				`{"PK":{"S":"O#3"},"SK":{"S":"O#3"},"stock":{"M":{"d":{"N":"1"},"e":{"N":"2"},"f":{"N":"3"}}}}`,
				`{"PK":{"S":"O#4"},"SK":{"S":"O#4"},"stock":{"M":{"g":{"N":"1"},"h":{"N":"2"},"i":{"N":"3"}}}}`,
				`{"PK":{"S":"O#5"},"SK":{"S":"O#5"},"stock":{"M":{"j":{"N":"1"},"k":{"N":"2"},"l":{"N":"3"}}}}`,
			},
			want: []string{
				"explode: {from: to, as: element, key: to_key}", "city: {from: element.city}", "explode: {from: stock, as: element, key: stock_key}", "stock: {from: element, type: int64}",
				"explode: {from: lines, as: line, ordinal: position, explode: {from: line.lots, as: lot, ordinal: position_2}}", "key: [o, position, position_2]", `"n": {from: lot.n, type: int64}`,
			},
		},
		{
			name: "the newest version beside the versions",
			records: []string{
				`{"PK":{"S":"E#1"},"SK":{"S":"v0"},"s":{"S":"x"},"latest":{"N":"2"}}`, `{"PK":{"S":"E#1"},"SK":{"S":"v1"},"s":{"S":"y"}}`, `{"PK":{"S":"E#1"},"SK":{"S":"v2"},"s":{"S":"x"}}`,
				`{"PK":{"S":"E#2"},"SK":{"S":"v0"},"s":{"S":"x"},"latest":{"N":"1"}}`, `{"PK":{"S":"E#2"},"SK":{"S":"v1"},"s":{"S":"x"}}`, `{"PK":{"S":"E#2"},"SK":{"S":"INFO"},"name":{"S":"x"}}`,
			},
			want: []string{`SK: [v0]`, `SK: [{prefix: v, anything-but: v0}]`, `v: {from: SK, after: v, type: int64}`, "SK: [INFO]"},
		},
		{
			name: "some without the type attribute",
			records: []string{
				`{"PK":{"S":"U#1"},"SK":{"S":"U#1"},"type":{"S":"user"},"a":{"S":"x"}}`, `{"PK":{"S":"U#2"},"SK":{"S":"U#2"},"type":{"S":"user"},"a":{"S":"x"}}`, `{"PK":{"S":"U#3"},"SK":{"S":"U#3"},"type":{"S":"user"},"a":{"S":"x"}}`,
				`{"PK":{"S":"U#4"},"SK":{"S":"U#4"},"a":{"S":"x"}}`, `{"PK":{"S":"U#1"},"SK":{"S":"P#1"},"type":{"S":"post"},"b":{"S":"x"}}`,
			},
			want: []string{`where: {type: [user, {exists: false}], PK: [{prefix: "U#"}], SK: [{prefix: "U#"}]}`, `where: {type: [post]}`, "user:  # 4 items; some without type"},
		},
		{
			name: "several tables, one of Amplify's",
			records: []string{
				`{"eventName":"INSERT","tableName":"Post","dynamodb":{"Keys":{"id":{"S":"1"}},"NewImage":{"id":{"S":"1"},"title":{"S":"x"},"_version":{"N":"1"},"_lastChangedAt":{"N":"1574469840417"}}}}`,
				`{"eventName":"MODIFY","tableName":"Post","dynamodb":{"Keys":{"id":{"S":"2"}},"NewImage":{"id":{"S":"2"},"title":{"S":"x"},"_version":{"N":"2"},"_lastChangedAt":{"N":"1574469840417"},"_deleted":{"BOOL":true},"_ttl":{"N":"1577061840"}}}}`,
				`{"eventName":"INSERT","eventSourceARN":"arn:aws:dynamodb:eu-west-1:123456789012:table/Team/stream/2024","dynamodb":{"Keys":{"id":{"S":"1"}},"NewImage":{"id":{"S":"1"},"size":{"N":"3"}}}}`,
			},
			want: []string{"where: {$meta.table: [Post], _deleted: [{exists: false}, false]}", "ignore: {_deleted: [true]}", "where: {$meta.table: [Team]}", "      team:"},
			not:  []string{"deleted: {from", "ttl: {"},
		},
		{
			name: "texts",
			records: []string{
				`{"id":"1","money":"x","price":"40","count":"3","card":"4407495068889739","seen":"2024-01-01T10:00:00Z","due":"1/13/24 07:08","month":"01-2024","value":"21.5","is_on":"0"}`,
				`{"id":"2","money":"x","price":"41","count":"7","card":"4407495068889740","seen":"#","due":"2/3/24 17:08","month":"12-2024","value":"n/a","is_on":"1"}`,
			},
			want: []string{`price: {type: "decimal(10,2)"}`, "count: {type: int64}", "card: {}  # digits", `seen: {type: timestamptz, on_error: "null"}  # 1 of 2 stand for no value, as "#"`,
				`due: {type: timestamp, format: "1/2/06 15:04"}`, `month: {type: date, format: "01-2006"}`, `value: {type: "decimal(10,2)", on_error: "null"}`, "is_on: {type: bool}"},
		},
		{
			name: "lists of one length",
			records: []string{
				`{"id":"1","at":[1700000000,1700000001],"v":[1.5,2.5],"tags":["a"]}`, `{"id":"2","at":[1700000002],"v":[3],"tags":["b","c"]}`,
			},
			want: []string{"explode: {from: at, as: element, ordinal: position}", "at: {from: element, type: int64}", `v: {expr: "v[position - 1]", type: "decimal(10,2)"}`, `tags: {type: "list(string)"}`},
			not:  []string{"at: {type: list", "v: {type: json"},
		},
		{
			name: "a sort key before the partition key",
			records: []string{
				`{"eventName":"INSERT","tableName":"t","dynamodb":{"Keys":{"at":{"S":"2024-01-01"},"userId":{"S":"a"}},"NewImage":{"at":{"S":"2024-01-01"},"userId":{"S":"a"}}}}`,
				`{"eventName":"INSERT","tableName":"t","dynamodb":{"Keys":{"at":{"S":"2024-01-02"},"userId":{"S":"a"}},"NewImage":{"at":{"S":"2024-01-02"},"userId":{"S":"a"}}}}`,
			},
			want: []string{"key: [user_id, at]"},
		},
		{
			name: "a number that is in the key by chance, and one that is there with zeros before it",
			records: []string{
				`{"PK":{"S":"SHOP#7"},"SK":{"S":"ORDER#0001"},"parcels":{"N":"7"},"order_number":{"N":"1"}}`,
				`{"PK":{"S":"SHOP#7"},"SK":{"S":"ORDER#0012"},"parcels":{"N":"7"},"order_number":{"N":"12"}}`,
			},
			want: []string{"key: [shop, order_number]", "parcels: {type: int64}", "order_number: {type: int64}"},
			not:  []string{"order: {from: SK"},
		},
		{
			name: "times and what sorts are no keys alone",
			records: []string{
				`{"at":1700000000,"humidity":40,"seenAt":1700000001,"sensorId":"a"}`, `{"at":1700000060,"humidity":41,"seenAt":1700000061,"sensorId":"a"}`,
				`{"at":1700000001,"humidity":42,"seenAt":1700000002,"sensorId":"b"}`, `{"at":1700000061,"humidity":43,"seenAt":1700000062,"sensorId":"b"}`,
			},
			want: []string{"key: [sensorId, seenAt]", "key: [sensor_id, seen_at]", "seen_at: {from: seenAt, type: timestamptz, format: unix}"},
		},
		{
			name: "names as sort keys, beside an item that is another",
			records: []string{
				`{"PK":{"S":"GROUP#1"},"SK":{"S":"INFO"},"title":{"S":"x"}}`, `{"PK":{"S":"GROUP#1"},"SK":{"S":"ann"},"joined":{"S":"2024-01-01"}}`, `{"PK":{"S":"GROUP#1"},"SK":{"S":"bob"},"joined":{"S":"2024-01-01"}}`,
				`{"PK":{"S":"GROUP#2"},"SK":{"S":"INFO"},"title":{"S":"x"}}`, `{"PK":{"S":"GROUP#2"},"SK":{"S":"ann"},"joined":{"S":"2024-01-01"}}`, `{"PK":{"S":"GROUP#2"},"SK":{"S":"bob"},"joined":{"S":"2024-01-01"}}`,
			},
			want: []string{"SK: [INFO]", `SK: [{anything-but: INFO}]`, "key: [group, sk]", "# 4 items"},
			not:  []string{"ann", "bob"},
		},
		{
			name:    "keys in other words",
			records: []string{`{"id":"1","sort_key":"A#1","Partition-Key":"U#1"}`, `{"id":"2","sort_key":"A#2","Partition-Key":"U#1"}`},
			want:    []string{`key: ["Partition-Key", sort_key]`},
		},
		{
			name:    "words between separators that are data",
			records: manyWords(),
			want:    []string{"user:  # 700 items", "key: [user, sk, sk_2, "},
		},
		{
			name:    "plain rows with codes",
			records: []string{`{"revenue":"1.5","name":"Canada","code":"CA"}`, `{"revenue":"2.5","name":"India","code":"IN"}`, `{"revenue":"3.5","name":"Chile","code":"CL"}`},
			want:    []string{"      item:  # 3 items\n        key: [code]"},
			not:     []string{"where:"},
		},
		{
			name:    "nothing identifies an item",
			records: []string{`{"a":{"b":1}}`, `{"a":{"b":1}}`},
			want:    []string{"mode: append", "b: {from: a.b, type: int64}"},
			not:     []string{"key:"},
		},
		{
			name: "ElectroDB",
			records: []string{
				`{"pk":{"S":"$tasks#projectid_p1"},"sk":{"S":"$task_1#taskid_t1"},"projectId":{"S":"P1"},"taskId":{"S":"t1"},"__edb_e__":{"S":"task"},"__edb_v__":{"S":"1"}}`,
				`{"pk":{"S":"$tasks#projectid_p1"},"sk":{"S":"$project_1"},"projectId":{"S":"P1"},"__edb_e__":{"S":"project"},"__edb_v__":{"S":"1"}}`,
			},
			want: []string{"where: {__edb_e__: [task]}", "key: [project_id, task_id]", "key: [project_id]"},
			not:  []string{"edb_v"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "input.ndjson")
			if err := os.WriteFile(path, []byte(strings.Join(test.records, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, text := drafted(t, path)
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("the draft lacks %q", want)
				}
			}
			for _, not := range test.not {
				if strings.Contains(text, not) {
					t.Errorf("the draft has %q", not)
				}
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}

// TestFormats: what records are is found out of what is in a file.
func TestFormats(t *testing.T) {
	item := `{"PK":{"S":"a"},"SK":{"S":"b"}}`
	tests := map[string]string{
		`{"Items":[` + item + `,` + item + `],"Count":2}`:                                                              "dynamodb_export",
		`{"Item":` + item + `}`:                                                                                        "dynamodb_export",
		`{"RequestItems":{"t":[{"PutRequest":{"Item":` + item + `}}]}}`:                                                "dynamodb_export",
		`{"Records":[{"eventName":"INSERT","dynamodb":{"Keys":` + item + `,"NewImage":` + item + `}}]}`:                "dynamodb_cdc",
		"{\n \"eventName\": \"INSERT\",\n \"dynamodb\": {\"Keys\":" + item + ", \"NewImage\":" + item + "}\n}":         "dynamodb_cdc",
		`{"detail":{"eventName":"INSERT","dynamodb":{"Keys":` + item + `,"NewImage":` + item + `}},"source":"my.app"}`: "dynamodb_cdc",
		`[{"PK":"a","SK":"b"},{"PK":"a","SK":"c"}]`:                                                                    "json",
	}
	for input, want := range tests {
		for _, zip := range []bool{false, true} {
			var data bytes.Buffer
			data.WriteString(input)
			if zip {
				data.Reset()
				w := gzip.NewWriter(&data)
				fmt.Fprintln(w, input)
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(t.TempDir(), "input")
			if err := os.WriteFile(path, data.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Read(context.Background(), path, 100)
			if err != nil || s.Format != want || s.items() == 0 || s.Broken > 0 {
				t.Errorf("%s: %+v, %v, want %s", input, s, err, want)
			}
		}
	}
}
