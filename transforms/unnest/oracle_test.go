package unnest

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// The oracle unnests items that are maps, row by row, with sets of strings for
// keys and math/big for numbers. It shares nothing with the package but the
// names of reasons.

const oracleTables = `
tables:
	flat:
		where: {kind: [a, {prefix: x}]}
		key: [id]
		columns: {id: {}, n: {type: int64}, d: {type: "decimal(6,2)", on_error: "null"}, s: {from: m.s}}
	lines:
		where: {lines: [{exists: true}]}
		explode: {from: lines, as: l}
		key: [id, sku]
		columns: {sku: {from: l.sku}, id: {}, qty: {from: l.qty, type: int64}}
	tags:
		where: {tags: [{exists: true}]}
		explode: {from: tags, as: t, outer: true, ordinal: pos}
		key: [id, pos]
		columns: {id: {}, tag: {from: t}}
unmatched: `

type (
	number string
	set    []string
	item   map[string]any
)

// encode writes a value as DynamoDB JSON, in the order that perm gives maps.
func encode(t *rapid.T, v any) string {
	switch v := v.(type) {
	case nil:
		return `{"NULL":true}`
	case string:
		text := fmt.Sprintf("%q", v)
		if v != "" && rapid.Bool().Draw(t, "escaped") {
			text = fmt.Sprintf(`"\u%04x%s"`, v[0], v[1:])
		}
		return `{"S":` + text + `}`
	case number:
		if rapid.Bool().Draw(t, "bare") {
			return `{"N":` + string(v) + `}`
		}
		return `{"N":"` + string(v) + `"}`
	case set:
		return `{"SS":["` + strings.Join(rapid.Permutation(v).Draw(t, "set"), `","`) + `"]}`
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, encode(t, e))
		}
		return `{"L":[` + strings.Join(parts, ",") + `]}`
	default:
		return `{"M":` + encodeItem(t, v.(item)) + `}`
	}
}

func encodeItem(t *rapid.T, it item) string {
	var parts []string
	for _, name := range rapid.Permutation(slices.Sorted(maps.Keys(it))).Draw(t, "order") {
		parts = append(parts, fmt.Sprintf("%q:%s", name, encode(t, it[name])))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// drawItem draws an item from small domains, so that keys meet.
func drawItem(t *rapid.T) item {
	out := item{}
	some := func(name string, values ...any) {
		if i := rapid.IntRange(-1, len(values)-1).Draw(t, name); i >= 0 {
			out[name] = values[i]
		}
	}
	some("kind", "a", "a", "a", "xy", "b", []any{"q", "a"})
	some("id", "1", "1", "1", "1", "2", "2", "", nil)
	some("n", number("5"), number("5.0"), number("50e-1"), "7", number("5.5"), nil)
	some("d", number("1.5"), number("1234.50"), number("99999"), number("0.001"), "x")
	some("m", item{"s": "deep"}, item{}, "flat")
	some("tags", set{"b", "a", "c"}, set{"z"}, []any{}, []any{"p", nil}, nil, nil)
	if rapid.Bool().Draw(t, "lines") {
		lines := []any{}
		for range rapid.IntRange(0, 4).Draw(t, "count") {
			line := item{"sku": rapid.SampledFrom([]any{"p", "q", "r", "s", "t"}).Draw(t, "sku")}
			if rapid.Bool().Draw(t, "has qty") {
				line["qty"] = rapid.SampledFrom([]any{number("1"), number("2"), "3", "bad", nil}).Draw(t, "qty")
			}
			lines = append(lines, line)
		}
		out["lines"] = lines
	}
	return out
}

// The oracle's words.

type oracleRow struct{ key, text string }

type oracleResult struct {
	rows []oracleRow
	bad  []pipeline.Reason // of the first row that is, any of which may be given
}

// textOf gives a value as a string column has it.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case string:
		return fmt.Sprintf("%q", v), true
	case number:
		return fmt.Sprintf("%q", string(v)), true
	}
	return "", false
}

