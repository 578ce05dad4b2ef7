package file

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// change is a change record whose text has what brackets are looked for in.
func change(n int, text string) string {
	return fmt.Sprintf(`{"eventID":"%d","eventName":"INSERT","dynamodb":{"Keys":{"id":{"N":"%d"}},"NewImage":{"t":{"S":%q},"l":{"L":[{"M":{}},{"S":"}{"}]}}}}`, n, n, text)
}

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// What it takes to find records that are joined in one line grows with their number.
func TestManyRecordsInOneLine(t *testing.T) {
	var b strings.Builder
	const n = 200_000
	for i := range n {
		fmt.Fprintf(&b, `{"id":%d,"a":1}`, i)
	}
	started := time.Now()
	p := splitter{encoding: pipeline.JSON, at: position{line: 1}, max: 1 << 20, last: true}.split([]byte(b.String()), nil)
	if took := time.Since(started); len(p.spans) != n || took > 10*time.Second {
		t.Errorf("%d records in %s", len(p.spans), took)
	}
}

// Every layout that is read, the records it has, and the lines they begin in.
func TestLayouts(t *testing.T) {
	a, b, c := change(1, "a"), change(2, "b"), change(3, "c")
	item := func(n int) string { return fmt.Sprintf(`{"id":{"N":"%d"},"tags":{"SS":["x"]}}`, n) }
	tests := []struct {
		name, format, content string
		want                  []string
		lines                 []int64
	}{
		{"a Lambda event", "dynamodb_cdc", `{"Records":[` + a + `, ` + b + `]}`, []string{a, b}, []int64{1, 1}},
		{"Lambda events, a line each", "dynamodb_cdc", `{"Records":[` + a + `]}` + "\n" + `{"Records":[` + b + `,` + c + `],"window":{"start":1}}` + "\n", []string{a, b, c}, []int64{1, 2, 2}},
		{"a Lambda event among changes", "dynamodb_cdc", a + "\n" + `{"Records":[` + b + `]}` + "\n" + c + "\n", []string{a, b, c}, []int64{1, 2, 3}},
		{"GetRecords of a stream", "dynamodb_cdc", "{\n  \"Records\": [\n    " + a + ",\n    " + b + "\n  ],\n  \"NextShardIterator\": \"x]}\"\n}\n", []string{a, b}, []int64{3, 4}},
		{"what GetRecords says comes first", "dynamodb_cdc", `{"NextShardIterator":"x","MillisBehindLatest":0,"Records":[` + a + `]}`, []string{a}, []int64{1}},
		{"GetRecords of Kinesis", "dynamodb_cdc", `{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1.5,"Data":"` + inBase64(a) + `","PartitionKey":"k"}],"MillisBehindLatest":0}`, []string{a}, []int64{1}},
		{"a Kinesis event of Lambda", "dynamodb_cdc", `{"Records":[{"kinesis":{"partitionKey":"k","data":"` + inBase64(a) + `"},"eventSource":"aws:kinesis","eventName":"aws:kinesis:record"},` +
			`{"kinesis":{"data":"` + inBase64(b) + `"}}]}`, []string{a, b}, []int64{1, 1}},
		{"an event of EventBridge Pipes", "dynamodb_cdc", `[{"eventSource":"aws:kinesis","data":"` + inBase64(a) + `"},` + b + `]`, []string{a, b}, []int64{1, 1}},
		{"an event of EventBridge", "dynamodb_cdc", `{"version":"0","detail-type":"x","detail":` + a + `}`, []string{a}, []int64{1}},
		{"an event of Firehose", "dynamodb_cdc", `{"invocationId":"i","records":[{"recordId":"1","data":"` + inBase64(a) + `"},{"recordId":"2","data":"` + inBase64(b+"\n") + `"}]}`, []string{a, b}, []int64{1, 1}},
		{"the result of a transformation", "dynamodb_cdc", `{"records":[{"recordId":"1","result":"Ok","data":"` + inBase64(a) + `"},{"recordId":"2","result":"Dropped","data":"` + inBase64(b) + `"}]}`, []string{a}, []int64{1}},
		{"several records in one of Kinesis", "dynamodb_cdc", `{"Data":"` + inBase64(a+b) + `"}` + "\n" + c, []string{a, b, c}, []int64{1, 1, 2}},
		{"a Lambda event in base64", "dynamodb_cdc", `{"Data":"` + inBase64(`{"Records":[`+a+`,`+b+`]}`) + `"}`, []string{a, b}, []int64{1, 1}},
		{"data that is no base64", "dynamodb_cdc", `{"Data":"*"}{"data":"e30"}{"data":1}`, []string{`{"Data":"*"}`, `{"data":"e30"}`, `{"data":1}`}, []int64{1, 1, 1}},
		{"an event without records", "dynamodb_cdc", `{"Records":[]}` + "\n" + a, []string{a}, []int64{2}},
		{"records that are null", "dynamodb_cdc", `{"Records":null}` + "\n" + a, []string{`{"Records":null}`, a}, []int64{1, 2}},
		{"an event cut off in its line", "dynamodb_cdc", `{"Records":[` + a + `,{"eventID":"x","dyn` + "\n" + `{"Records":[` + b + `]}` + "\n", []string{a, `{"eventID":"x","dyn`, b}, []int64{1, 1, 2}},
		{"an event cut off behind its records", "dynamodb_cdc", `{"Records":[` + a + `]` + "\n" + b + "\n", []string{a, b}, []int64{1, 2}},
		{"a broken record in an event", "dynamodb_cdc", "{\"Records\": [\n  {\"eventID\": \"1, \"dynamodb\": {}},\n  " + b + "\n]}\n", []string{`{"eventID": "1, "dynamodb": {}}`, b}, []int64{2, 3}},
		{"the output of a scan", "dynamodb_export", "{\n    \"Items\": [\n        " + item(1) + ",\n        " + item(2) + "\n    ],\n    \"Count\": 2,\n    \"ScannedCount\": 2,\n    \"ConsumedCapacity\": null\n}\n",
			[]string{`{"Item":` + item(1) + `}`, `{"Item":` + item(2) + `}`}, []int64{3, 4}},
		{"pages of a scan", "dynamodb_export", `[{"Count":1,"Items":[` + item(1) + `]},{"Items":[` + item(2) + `],"LastEvaluatedKey":{"id":{"N":"2"}}}]`, []string{`{"Item":` + item(1) + `}`, `{"Item":` + item(2) + `}`}, []int64{1, 1}},
		{"items by themselves", "dynamodb_export", item(1) + "\n" + item(2) + "\n", []string{`{"Item":` + item(1) + `}`, `{"Item":` + item(2) + `}`}, []int64{1, 2}},
		{"an item with odd names", "dynamodb_export", `{"Items":{"L":[{"S":"x"}]},"Item":{"S":"a"},"Responses":{"M":{}}}`, []string{`{"Item":{"Items":{"L":[{"S":"x"}]},"Item":{"S":"a"},"Responses":{"M":{}}}}`}, []int64{1}},
		{"a broken item of a scan", "dynamodb_export", `{"Items":[{"id":{"N":"1"},"v":{"N":"x"}},{"v":5,"id":{"N":"2"}},` + item(3) + `]}`,
			[]string{`{"Item":{"id":{"N":"1"},"v":{"N":"x"}}}`, `{"Item":{"v":5,"id":{"N":"2"}}}`, `{"Item":` + item(3) + `}`}, []int64{1, 1, 1}},
		{"a broken item by itself", "dynamodb_export", `{"id":{"N":"1"},"v":{"N":"x"}}` + "\n" + item(2) + "\n", []string{`{"Item":{"id":{"N":"1"},"v":{"N":"x"}}}`, `{"Item":` + item(2) + `}`}, []int64{1, 2}},
		{"lines of another format", "dynamodb_export", `{"Item":{"id":{"N":"x"}},"S":{"S":"x"}}` + "\n" + change(1, "a"), []string{`{"Item":{"id":{"N":"x"}},"S":{"S":"x"}}`, change(1, "a")}, []int64{1, 2}},
		{"GetItem", "dynamodb_export", `{"Item":` + item(1) + `,"ConsumedCapacity":null}`, []string{`{"Item":` + item(1) + `,"ConsumedCapacity":null}`}, []int64{1}},
		{"lines of an export", "dynamodb_export", `{"Item":` + item(1) + `}` + "\n" + `{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"id":{"N":"1"}}}` + "\n",
			[]string{`{"Item":` + item(1) + `}`, `{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"id":{"N":"1"}}}`}, []int64{1, 2}},
		{"BatchGetItem", "dynamodb_export", `{"Responses":{"orders":[` + item(1) + `],"lines":[` + item(2) + `]},"UnprocessedKeys":{}}`,
			[]string{`{"tableName":"orders","Item":` + item(1) + `}`, `{"tableName":"lines","Item":` + item(2) + `}`}, []int64{1, 1}},
		{"TransactGetItems", "dynamodb_export", `{"Responses":[{"Item":` + item(1) + `},{}]}`, []string{`{"Item":` + item(1) + `}`, `{}`}, []int64{1, 1}},
		{"BatchWriteItem", "dynamodb_export", "{\n  \"orders\": [\n    {\"PutRequest\": {\"Item\": " + item(1) + "}},\n    {\"DeleteRequest\": {\"Key\": {\"id\": {\"N\": \"2\"}}}}\n  ]\n}\n",
			[]string{`{"tableName":"orders","PutRequest": {"Item": ` + item(1) + `}}`, `{"tableName":"orders","DeleteRequest": {"Key": {"id": {"N": "2"}}}}`}, []int64{3, 4}},
		{"BatchWriteItem with its request", "dynamodb_export", `{"RequestItems":{"orders":[{"PutRequest":{"Item":` + item(1) + `}}]},"ReturnConsumedCapacity":"NONE"}`,
			[]string{`{"tableName":"orders","PutRequest":{"Item":` + item(1) + `}}`}, []int64{1}},
		{"TransactWriteItems", "dynamodb_export", `{"TransactItems":[{"Put":{"TableName":"t","Item":` + item(1) + `}}]}`, []string{`{"Put":{"TableName":"t","Item":` + item(1) + `}}`}, []int64{1}},
		{"a scan as plain JSON", "json", `{"Items":[` + item(1) + `,{"a":{"N":"1.50"},"b":{"B":"AA=="},"m":{"M":{"x":{"NULL":true}}}}],"Count":2,"ScannedCount":2}` + "\n" + `{"id":3}`,
			[]string{`{"id":1,"tags":["x"]}`, `{"a":1.50,"b":"AA==","m":{"x":null}}`, `{"id":3}`}, []int64{1, 1, 2}},
		{"plain objects that look like a scan", "json", `{"Items":[{"sku":"a"}],"Count":1}` + "\n" + `{"Records":[1]}` + "\n" + `{"Items":[]}` + "\n" + `{"Items":[{"S":{"S":1}}]}` + "\n",
			[]string{`{"Items":[{"sku":"a"}],"Count":1}`, `{"Records":[1]}`, `{"Items":[]}`, `{"Items":[{"S":{"S":1}}]}`}, []int64{1, 2, 3, 4}},
		{"typed values in plain JSON stay as they are", "json", item(1) + "\n", []string{item(1)}, []int64{1}},
	}
	for _, tt := range tests {
		for _, block := range []int{1, 7, 64, 0} {
			t.Run(fmt.Sprintf("%s/%d", tt.name, block), func(t *testing.T) {
				path := write(t, filepath.Join(t.TempDir(), "f"), []byte(tt.content))
				cfg := Config{Path: path, Format: tt.format}
				s := readAll(t, cfg, block, nil)
				if s.err != nil {
					t.Fatal(s.err)
				}
				var want []readRecord
				for i, text := range tt.want {
					want = append(want, readRecord{text, tt.lines[i], s.records[0].First + int64(i)})
				}
				if d := cmp.Diff(want, s.records); d != "" {
					t.Fatalf("records (-want +got):\n%s", d)
				}
				for cut := range len(want) {
					first := readSome(t, testSource(t, cfg, block), nil, cut+1)
					rest := readAll(t, cfg, 0, first.cursors)
					if d := cmp.Diff(s.records, slices.Concat(first.records, rest.records)); rest.err != nil || d != "" {
						t.Fatalf("cut after %d: error %v (-whole +parts):\n%s", cut+1, rest.err, d)
					}
				}
			})
		}
	}
}

