package calendar

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// at returns midnight of a day, by package time.
func at(day int32) time.Time { return time.Unix(int64(day)*86_400, 0).UTC() }

// dayOf returns the day of a date, by package time.
func dayOf(t *testing.T, date string) int32 {
	t.Helper()
	parsed, err := time.Parse(time.DateOnly, date)
	if err != nil {
		t.Fatal(err)
	}
	return int32(parsed.Unix() / 86_400)
}

// TestKeyEveryDay compares every day that a key can have with package time.
func TestKeyEveryDay(t *testing.T) {
	n := 0
	for day, last := dayOf(t, "0001-01-01"), dayOf(t, "9999-12-31"); day <= last; day++ {
		year, month, d := at(day).Date()
		want := int64(year*10_000 + int(month)*100 + d)
		if got := Key(day); got != want {
			t.Fatalf("the key of %s is %d", at(day).Format(time.DateOnly), got)
		}
		if got := Day(want); got != day {
			t.Fatalf("the day of %d is %d, want %d", want, got, day)
		}
		n++
	}
	if n != 3_652_059 {
		t.Fatalf("%d days", n)
	}
}

// record is a row; its fields are in the order of the columns.
type record struct {
	key, date, year, quarter, month int64
	monthName                       string
	week, day, dayOfWeek            int64
	dayName                         string
	fiscalYear, fiscalQuarter       int64
	weekend                         bool
}

// reference computes a row with package time alone.
func reference(day int32, fiscalStart time.Month) record {
	d := at(day)
	year, month, dayOfMonth := d.Date()
	_, week := d.ISOWeek()
	r := record{
		key: int64(year*10_000 + int(month)*100 + dayOfMonth), date: int64(day),
		year: int64(year), quarter: 1, month: int64(month), monthName: month.String(),
		week: int64(week), day: int64(dayOfMonth), dayOfWeek: int64(d.Weekday()), dayName: d.Weekday().String(),
		weekend: d.Weekday() == time.Saturday || d.Weekday() == time.Sunday, fiscalQuarter: 1,
	}
	if d.Weekday() == time.Sunday {
		r.dayOfWeek = 7
	}
	for r.quarter < 4 && !d.Before(time.Date(year, time.Month(3*r.quarter+1), 1, 0, 0, 0, 0, time.UTC)) {
		r.quarter++
	}
	// The fiscal year ends on the day before the next one starts.
	next := time.Date(year, fiscalStart, 1, 0, 0, 0, 0, time.UTC)
	if !next.After(d) {
		next = next.AddDate(1, 0, 0)
	}
	r.fiscalYear = int64(next.AddDate(0, 0, -1).Year())
	for !next.AddDate(-1, 3*int(r.fiscalQuarter), 0).After(d) {
		r.fiscalQuarter++
	}
	return r
}

// unpack reads packed values by hand.
func unpack(values [][]byte) record {
	number := func(i int) int64 { return int64(binary.LittleEndian.Uint64(values[i])) }
	text := func(i int) string { return string(values[i][1:]) }
	return record{
		number(0), int64(int32(binary.LittleEndian.Uint32(values[1]))), number(2), number(3), number(4), text(5),
		number(6), number(7), number(8), text(9), number(10), number(11), values[12][0] == 1,
	}
}

// texts reads packed values by the types of the columns.
func texts(t *testing.T, values [][]byte) []string {
	t.Helper()
	columns := Columns("date_key")
	if len(values) != len(columns) {
		t.Fatalf("%d values for %d columns", len(values), len(columns))
	}
	got := make([]string, len(columns))
	for i, c := range columns {
		b := packed.NewColumnBuilder(c.Type)
		if rest := b.Append(values[i]); len(rest) != 0 {
			t.Fatalf("%s has %d bytes too many", c.Name, len(rest))
		}
		switch a := b.NewArray().(type) {
		case *array.Date32:
			got[i] = a.Value(0).FormattedString()
		default:
			got[i] = a.ValueStr(0)
		}
	}
	return got
}

// TestRowsAgainstPackageTime walks through a whole cycle of the calendar, day by
// day for one month that fiscal years start in.
func TestRowsAgainstPackageTime(t *testing.T) {
	for start := time.January; start <= time.December; start++ {
		c, err := New("1801-01-01", "2200-12-31", strings.ToLower(start.String()))
		if err != nil {
			t.Fatal(err)
		}
		var values [][]byte
		step := int32(11) // comes to all days of weeks, months and years
		if start == time.April {
			step = 1
		}
		for day := c.First(); day <= c.Last(); day += step {
			values = c.AppendValues(values[:0], day)
			if got, want := unpack(values), reference(day, start); got != want {
				t.Fatalf("years starting in %s:\ngot  %+v\nwant %+v", start, got, want)
			}
		}
	}
}