// decimalOf gives a value as a decimal column has it.
func decimalOf(v any, digits, scale int) (string, bool) {
	text := ""
	switch v := v.(type) {
	case nil:
		return "null", true
	case string:
		text = v
	case number:
		text = string(v)
	default:
		return "", false
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return "", false
	}
	n := new(big.Rat).Mul(r, new(big.Rat).SetInt(power(scale)))
	return r.FloatString(scale), n.IsInt() && new(big.Int).Abs(n.Num()).Cmp(power(digits)) < 0
}

func wants(table string, it item) bool {
	switch table {
	case "lines", "tags":
		_, ok := it[table]
		return ok
	}
	kinds, isList := it["kind"].([]any)
	if !isList {
		kinds = []any{it["kind"]}
	}
	return slices.ContainsFunc(kinds, func(k any) bool {
		s, ok := k.(string)
		return ok && (s == "a" || strings.HasPrefix(s, "x"))
	})
}

// rowsOf unnests an image. lenient takes it as an old one.
func rowsOf(table string, it item, lenient bool) (out oracleResult) {
	add := func(keys []any, values ...string) {
		if len(out.bad) > 0 {
			return
		}
		if slices.Contains(values, "BAD") {
			out.bad = append(out.bad, pipeline.ReasonBadValue)
		}
		if slices.Contains(keys, nil) {
			if !lenient {
				out.bad = append(out.bad, pipeline.ReasonNullKey)
			}
			return
		}
		row := oracleRow{key: fmt.Sprintf("%q", keys), text: strings.Join(values, " ")}
		switch twice := slices.ContainsFunc(out.rows, func(r oracleRow) bool { return r.key == row.key }); {
		case !twice:
			out.rows = append(out.rows, row)
		case !lenient:
			out.bad = append(out.bad, pipeline.ReasonDuplicateKey)
		}
	}
	fit := func(text string, ok, null bool) string {
		switch {
		case ok:
			return text
		case null || lenient:
			return "null"
		default:
			return "BAD"
		}
	}
	id, _ := textOf(it["id"])
	elements := elementsOf(it[table])
	switch table {
	case "flat":
		n, ok := decimalOf(it["n"], 18, 0)
		n = fit(n, ok, false)
		d, ok := decimalOf(it["d"], 6, 2)
		s := "null"
		if m, isMap := it["m"].(item); isMap && m["s"] != nil {
			s, _ = textOf(m["s"])
		}
		add([]any{it["id"]}, id, n, fit(d, ok, true), s)
	case "lines":
		for _, e := range elements {
			line := e.(item)
			sku, _ := textOf(line["sku"])
			qty, ok := decimalOf(line["qty"], 18, 0)
			add([]any{it["id"], line["sku"]}, sku, id, fit(qty, ok, false))
		}
	case "tags":
		for i, e := range elements {
			tag, _ := textOf(e)
			add([]any{it["id"], i + 1}, id, tag, fmt.Sprint(i+1))
		}
		if len(elements) == 0 {
			add([]any{it["id"], 0}, id, "null", "0")
		}
	}
	return out
}

func elementsOf(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case set:
		var out []any
		for _, s := range slices.Sorted(slices.Values(v)) {
			out = append(out, s)
		}
		return out
	}
	return nil
}

type oracleChange struct {
	event    string
	old, new item // nil = none
}

// expect adds what a change gives to the tables and the dead letters.
func expect(at int, c oracleChange, deletes map[string]bool, unmatched string, tables map[string][]string, reasons map[int][]pipeline.Reason) {
	image := c.new
	if c.event == "REMOVE" {
		image = c.old
	}
	matched := image == nil
	result := map[string][]string{}
	var bad []pipeline.Reason
	for _, table := range []string{"flat", "lines", "tags"} {
		matched = matched || wants(table, image)
		var now oracleResult
		if c.new != nil && wants(table, c.new) {
			now = rowsOf(table, c.new, false)
		}
		bad = append(bad, now.bad...)
		if deletes[table] && c.old != nil && wants(table, c.old) {
			for _, r := range rowsOf(table, c.old, true).rows {
				if !slices.ContainsFunc(now.rows, func(n oracleRow) bool { return n.key == r.key }) {
					result[table] = append(result[table], fmt.Sprintf("%d delete %s", at, r.text))
				}
			}
		}
		for _, r := range now.rows {
			result[table] = append(result[table], fmt.Sprintf("%d upsert %s", at, r.text))
		}
	}
	if !matched && unmatched == unmatchedDeadLetter {
		bad = []pipeline.Reason{pipeline.ReasonUnmatched}
	}
	if len(bad) > 0 {
		reasons[at] = bad
		return
	}
	for table, rows := range result {
		tables[table] = append(tables[table], rows...)
	}
}

