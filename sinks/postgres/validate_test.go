package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// textRows returns one row to insert, of a text and a number.
func textRows(table *pipeline.Table, text string) *pipeline.Rows {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	b.Field(0).(*array.StringBuilder).Append(text)
	b.Field(1).(*array.Int64Builder).Append(1)
	return &pipeline.Rows{Table: table, Record: b.NewRecord(), Ops: []pipeline.Op{pipeline.OpInsert}, Versions: make([]pipeline.Version, 1)}
}

// drawJSON draws a document with what jsonb may refuse in it.
func drawJSON(rt *rapid.T, depth int) string {
	switch rapid.IntRange(0, 5).Draw(rt, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"null", "true", "0", "-0", "1e5", "1E+131071", "1e-16383", "1e131072", "12.50e-20000", "1e999999", "-1.0"}).Draw(rt, "word")
	case 1, 2:
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "ü", "😀", `\\`, `\"`, `\n`, `\u0041`, `\u0000`, `\\u0000`, `\ud83d\ude00`, `\ud83d`, `\ude00`, `\uD83D\uDE00`, `\ud800\u0041`, "[", "{"}), 0, 4).Draw(rt, "text")
		return `"` + strings.Join(parts, "") + `"`
	case 3:
		return strings.Repeat("[", 300*min(depth, 1)) + "1" + strings.Repeat("]", 300*min(depth, 1))
	}
	if depth == 0 {
		return "1"
	}
	return fmt.Sprintf(`{"a": %s, "b\\": [%s , %s]}`, drawJSON(rt, depth-1), drawJSON(rt, depth-1), drawJSON(rt, depth-1))
}

// TestDocuments: what is let through, the server takes; and but for what is near
// its limits, it refuses the rest.
func TestDocuments(t *testing.T) {
	d := newTarget(t, pgtest.Schema())
	rapid.Check(t, func(rt *rapid.T) {
		doc := drawJSON(rt, 2)
		why := documentProblem(doc, false)
		err := d.conn.ExecParams(context.Background(), "SELECT $1::jsonb", [][]byte{[]byte(doc)}, nil, nil, nil).Read().Err
		if err != nil && why == "" {
			rt.Fatalf("%s: let through, and the server says %v", doc, err)
		}
		if err == nil && why != "" && !strings.Contains(why, "numeric") {
			rt.Fatalf("%s: refused, and the server takes it: %s", doc, why)
		}
	})
}

// TestMaskedRefusal: what masked columns hold is not in the message.
func TestMaskedRefusal(t *testing.T) {
	for _, masked := range []bool{false, true} {
		table, err := pipeline.NewTable("t", []pipeline.Column{{Name: "s", Type: pipeline.Type{Kind: pipeline.String}, Masked: masked}, {Name: "n", Type: pipeline.Type{Kind: pipeline.Int64}}}, []string{"n", "s"})
		if err != nil {
			t.Fatal(err)
		}
		rows := textRows(table, "s3cret\x00")
		err = validate(rows, false)
		rows.Record.Release()
		if err == nil || strings.Contains(err.Error(), "s3cret") == masked || !strings.Contains(err.Error(), `column "s", row with key ("1", `) || !strings.Contains(err.Error(), "U+0000, which PostgreSQL cannot store") {
			t.Errorf("masked %v: %v", masked, err)
		}
	}
}

func TestLargeDocuments(t *testing.T) {
	if why := documentProblem("["+strings.Repeat("1,", 10<<20)+"1]", false); why != "" {
		t.Errorf("10 Mi numbers: %s", why)
	}
	if why := documentProblem("["+strings.Repeat("1,", 24<<20)+"1]", false); !strings.Contains(why, "255 MiB") {
		t.Errorf("24 Mi numbers: %q", why)
	}
}
