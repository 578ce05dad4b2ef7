package draft

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/transforms/unnest"
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

// sourcesOf returns the columns of a pipeline by table: what they are made of, and their types but
// for sizes.
func sourcesOf(t *testing.T, a *assembly.Pipeline) map[string][]string {
	t.Helper()
	tables := map[string][]string{}
	for _, node := range a.File.Transforms {
		c, ok := node.Value.Config.(*unnest.Config)
		if !ok {
			continue
		}
		for _, table := range c.Tables {
			var columns []string
			for _, column := range table.Value.Columns {
				from := column.Value.From
				if len(from) == 0 {
					from = []string{column.Name}
				}
				kind, _, _ := strings.Cut(column.Value.Type, "(")
				if kind == "" {
					kind = "string"
				}
				path := from[0]
				if e := table.Value.Explode; e != nil {
					path = strings.Replace(path, e.As+".", e.From[0]+"[].", 1)
				}
				columns = append(columns, path+" "+kind)
			}
			tables[table.Name] = columns
		}
	}
	return tables
}

// compare returns the part of a pipeline's columns that a draft has, and the part of the draft's
// that the pipeline has not. Tables are paired by the columns that they have in common.
func compare(written, drafted map[string][]string) (has, more float64, missing []string) {
	columns, found, all, common := 0, 0, 0, 0
	for name, want := range written {
		var best []string
		for _, got := range drafted {
			if shared(want, got) > shared(want, best) {
				best = got
			}
		}
		columns, found = columns+len(want), found+shared(want, best)
		for _, c := range want {
			if !slices.Contains(best, c) {
				missing = append(missing, name+"."+c)
			}
		}
	}
	for _, got := range drafted {
		most := 0
		for _, want := range written {
			most = max(most, shared(got, want))
		}
		all, common = all+len(got), common+most
	}
	return float64(found) / float64(columns), float64(all-common) / float64(all), missing
}

func shared(a, b []string) (n int) {
	for _, c := range a {
		if slices.Contains(b, c) {
			n++
		}
	}
	return n
}

// TestDraftOfShop: of the shop's changes, and of its export, the draft has the tables and columns
// that people wrote, and not many more.
func TestDraftOfShop(t *testing.T) {
	t.Chdir("../..")
	for path, pipeline := range map[string]string{"configs/data/shop.ndjson.gz": "configs/quickstart.yaml", "configs/data/export": "configs/export.yaml"} {
		a, text := drafted(t, path)
		written, err := assembly.Load(pipeline, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, got := sourcesOf(t, written), sourcesOf(t, a)
		has, more, missing := compare(want, got)
		if len(got) != len(want) || has < 0.8 {
			t.Errorf("%s: the draft has %d of %d tables and %.0f %% of the columns; it lacks %v:\n%s", path, len(got), len(want), has*100, missing, text)
		}
		t.Logf("%s: %.0f %% of the columns, %.0f %% more", path, has*100, more*100)
	}
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
			want: []string{`SK: [{anything-but: {wildcard: ["OFR#*#ITEM#*"]}}]`, `SK: [{wildcard: "OFR#*#ITEM#*"}]`, `item: {from: SK, split: "#", part: 4}`, `offer_id: {from: OfferId, type: int64}`, `miles: {type: "decimal(10,2)"}`},
		},
		{
			name: "a type attribute, and one that is none",
			records: []string{
				`{"PK":{"S":"a"},"SK":{"S":"1"},"EntityType":{"S":"order"},"type":{"S":"express"},"lines":{"L":[{"M":{"sku":{"S":"x"},"n":{"N":"1"}}}]}}`,
				`{"PK":{"S":"a"},"SK":{"S":"2"},"EntityType":{"S":"order"},"type":{"S":"slow"},"lines":{"L":[]}}`,
				`{"PK":{"S":"b"},"SK":{"S":"-"},"EntityType":{"S":"customer"},"address":{"M":{"city":{"S":"Rome"},"zip":{"S":"00100"}}},"ttl":{"N":"1700000000"}}`,
			},
			want: []string{`where: {EntityType: [order]}`, `order_line:  # 1 element`, `explode: {from: lines, as: element, ordinal: position}`, `key: [pk, sk, position]`, `sku: {from: element.sku}`, `city: {from: address.city}`, `format: unix`},
			not:  []string{"entity_type:", "express"},
		},
		{
			name: "changes, removals and what is broken",
			records: []string{
				`{"eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"1"}},"NewImage":{"id":{"S":"1"},"day":{"S":"03/04/2024"},"at":{"S":"2024-01-01T10:00:00Z"}}}}`,
				`{"eventName":"REMOVE","dynamodb":{"Keys":{"id":{"S":"1"}}}}`,
				`{"eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"2"}},"NewImage":{"id":{"X":"1"}}}}`,
			},
			want: []string{"format: dynamodb_cdc", "3 records", "# 1 record can't be read", "day: {}  # dates, with the day or the month first", "at: {type: timestamp}", "key: [id]"},
		},
		{
			name:    "plain JSON",
			records: []string{`{"id":1,"yes":true,"a b":"x","price":"9.50","zip":"00100","$x":"${HOME}"}`, `{"id":2,"yes":false,"a b":"y","price":"10"}`},
			want:    []string{"format: json", "key: [id]", `"yes": {type: bool}`, `a_b: {from: "a b"}`, `price: {type: "decimal(10,2)"}  # texts`, "zip: {}  # in 1 of 2", `x: {from: "$x"}`},
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
			if err != nil || s.Format != want || len(s.items) == 0 || s.Broken > 0 {
				t.Errorf("%s: %+v, %v, want %s", input, s, err, want)
			}
		}
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(context.Background(), empty, 100); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty file: %v", err)
	}
	if _, err := Read(context.Background(), "no/such/file", 100); err == nil || !strings.Contains(err.Error(), "no file matches") {
		t.Errorf("no file: %v", err)
	}
}