func TestRow(t *testing.T) {
	for _, test := range []struct{ start, date, want string }{
		{"january", "2024-02-29", "20240229 2024-02-29 2024 1 2 February 9 29 4 Thursday 2024 1 false"},
		{"april", "2024-03-31", "20240331 2024-03-31 2024 1 3 March 13 31 7 Sunday 2024 4 true"},
		{"april", "2024-04-01", "20240401 2024-04-01 2024 2 4 April 14 1 1 Monday 2025 1 false"},
		{"october", "2023-12-31", "20231231 2023-12-31 2023 4 12 December 52 31 7 Sunday 2024 1 true"},
		{"december", "2020-12-31", "20201231 2020-12-31 2020 4 12 December 53 31 4 Thursday 2021 1 false"},
		{"february", "2021-01-01", "20210101 2021-01-01 2021 1 1 January 53 1 5 Friday 2021 4 false"},
		{"february", "2022-01-03", "20220103 2022-01-03 2022 1 1 January 1 3 1 Monday 2022 4 false"},
		{"july", "1900-02-28", "19000228 1900-02-28 1900 1 2 February 9 28 3 Wednesday 1900 3 false"},
		{"july", "0001-01-01", "10101 0001-01-01 1 1 1 January 1 1 1 Monday 1 3 false"},
		{"july", "9999-12-31", "99991231 9999-12-31 9999 4 12 December 52 31 5 Friday 10000 2 false"},
	} {
		c, err := New(test.date, test.date, test.start)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(texts(t, c.AppendValues(nil, c.First())), " "); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestValuesAreSeparate(t *testing.T) {
	c, err := New("2024-01-01", "2024-01-01", "january")
	if err != nil {
		t.Fatal(err)
	}
	kept := [][]byte{[]byte("kept")}
	values := c.AppendValues(kept, c.First())
	if string(values[0]) != "kept" {
		t.Errorf("the values before the row are %q", values[0])
	}
	want := texts(t, values[1:])
	for _, v := range values[1:] {
		_ = append(v, 0xff)
	}
	if diff := cmp.Diff(want, texts(t, values[1:])); diff != "" {
		t.Errorf("appending to a value changes others (-want +got):\n%s", diff)
	}
}

func TestColumns(t *testing.T) {
	integer, text := pipeline.Type{Kind: pipeline.Int64}, pipeline.Type{Kind: pipeline.String}
	want := []pipeline.Column{
		{Name: "day_key", Type: integer}, {Name: "date", Type: pipeline.Type{Kind: pipeline.Date}},
		{Name: "year", Type: integer}, {Name: "quarter", Type: integer}, {Name: "month", Type: integer},
		{Name: "month_name", Type: text}, {Name: "iso_week", Type: integer}, {Name: "day", Type: integer},
		{Name: "day_of_week", Type: integer}, {Name: "day_name", Type: text}, {Name: "fiscal_year", Type: integer},
		{Name: "fiscal_quarter", Type: integer}, {Name: "is_weekend", Type: pipeline.Type{Kind: pipeline.Bool}},
	}
	if diff := cmp.Diff(want, Columns("day_key")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNew(t *testing.T) {
	c, err := New("2010-01-01", "2035-12-31", "april")
	if err != nil {
		t.Fatal(err)
	}
	first, last := dayOf(t, "2010-01-01"), dayOf(t, "2035-12-31")
	if c.First() != first || c.Last() != last {
		t.Errorf("from %d to %d, want %d to %d", c.First(), c.Last(), first, last)
	}
	for day, want := range map[int32]bool{first - 1: false, first: true, 20_000: true, last: true, last + 1: false, -1 << 31: false, 1<<31 - 1: false} {
		if c.Has(day) != want {
			t.Errorf("Has(%d) is %t", day, !want)
		}
	}
	if _, err := New("2000-01-01", "2399-12-31", "january"); err != nil {
		t.Errorf("400 years: %v", err)
	}
}

func TestNewMistakes(t *testing.T) {
	for _, test := range []struct {
		from, to, start string
		want            []string
	}{
		{"2010-02-30", "2011-01-01", "january", []string{`bad day "2010-02-30": write one that exists, as YYYY-MM-DD`}},
		{"2010-1-1", "x", "", []string{`bad day "2010-1-1"`, `bad day "x"`, `unknown month "": a fiscal year starts in one of january, february`}},
		{"0000-01-01", "0001-01-01", "january", []string{`bad day "0000-01-01"`}},
		{"2010-01-02", "2010-01-01", "March", []string{`unknown month "March"`, "first day 2010-01-02 is after the last, 2010-01-01"}},
		{"2000-01-01", "2400-01-01", "january", []string{"calendar from 2000-01-01 to 2400-01-01 has more than 400 years"}},
	} {
		c, err := New(test.from, test.to, test.start)
		if err == nil || c != nil {
			t.Errorf("%s to %s: no error", test.from, test.to)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(test.want) {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
			continue
		}
		for i, line := range lines {
			if !strings.HasPrefix(line, test.want[i]) {
				t.Errorf("got %s, want %s", line, test.want[i])
			}
		}
	}
}

func BenchmarkKey(b *testing.B) {
	day := int32(0)
	for b.Loop() {
		if Key(day) == 0 {
			b.Fatal("no key")
		}
		day = (day + 1) & 0x7fff
	}
}