// drawPart draws a part of a file that ends with a line, and its records.
func drawPart(t *rapid.T, n *int) (text string, records []string) {
	one := func() string {
		*n++
		r := change(*n, rapid.StringOfN(rapid.SampledFrom([]rune("xyz{}[],\"\\ é\n")), 0, 40, -1).Draw(t, "text"))
		records = append(records, r)
		return r
	}
	some := func(between string) string {
		var all []string
		for range rapid.IntRange(1, 4).Draw(t, "records") {
			all = append(all, one())
		}
		return strings.Join(all, between)
	}
	between := rapid.SampledFrom([]string{"", " ", ",", ", ", "\t", "\r\n", "\n\n"}).Draw(t, "between")
	commas := rapid.SampledFrom([]string{",", " ,\n", ", "}).Draw(t, "commas")
	switch rapid.SampledFrom([]string{"line", "line", "line", "joined", "printed", "array", "arrays", "event", "kinesis", "firehose", "broken"}).Draw(t, "layout") {
	case "joined":
		return some(between) + "\n", records
	case "printed":
		var b strings.Builder
		indent := rapid.SampledFrom([]string{" ", "\t"}).Draw(t, "indent")
		for i := range 2 {
			var out bytes.Buffer
			if err := json.Indent(&out, []byte(one()), "", indent); err != nil {
				t.Fatal(err)
			}
			records[i] = out.String()
			b.WriteString(out.String() + "\n")
		}
		return b.String(), records
	case "array":
		return "[" + some(commas) + "]\n", records
	case "arrays":
		return "[[" + some(commas) + "],[],[" + some(commas) + "]]\n", records
	case "event":
		return `{"Records":[` + some(commas) + `],"x":{"y":"]}"}}` + "\n", records
	case "kinesis":
		return `{"Records":[{"kinesis":{"data":"` + inBase64(some(between)) + `"}},{"Data":"` + inBase64(one()) + `"}]}` + "\n", records
	case "firehose":
		return `{"records": [ {"recordId":"1","data":"` + inBase64(some("\n")) + `"} ] }` + "\n", records
	case "broken":
		r := one()
		r = r[:rapid.IntRange(1, len(r)-1).Draw(t, "length")]
		return r + "\n", []string{strings.TrimRight(r, " ,")}
	}
	return some("\n") + "\n", records
}

