package conformance

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

func changesCase(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	h.put(Row{insert, 1, "a"}, Row{insert, 2, "b"}, Row{insert, 3, ""})
	h.put(Row{update, 1, "A"}, Row{remove, 2, ""}, Row{insert, 4, "d"})
	h.want("1|A", "3|null", "4|d")
	h.same(h.db.Select(t, warehouse.EpochsTable, "job", "status", "rows", "epoch", "pipeline", "state_id", "sink", "started_at"),
		"shop.warehouse|committed|3|1|shop|state-1|warehouse|2001-09-09 01:46:40", "shop.warehouse|committed|3|2|shop|state-1|warehouse|2001-09-09 01:46:40")
	if ended := h.db.Select(t, warehouse.EpochsTable, "ended_at"); ended[0] <= "2001-09-09 01:46:40" {
		t.Errorf("the first epoch ended at %s", ended[0])
	}
	if r := h.Prepare(); r.Payload != nil {
		t.Errorf("an epoch without rows publishes %s", r.Payload)
	}
	h.put(Row{update, 3, "c"})
	h.want("1|A", "3|c", "4|d")
	h.put(Row{remove, 1, ""}, Row{remove, 3, ""}, Row{remove, 4, ""})
	h.want()
}

func decimalType(p, s int32) pipeline.Type {
	return pipeline.Type{Kind: pipeline.Decimal, Precision: p, Scale: s}
}

func typesCase(t *testing.T, target Target) {
	table := pipelinetest.TableOf(t, "every", []string{"k"}, pipelinetest.Column("k", pipeline.Int64), pipelinetest.Column("s", pipeline.String), pipelinetest.Column("b", pipeline.Bool),
		pipelinetest.Column("i", pipeline.Int64), pipelinetest.Column("f", pipeline.Double), pipeline.Column{Name: "d4", Type: decimalType(4, 1)}, pipeline.Column{Name: "d18", Type: decimalType(18, 0)},
		pipeline.Column{Name: "d38", Type: decimalType(38, 2)}, pipelinetest.Column("day", pipeline.Date), pipelinetest.Column("at", pipeline.Timestamp), pipelinetest.Column("bin", pipeline.Binary), pipelinetest.Column("doc", pipeline.JSONText))
	objects := []string{
		`{"k": 1, "s": "ü \" ' \\ \\N \t\n\r x 😀", "b": true, "i": 9223372036854775807, "f": 1.7976931348623157e308, "d4": "999.9", "d18": "999999999999999999", "d38": "999999999999999999999999999999999999.99", "day": "9999-12-31", "at": "9999-12-31T23:59:59.999999", "bin": "AP8=", "doc": "{\"a\": [1, \"\\\\ü\"]}"}`,
		`{"k": 2, "s": "", "b": false, "i": -9223372036854775808, "f": -0.1, "d4": "-999.9", "d18": "-999999999999999999", "d38": "-999999999999999999999999999999999999.99", "day": "0001-01-01", "at": "0001-01-01T00:00:00", "bin": "", "doc": "null"}`,
		`{"k": 3}`,
		`{"k": 4, "s": "\\", "i": 0, "f": 5e-324, "d4": "0", "d18": "1", "d38": "0.01", "day": "1970-01-01", "at": "1969-12-31T23:59:59.999999", "bin": "AA==", "doc": "\"\""}`,
	}
	want := []string{
		"1|ü \" ' \\ \\N \t\n\r x 😀|true|9223372036854775807|1.7976931348623157e+308|999.9|999999999999999999|999999999999999999999999999999999999.99|9999-12-31|9999-12-31 23:59:59.999999|00ff|{\"a\": [1, \"\\\\ü\"]}",
		"2||false|-9223372036854775808|-0.1|-999.9|-999999999999999999|-999999999999999999999999999999999999.99|0001-01-01|0001-01-01 00:00:00||null",
		"3|null|null|null|null|null|null|null|null|null|null|null",
		`4|\|null|0|5e-324|0.0|1|0.01|1970-01-01|1969-12-31 23:59:59.999999|00|""`,
	}
	h := newHarness(t, target, table)
	h.Prepare(pipelinetest.JSONRows(t, table, []pipeline.Op{insert, insert, insert, insert}, objects...))
	h.Commit()
	h.want(want...)
	// Each row becomes another's, and back: from nulls, to nulls.
	turned := make([]string, len(objects))
	for i := range objects {
		_, rest, _ := strings.Cut(objects[(i+1)%len(objects)], ":")
		if at := strings.IndexByte(rest, ','); at >= 0 {
			turned[i] = fmt.Sprintf(`{"k": %d%s`, i+1, rest[at:])
		} else {
			turned[i] = fmt.Sprintf(`{"k": %d}`, i+1)
		}
	}
	all := []pipeline.Op{update, update, update, update}
	h.Prepare(pipelinetest.JSONRows(t, table, all, turned...))
	h.Commit()
	got := h.rows(table)
	for i := range got {
		h.same([]string{got[i][1:]}, want[(i+1)%len(want)][1:])
	}
	h.Prepare(pipelinetest.JSONRows(t, table, all, objects...))
	h.Commit()
	h.want(want...)
}

