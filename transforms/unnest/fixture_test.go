package unnest

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// readConfig reads a node's configuration as a pipeline file holds it.
func readConfig(t testing.TB, text string) Config {
	t.Helper()
	file := "name: test\nsources: {in: {type: in}}\nsinks: {out: {type: out, inputs: [items]}}\n" +
		"transforms:\n  items:\n    type: unnest\n    inputs: [in]\n"
	for _, line := range strings.Split(strings.Trim(text, "\n"), "\n") {
		file += "    " + line + "\n"
	}
	file = strings.ReplaceAll(file, "\t", "  ")
	empty := map[string]spec.Kind{
		"in":     {New: func() any { return new(struct{}) }},
		"out":    {New: func() any { return new(struct{}) }},
		"unnest": {New: func() any { return new(Config) }},
	}
	f, err := spec.Load("test.yaml", []byte(file), spec.Kinds{Sources: empty, Transforms: empty, Sinks: empty}, spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return *f.Transforms[0].Value.Config.(*Config)
}

func compiled(t testing.TB, text string) *Unnest {
	t.Helper()
	u, err := New("items", readConfig(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// everything needs all tables, with deletes.
func everything(u *Unnest) pipeline.Needs {
	n := pipeline.Needs{Tables: map[string]bool{}, Deletes: map[string]bool{}, Settled: true}
	for _, t := range u.Tables() {
		n.Tables[t.Name], n.Deletes[t.Name] = true, true
	}
	return n
}

var (
	cdcFormat  = &pipeline.Format{Encoding: pipeline.DynamoDBCDC}
	jsonFormat = &pipeline.Format{Encoding: pipeline.JSON}
)

func records(f *pipeline.Format, lines ...string) *pipeline.Records {
	r := &pipeline.Records{Source: "in", Partition: "part", Format: f}
	for i, line := range lines {
		start := uint32(len(r.Data))
		r.Data = append(append(r.Data, line...), '\n')
		r.Spans = append(r.Spans, pipeline.Span{Start: start, End: uint32(len(r.Data) - 1), Line: int64(i + 1)})
	}
	return r
}

// change is a record as Kinesis delivers it; an image is empty or DynamoDB JSON.
func change(event, newImage, oldImage string) string {
	images := ""
	if newImage != "" {
		images += `,"NewImage":` + newImage
	}
	if oldImage != "" {
		images += `,"OldImage":` + oldImage
	}
	return `{"eventID":"e1","eventName":"` + event + `","tableName":"shop","dynamodb":{"ApproximateCreationDateTime":1657238400000,` +
		`"Keys":{"PK":{"S":"k"}}` + images + `},"eventSource":"aws:dynamodb"}`
}

func insert(image string) string { return change("INSERT", image, "") }

func mapAll(t testing.TB, u *Unnest, needs pipeline.Needs, r *pipeline.Records) *pipeline.Batch {
	t.Helper()
	b, err := u.NewMapper(needs).Map(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Release)
	check(t, b)
	return b
}

// check verifies what holds of every batch.
func check(t testing.TB, b *pipeline.Batch) {
	t.Helper()
	for _, rows := range b.Tables {
		n := int(rows.Record.NumRows())
		if n == 0 || len(rows.Ops) != n || len(rows.Change) != n {
			t.Fatalf("table %s: %d rows, %d operations, %d changes", rows.Table.Name, n, len(rows.Ops), len(rows.Change))
		}
		if !rows.Record.Schema().Equal(rows.Table.Schema()) {
			t.Fatalf("table %s: schema %s", rows.Table.Name, rows.Record.Schema())
		}
		for i, c := range rows.Change {
			if i > 0 && c < rows.Change[i-1] || int(c) >= len(b.Changes) {
				t.Fatalf("table %s: row %d belongs to change %d", rows.Table.Name, i, c)
			}
		}
	}
	for i := 1; i < len(b.Changes); i++ {
		// A record that gives its item another key is two changes.
		if b.Changes[i].Record < b.Changes[i-1].Record || i > 1 && b.Changes[i].Record == b.Changes[i-2].Record {
			t.Fatal("changes are not in the order of the records")
		}
	}
}

// dump returns a table's rows as "record op cell cell …".
func dump(b *pipeline.Batch, table string) []string {
	var out []string
	for _, rows := range b.Tables {
		if rows.Table.Name != table {
			continue
		}
		for i := range rows.Ops {
			line := fmt.Sprintf("%d %s", b.Changes[rows.Change[i]].Record, rows.Ops[i])
			for _, c := range rows.Record.Columns() {
				line += " " + cellText(c, i)
			}
			out = append(out, line)
		}
	}
	return out
}

func cellText(c arrow.Array, i int) string {
	if c.IsNull(i) {
		return "null"
	}
	switch c := c.(type) {
	case *array.String:
		return fmt.Sprintf("%q", c.Value(i))
	case *array.Binary:
		return fmt.Sprintf("%x", c.Value(i))
	case *array.Decimal128:
		n := c.Value(i).BigInt()
		scale := c.DataType().(*arrow.Decimal128Type).Scale
		return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).FloatString(int(scale))
	case *array.Timestamp:
		return string(datetime.AppendTime(nil, int64(c.Value(i))))
	default:
		return c.ValueStr(i)
	}
}

func letters(b *pipeline.Batch) []string {
	var out []string
	for _, d := range b.DeadLetters {
		out = append(out, fmt.Sprintf("%s: %s", d.Reason, d.Message))
	}
	return out
}
