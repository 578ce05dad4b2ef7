package oracle

import (
	"fmt"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/transforms/star"
)

// days returns the rows of a calendar, by date.
func days(d *star.DimensionConfig) Rows {
	rows := Rows{Unknown: Row{}}
	first, last := day(d.Calendar.From), day(d.Calendar.To)
	for at := first; !at.After(last); at = at.AddDate(0, 0, 1) {
		rows[at.Format(time.DateOnly)] = dayRow(at, startMonth(d.Calendar.FiscalYearStarts))
	}
	return rows
}

func day(s string) time.Time {
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return at
}

// startMonth returns the month of a name in lower case; January of none.
func startMonth(name string) time.Month {
	for m := time.January; m <= time.December; m++ {
		if strings.ToLower(m.String()) == name {
			return m
		}
	}
	return time.January
}

func dayRow(at time.Time, fiscalStart time.Month) Row {
	_, week := at.ISOWeek()
	month := int(at.Month())
	weekday := (int(at.Weekday()) + 6) % 7
	// Months since the fiscal year began; it has the number of the year it ends in.
	into := (month - int(fiscalStart) + 12) % 12
	fiscalYear := at.AddDate(0, -into+11, 1-at.Day()).Year()
	return Row{
		"date": at.Format(time.DateOnly), "year": fmt.Sprint(at.Year()), "quarter": fmt.Sprint((month-1)/3 + 1),
		"month": fmt.Sprint(month), "month_name": at.Month().String(), "iso_week": fmt.Sprint(week), "day": fmt.Sprint(at.Day()),
		"day_of_week": fmt.Sprint(weekday + 1), "day_name": at.Weekday().String(),
		"fiscal_year": fmt.Sprint(fiscalYear), "fiscal_quarter": fmt.Sprint(into/3 + 1), "is_weekend": fmt.Sprint(weekday >= 5),
	}
}