// A file of any mixture of layouts, compressed or not, gives its records once each
// and in order: read in blocks of any size, and in two parts from any cursor.
func TestMixedLayouts(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		var content strings.Builder
		var want []string
		n := 0
		for range rapid.IntRange(1, 8).Draw(rt, "parts") {
			text, records := drawPart(rt, &n)
			content.WriteString(text)
			want = append(want, records...)
		}
		content.WriteString(change(0, "the last") + "\n")
		want = append(want, change(0, "the last"))
		packing := rapid.SampledFrom(packings).Draw(rt, "packing")
		path := write(t, filepath.Join(dir, "f"), pack(t, packing, []byte(content.String())))
		cfg := Config{Path: path, Format: "dynamodb_cdc"}
		block := rapid.IntRange(1, 600)
		whole := readAll(t, cfg, block.Draw(rt, "block"), nil)
		if d := cmp.Diff(want, whole.texts()); whole.err != nil || d != "" {
			rt.Fatalf("%s\nerror %v (-want +got):\n%s", content.String(), whole.err, d)
		}
		at := rapid.IntRange(1, len(want)).Draw(rt, "cut")
		first := readSome(t, testSource(t, cfg, block.Draw(rt, "first block")), nil, at)
		rest := readAll(t, cfg, block.Draw(rt, "other block"), first.cursors)
		if d := cmp.Diff(whole.records, slices.Concat(first.records, rest.records)); rest.err != nil || d != "" {
			rt.Fatalf("%s\ncut after %d: error %v (-whole +parts):\n%s", content.String(), at, rest.err, d)
		}
	})
}