// anyValuesCase writes drawn values of every type, and reads them again.
func anyValuesCase(t *testing.T, target Target) {
	columns := []pipeline.Column{pipelinetest.Column("k", pipeline.Int64), pipelinetest.Column("s", pipeline.String), pipelinetest.Column("f", pipeline.Double), pipelinetest.Column("day", pipeline.Date),
		pipelinetest.Column("at", pipeline.Timestamp), pipelinetest.Column("bin", pipeline.Binary), pipelinetest.Column("n", pipeline.Int32), pipelinetest.Column("tz", pipeline.TimestampTZ),
		pipelinetest.Column("u", pipeline.UUID), pipelinetest.Column("o", pipeline.Time)}
	for _, element := range []pipeline.Type{{Kind: pipeline.String}, {Kind: pipeline.Int32}, {Kind: pipeline.Double}, {Kind: pipeline.Date}, {Kind: pipeline.TimestampTZ}, {Kind: pipeline.UUID}, decimalType(12, 3)} {
		columns = append(columns, pipeline.Column{Name: fmt.Sprint("list ", element), Type: pipeline.ListOf(element)})
	}
	for _, d := range [][2]int32{{1, 0}, {1, 1}, {5, 2}, {9, 9}, {18, 3}, {19, 6}, {37, 5}, {38, 0}, {38, 1}, {38, 19}, {38, 37}, {38, 38}} {
		if target.ScaleMax != 0 && d[1] > target.ScaleMax {
			continue
		}
		columns = append(columns, pipeline.Column{Name: fmt.Sprintf("d%d_%d", d[0], d[1]), Type: decimalType(d[0], d[1])})
	}
	table := pipelinetest.TableOf(t, "any", []string{"k"}, columns...)
	h := newHarness(t, target, table)
	key := int64(0)
	if target.Cases != "" {
		Fewer(t, target.Cases)
	}
	rapid.Check(t, func(rt *rapid.T) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
		defer b.Release()
		n := rapid.IntRange(1, 30).Draw(rt, "rows")
		first := key
		var want []string
		for range n {
			key++
			b.Field(0).(*array.Int64Builder).Append(key)
			line := []string{fmt.Sprint(key)}
			for i := 1; i < len(columns); i++ {
				line = append(line, target.drawValue(rt, b.Field(i), columns[i]))
			}
			want = append(want, strings.Join(line, "|"))
		}
		rec := b.NewRecord()
		h.Prepare(&pipeline.Rows{Table: table, Record: rec, Ops: slices.Repeat([]pipeline.Op{insert}, n), Versions: make([]pipeline.Version, n)})
		h.Commit()
		h.same(h.rows(table)[first:], want...)
	})
}

