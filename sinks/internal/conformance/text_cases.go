package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// hard are texts that have to be quoted, or that mean something to some language of databases.
var hard = []string{
	`\`, `\\`, `\'`, `'`, `''`, `"`, `""`, `\N`, `\n`, `\x41`, `\u0041`, "\n", "\r\n", "\t", "\x01", "\x7f", `'); DROP TABLE "order"; --`, `$1`, `$$a$$`, `%s`, `{}`, `[1]`, `,`, `|`, `;`,
	" leading", "a\u00a0", "null", "NULL", "true", "\ufeff", "\u2028", "e\u0301", "é", "ß", "İ", "ı", "😀", "\U0010ffff", "\ufffd", "ﬀ", "a\u200b",
}

// quotesCase takes texts that have to be quoted through every way that a value goes: as keys that are
// inserted, updated and deleted, as other texts, and in documents.
func quotesCase(t *testing.T, target Target) {
	table := pipelinetest.TableOf(t, `it's "quoted" \ twice`, []string{`k'"\`}, pipelinetest.Column(`k'"\`, pipeline.String), pipelinetest.Column(`v\'`, pipeline.String), pipelinetest.Column("doc", pipeline.JSONText))
	h := newHarness(t, target, table)
	put := func(op pipeline.Op, from, to int, value func(i int) string) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
		defer b.Release()
		rows := &pipeline.Rows{Table: table}
		for i := from; i < to; i++ {
			b.Field(0).(*array.StringBuilder).Append(hard[i])
			b.Field(1).(*array.StringBuilder).Append(value(i))
			b.Field(2).(*array.StringBuilder).Append(fmt.Sprintf(`{"a": %q}`, []string{`'`, `''`, `"`}[i%3]))
			rows.Ops = append(rows.Ops, op)
		}
		rows.Record, rows.Versions = b.NewRecord(), make([]pipeline.Version, to-from)
		h.Prepare(rows)
		h.Commit()
	}
	put(insert, 0, len(hard), func(i int) string { return hard[i] })
	put(update, 0, len(hard), func(i int) string { return hard[len(hard)-1-i] })
	put(remove, 0, len(hard)/2, func(i int) string { return hard[i] })
	want := map[string]bool{}
	for i := len(hard) / 2; i < len(hard); i++ {
		want[hard[i]+"|"+hard[len(hard)-1-i]+"|"+fmt.Sprintf(`{"a": %q}`, []string{`'`, `''`, `"`}[i%3])] = true
	}
	got := h.rows(table) // databases order texts differently
	for _, row := range got {
		if !want[row] {
			t.Errorf("the table has %q", row)
		}
		delete(want, row)
	}
	for row := range want {
		t.Errorf("the table lacks %q", row)
	}
}

// longTextsCase is about texts at the lengths where databases cut, count characters for bytes, or
// begin to store elsewhere. They are stored as they are, or refused before they are in any epoch.
func longTextsCase(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	texts := map[int64]string{}
	var in []Row
	for _, size := range []int{255, 256, 257, 65535, 65536, 65537} {
		for _, text := range []string{
			strings.Repeat("a", size), strings.Repeat("ü", size/2) + strings.Repeat("a", size%2), strings.Repeat("a", size%2) + strings.Repeat("ü", size/2),
			strings.Repeat("a", size%4) + strings.Repeat("😀", size/4), strings.Repeat(`\`, size), strings.Repeat("'", size),
		} {
			if len(text) != size {
				t.Fatalf("%d bytes, want %d", len(text), size)
			}
			if target.TextMax > 0 && size > target.TextMax {
				h.refusesText(text)
				continue
			}
			id := int64(len(in) + 1)
			texts[id], in = text, append(in, Row{insert, id, text})
		}
	}
	check := func() {
		t.Helper()
		got := h.rows(h.Tables[0])
		if len(got) != len(in) {
			t.Fatalf("%d rows, want %d", len(got), len(in))
		}
		for i, r := range in {
			if want := fmt.Sprintf("%d|%s", r.ID, r.Text); got[i] != want {
				t.Errorf("of %d bytes of %.12q there are %d", len(want), want, len(got[i]))
			}
		}
	}
	h.put(in...)
	check()
	for i := range in { // each row gets another's
		in[i].Op, in[i].Text = update, texts[int64(len(in)-i)]
	}
	h.put(in...)
	check()
}

// refusesText holds the sink to refusing a text.
func (h *harness) refusesText(text string) {
	h.T.Helper()
	e, err := h.Sink.Begin(h.Epoch + 1)
	h.Must(err)
	err = e.Write(nil, Rows(h.Tables[0], []Row{{insert, 1, text}}))
	e.Abort()
	if err == nil || !strings.Contains(err.Error(), `column "select"`) || !strings.Contains(err.Error(), fmt.Sprint(len(text))) {
		h.T.Errorf("%d bytes: got error %.300v", len(text), err)
	}
}

// alikeCase is about names that are one name to some databases: because case does not count, or not
// that of all letters, or because long ones are cut. A sink refuses them, or keeps them apart.
func alikeCase(t *testing.T, target Target) {
	long := strings.Repeat("n", 200)
	for _, pair := range [][2]string{
		{"order", "Order"}, {"ürün", "Ürün"}, {"straße", "STRASSE"}, {"kelvin", "\u212aelvin"}, {"ı", "I"}, {"é", "e\u0301"},
		{long[:127] + "a", long[:127] + "b"}, {long[:63] + "a", long[:63] + "b"}, {long[:126] + "ü", long[:126] + "ö"}, {long[:62] + "ü", long[:62] + "ö"}, {long + "a", long + "b"},
	} {
		t.Run(fmt.Sprintf("tables %.12s and %.12s of %d bytes", pair[0], pair[1], len(pair[0])), func(t *testing.T) {
			var tables []*pipeline.Table
			for _, name := range pair {
				tables = append(tables, pipelinetest.TableOf(t, name, []string{"id"}, Orders(t).Columns...))
			}
			h := another(t, target, target.Open(t), "shop", tables...)
			if h.refuses(tables, pair) {
				return
			}
			h.Must(h.restart())
			h.Prepare(Rows(tables[0], []Row{{insert, 1, "one"}}), Rows(tables[1], []Row{{insert, 2, "other"}}))
			h.Commit()
			h.Must(h.restart())
			h.Prepare(Rows(tables[0], []Row{{update, 1, "ONE"}}), Rows(tables[1], []Row{{update, 2, "OTHER"}}))
			h.Commit()
			h.same(h.rows(tables[0]), "1|ONE")
			h.same(h.rows(tables[1]), "2|OTHER")
		})
		t.Run(fmt.Sprintf("columns %.12s and %.12s of %d bytes", pair[0], pair[1], len(pair[0])), func(t *testing.T) {
			table := pipelinetest.TableOf(t, "t", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column(pair[0], pipeline.String), pipelinetest.Column(pair[1], pipeline.String))
			h := another(t, target, target.Open(t), "shop", table)
			if h.refuses([]*pipeline.Table{table}, pair) {
				return
			}
			h.Must(h.restart())
			h.Prepare(Rows(table, []Row{{insert, 1, "one"}}))
			h.Commit()
			h.Must(h.restart())
			h.Prepare(Rows(table, []Row{{update, 1, "ONE"}}))
			h.Commit()
			h.want("1|ONE|null")
		})
	}
}

// refuses tells whether the sink takes no tables with these names, and holds it to saying which.
func (h *harness) refuses(tables []*pipeline.Table, names [2]string) bool {
	h.T.Helper()
	sink := h.sinkOf("warehouse")
	err := sink.(pipeline.TableChecker).CheckTables(tables)
	if err == nil {
		return false
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("%q", names[0])) || !strings.Contains(err.Error(), fmt.Sprintf("%q", names[1])) || !strings.Contains(err.Error(), "rename") {
		h.T.Errorf("refused by %v", err)
	}
	if _, checked := sink.Check(context.Background(), h.Options()); checked == nil {
		h.T.Error("Check takes what CheckTables refuses")
	}
	return true
}
