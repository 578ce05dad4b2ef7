package calendar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// yearsMax bounds a calendar.
const yearsMax = 400

// Calendar is a range of days, both ends included, and the month in which fiscal
// years start. It is read-only, so many goroutines may use it at once.
type Calendar struct {
	first, last int32
	fiscalStart int32 // 1 to 12
}

// New returns the calendar of the days from the first to the last, written as
// 2006-01-02; fiscalYearStarts is a month's English name in lower case. The error
// joins all mistakes.
func New(from, to, fiscalYearStarts string) (*Calendar, error) {
	start := slices.Index(monthNames[:], fiscalYearStarts) + 1
	first, errFirst := parseDay(from)
	last, errLast := parseDay(to)
	mistakes := []error{errFirst, errLast}
	if start == 0 {
		mistakes = append(mistakes, fmt.Errorf("unknown month %q: a fiscal year starts in one of %s", fiscalYearStarts, strings.Join(monthNames[:], ", ")))
	}
	if errFirst == nil && errLast == nil {
		switch {
		case last.Before(first):
			mistakes = append(mistakes, fmt.Errorf("first day %s is after the last, %s: exchange them", from, to))
		case !last.Before(first.AddDate(yearsMax, 0, 0)):
			mistakes = append(mistakes, fmt.Errorf("calendar from %s to %s has more than %d years: choose nearer days", from, to, yearsMax))
		}
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return &Calendar{first: days(first), last: days(last), fiscalStart: int32(start)}, nil
}

func parseDay(text string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return t, fmt.Errorf("bad day %q: write one that exists, as YYYY-MM-DD", text)
	}
	return t, nil
}

func days(t time.Time) int32 { return int32(t.Unix() / (24 * 60 * 60)) }

// First returns the first day, in days since 1970-01-01.
func (c *Calendar) First() int32 { return c.first }

// Last returns the last day, in days since 1970-01-01.
func (c *Calendar) Last() int32 { return c.last }

// Has reports whether the day is one of the calendar's.
func (c *Calendar) Has(day int32) bool { return c.first <= day && day <= c.last }

// Columns returns the columns of a calendar's table; surrogateKey is the name of
// the first.
func Columns(surrogateKey string) []pipeline.Column {
	columns := []pipeline.Column{{Name: surrogateKey, Type: pipeline.Type{Kind: pipeline.Int64}}}
	for _, c := range [...]struct {
		name string
		kind pipeline.Kind
	}{
		{"date", pipeline.Date},
		{"year", pipeline.Int64},
		{"quarter", pipeline.Int64},
		{"month", pipeline.Int64},
		{"month_name", pipeline.String},
		{"iso_week", pipeline.Int64},
		{"day", pipeline.Int64},
		{"day_of_week", pipeline.Int64},
		{"day_name", pipeline.String},
		{"fiscal_year", pipeline.Int64},
		{"fiscal_quarter", pipeline.Int64},
		{"is_weekend", pipeline.Bool},
	} {
		columns = append(columns, pipeline.Column{Name: c.name, Type: pipeline.Type{Kind: c.kind}})
	}
	return columns
}

// row gathers the packed values of a day in one piece of memory.
type row struct {
	values [][]byte
	memory []byte
}

// rowBytes is what the values of a row take, at most.
const rowBytes = 9*8 + 4 + 1 + 2*(1+len("wednesday"))

func (r *row) number(v int32) {
	at := len(r.memory)
	r.memory = binary.LittleEndian.AppendUint64(r.memory, uint64(v))
	r.add(at)
}

func (r *row) text(name string) {
	at := len(r.memory)
	r.memory = append(binary.AppendUvarint(r.memory, uint64(len(name))), name...)
	r.memory[at+1] -= 'a' - 'A' // names start with a capital letter
	r.add(at)
}

func (r *row) add(at int) {
	r.values = append(r.values, r.memory[at:len(r.memory):len(r.memory)])
}

// AppendValues appends the packed values of the day's row, in the order of
// Columns; none is null. The caller owns them. It is for days that the calendar
// has.
func (c *Calendar) AppendValues(values [][]byte, day int32) [][]byte {
	year, month, dayOfMonth := civil(day)
	weekday := weekday(day)
	fiscalYear := year
	if c.fiscalStart > 1 && month >= c.fiscalStart {
		fiscalYear++
	}
	r := row{values: values, memory: make([]byte, 0, rowBytes)}
	r.number(key(year, month, dayOfMonth))
	at := len(r.memory)
	r.memory = binary.LittleEndian.AppendUint32(r.memory, uint32(day))
	r.add(at)
	r.number(year)
	r.number((month-1)/3 + 1)
	r.number(month)
	r.text(monthNames[month-1])
	r.number(isoWeek(day))
	r.number(dayOfMonth)
	r.number(weekday)
	r.text(dayNames[weekday-1])
	r.number(fiscalYear)
	r.number((month-c.fiscalStart+12)%12/3 + 1)
	at = len(r.memory)
	weekend := byte(0)
	if weekday >= 6 {
		weekend = 1
	}
	r.memory = append(r.memory, weekend)
	r.add(at)
	return r.values
}