func drawChange(t *rapid.T) (oracleChange, string) {
	c := oracleChange{event: rapid.SampledFrom([]string{"INSERT", "MODIFY", "MODIFY", "REMOVE"}).Draw(t, "event")}
	newText, oldText := "", ""
	if c.event != "REMOVE" {
		c.new = drawItem(t)
		newText = encodeItem(t, c.new)
	}
	if c.event != "INSERT" && rapid.IntRange(0, 4).Draw(t, "old image") > 0 {
		c.old = drawItem(t)
		if oldText = encodeItem(t, c.old); oldText == "{}" {
			c.old, oldText = nil, "" // to the decoder, an empty old image is none
		}
	}
	return c, change(c.event, newText, oldText)
}

func TestAgainstTheOracle(t *testing.T) {
	compiledFor := map[string]*Unnest{}
	for _, unmatched := range []string{unmatchedDeadLetter, unmatchedIgnore} {
		compiledFor[unmatched] = compiled(t, oracleTables+unmatched)
	}
	rapid.Check(t, func(t *rapid.T) {
		unmatched := rapid.SampledFrom([]string{unmatchedDeadLetter, unmatchedIgnore}).Draw(t, "unmatched")
		u := compiledFor[unmatched]
		needs := everything(u)
		for _, table := range []string{"flat", "lines", "tags"} {
			needs.Deletes[table] = rapid.Bool().Draw(t, "deletes of "+table)
		}
		tables, reasons := map[string][]string{}, map[int][]pipeline.Reason{}
		var lines []string
		for i := range rapid.IntRange(1, 12).Draw(t, "records") {
			c, text := drawChange(t)
			lines = append(lines, text)
			expect(i, c, needs.Deletes, unmatched, tables, reasons)
		}
		compareWithOracle(t, u, needs, lines, rapid.IntRange(1, len(lines)).Draw(t, "batch"), tables, reasons)
	})
}

// compareWithOracle maps the lines in batches of a size.
func compareWithOracle(t *rapid.T, u *Unnest, needs pipeline.Needs, lines []string, size int, tables map[string][]string, reasons map[int][]pipeline.Reason) {
	m := u.NewMapper(needs)
	all := records(cdcFormat, lines...)
	got, gotReasons := map[string][]string{}, map[int]pipeline.Reason{}
	for from := 0; from < len(lines); from += size {
		b, err := m.Map(t.Context(), all.Slice(from, min(from+size, len(lines))))
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"flat", "lines", "tags"} {
			for _, row := range dump(b, table) {
				at, rest, _ := strings.Cut(row, " ")
				var n int
				fmt.Sscan(at, &n)
				got[table] = append(got[table], fmt.Sprintf("%d %s", from+n, rest))
			}
		}
		for _, d := range b.DeadLetters {
			gotReasons[int(d.Pos.Line-1)] = d.Reason
		}
		b.Release()
	}
	for _, table := range []string{"flat", "lines", "tags"} {
		if !slices.Equal(got[table], tables[table]) {
			t.Fatalf("table %s of\n%s\n got %q\nwant %q", table, strings.Join(lines, "\n"), got[table], tables[table])
		}
	}
	for i := range lines {
		want, bad := reasons[i]
		if r, ok := gotReasons[i]; ok != bad || bad && !slices.Contains(want, r) {
			t.Fatalf("%s: dead letter %q, want one of %q", lines[i], r, want)
		}
	}
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