// drawValue appends a value, and returns its text.
func (target *Target) drawValue(rt *rapid.T, b array.Builder, c pipeline.Column) string {
	if rapid.IntRange(0, 9).Draw(rt, "null") == 0 {
		b.AppendNull()
		return "null"
	}
	switch b := b.(type) {
	case *array.Int64Builder:
		n := rapid.Int32().Draw(rt, c.Name)
		b.Append(int64(n))
		return fmt.Sprint(n)
	case *array.StringBuilder:
		if c.Type.Kind == pipeline.List {
			text := target.drawList(rt, c)
			b.Append(text)
			return text
		}
		if text, ok := drawFormed(rt, c); ok {
			b.Append(text)
			return text
		}
		text := strings.ReplaceAll(rapid.String().Draw(rt, c.Name), "\x00", "")
		b.Append(text)
		return text
	case *array.BinaryBuilder:
		data := rapid.SliceOf(rapid.Byte()).Draw(rt, c.Name)
		b.Append(data)
		return fmt.Sprintf("%x", data)
	case *array.Float64Builder:
		// What all databases print alike: exponents they do not.
		f := float64(rapid.Int32().Draw(rt, c.Name)) / 8
		b.Append(f)
		return strconv.FormatFloat(f, 'f', -1, 64)
	case *array.Date32Builder:
		day := rapid.Int32Range(-719162, 2932896).Draw(rt, c.Name)
		b.Append(arrow.Date32(day))
		return time.Unix(int64(day)*86400, 0).UTC().Format("2006-01-02")
	case *array.TimestampBuilder:
		at := rapid.Int64Range(-719162*86400e6, 2932896*86400e6).Draw(rt, c.Name)
		b.Append(arrow.Timestamp(at))
		return time.UnixMicro(at).UTC().Format("2006-01-02 15:04:05.999999")
	case *array.Decimal128Builder:
		return drawDecimal(rt, b, c, c.Type.Precision == target.WordDigits)
	}
	panic(b)
}

// drawFormed draws a text of a type whose texts have a form.
func drawFormed(rt *rapid.T, c pipeline.Column) (text string, ok bool) {
	switch c.Type.Kind {
	case pipeline.UUID:
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, c.Name)
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), true
	case pipeline.Time:
		micros := rapid.Int64Range(0, 86_400e6-1).Draw(rt, c.Name)
		if rapid.Bool().Draw(rt, "whole") {
			micros -= micros % 1e6
		}
		return string(datetime.AppendTimeOfDay(nil, micros)), true
	}
	return "", false
}

// drawDecimal draws one of any number of digits; word says that it has to fit into 64 bits.
func drawDecimal(rt *rapid.T, b *array.Decimal128Builder, c pipeline.Column, word bool) string {
	digits := rapid.IntRange(0, int(c.Type.Precision)).Draw(rt, "digits")
	text := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), digits, digits, -1).Draw(rt, c.Name)
	n, ok := new(big.Int).SetString("0"+text, 10)
	if !ok {
		panic(text)
	}
	if word && !n.IsInt64() {
		n.SetInt64(math.MaxInt64)
	}
	sign := ""
	if rapid.Bool().Draw(rt, "negative") && n.Sign() > 0 {
		sign = "-"
	}
	v := decimal128.FromBigInt(n)
	if sign != "" {
		v = v.Negate()
	}
	b.Append(v)
	scale := int(c.Type.Scale)
	whole := fmt.Sprintf("%0*s", scale+1, n)
	if scale == 0 {
		return sign + whole
	}
	return sign + whole[:len(whole)-scale] + "." + whole[len(whole)-scale:]
}

func namesCase(t *testing.T, target Target) {
	weird := pipelinetest.TableOf(t, `sel"ect 'from' \ ü 😀`, []string{`we"ird`, "群"}, pipelinetest.Column("a'b", pipeline.Int64), pipelinetest.Column(`we"ird`, pipeline.String), pipelinetest.Column("群", pipeline.Int64),
		pipelinetest.Column(`tab	; DROP TABLE x; --`, pipeline.String), pipelinetest.Column("$1", pipeline.String))
	h := newHarness(t, target, weird)
	put := func(op pipeline.Op, object string) {
		h.Prepare(pipelinetest.JSONRows(t, weird, []pipeline.Op{op}, object))
		h.Commit()
	}
	put(insert, `{"a'b": 1, "we\"ird": "x", "群": 2, "$1": "$2"}`)
	put(insert, `{"a'b": 1, "we\"ird": "y", "群": 2}`)
	put(update, `{"a'b": 3, "we\"ird": "x", "群": 2, "tab\t; DROP TABLE x; --": "z"}`)
	put(remove, `{"we\"ird": "y", "群": 2}`)
	h.want("3|x|2|z|null")
}

func invalidValuesCase(t *testing.T, target Target) {
	for _, r := range append(target.Invalid, InvalidValue{pipeline.String, "a\xffb", "UTF-8"}) {
		table := pipelinetest.TableOf(t, "order", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("select", r.Kind))
		h := newHarness(t, target, table)
		e, err := h.Sink.Begin(1)
		h.Must(err)
		b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
		b.Field(0).(*array.Int64Builder).AppendValues([]int64{6, 7}, nil)
		b.Field(1).AppendNull()
		b.Field(1).(*array.StringBuilder).Append(r.Value)
		err = e.Write(nil, &pipeline.Rows{Table: table, Record: b.NewRecord(), Ops: []pipeline.Op{insert, insert}, Versions: make([]pipeline.Version, 2)})
		e.Abort()
		if err == nil || !strings.Contains(err.Error(), r.Want) || !strings.Contains(err.Error(), `column "select"`) {
			t.Errorf("%q: got error %v, want %s", r.Value, err, r.Want)
		}
	}
}

// keysCase is about rows that leave a key and come to another.
func keysCase(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	h.put(Row{insert, 1, "a"}, Row{insert, 2, "b"})
	h.put(Row{remove, 1, "a"}, Row{insert, 3, "a"}) // the row's key changes
	h.want("2|b", "3|a")
	h.put(Row{update, 2, "a"}, Row{update, 3, "b"}) // two rows change places
	h.want("2|a", "3|b")
	h.put(Row{insert, 1, "late"}) // a later change of a deleted key
	h.put(Row{update, 1, "later"}, Row{remove, 2, ""})
	h.want("1|later", "3|b")
	h.put(Row{remove, 1, ""}, Row{insert, 2, "again"})
	h.want("2|again", "3|b")

	only := pipelinetest.TableOf(t, "only", []string{"a", "b"}, pipelinetest.Column("a", pipeline.Int64), pipelinetest.Column("b", pipeline.String))
	h.Tables = []*pipeline.Table{only}
	h.Must(h.restart())
	h.Prepare(pipelinetest.JSONRows(t, only, []pipeline.Op{insert, insert}, `{"a": 1, "b": "x"}`, `{"a": 1, "b": "y"}`))
	h.Commit()
	h.Prepare(pipelinetest.JSONRows(t, only, []pipeline.Op{update, remove}, `{"a": 1, "b": "x"}`, `{"a": 1, "b": "y"}`))
	h.Commit()
	h.want("1|x")
}

// ddlCase makes the tables by what plan prints.
func ddlCase(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t), pipelinetest.TableOf(t, "every", []string{"s", "i"}, pipelinetest.Column("s", pipeline.String), pipelinetest.Column("i", pipeline.Int64), pipelinetest.Column("b", pipeline.Bool),
		pipelinetest.Column("f", pipeline.Double), pipeline.Column{Name: "d", Type: decimalType(7, 3)}, pipelinetest.Column("day", pipeline.Date), pipelinetest.Column("at", pipeline.Timestamp), pipelinetest.Column("bin", pipeline.Binary), pipelinetest.Column("doc", pipeline.JSONText)))
	h.Close()
	h.sql()
	h.db.DropSchema(t)
	sink, err := h.db.New("warehouse", h.faults)
	h.Must(err)
	h.exec("%s", sink.(interface {
		DDL(pipeline string, tables []*pipeline.Table) string
	}).DDL("test", h.Tables))
	h.Must(h.restart())
	h.put(Row{insert, 1, "a"})
	h.want("1|a")
}
