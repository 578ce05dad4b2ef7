package draft

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
)

// columnType is the type of a column, as a pipeline file says it.
type columnType struct {
	name   string // empty = string
	format string
	note   string // what was guessed; empty = nothing was
}

// yaml returns the keys of the column that say it.
func (t columnType) yaml() (keys []string) {
	if t.name != "" {
		keys = append(keys, "type: "+quote(t.name))
	}
	if t.format != "" {
		keys = append(keys, "format: "+quote(t.format))
	}
	return keys
}

// typeOf returns the type that all of these values of the attribute fit; nulls are none.
func typeOf(name string, values []*value) columnType {
	kinds := map[kind]bool{}
	var texts []string
	for _, v := range values {
		if v.kind != null {
			kinds[v.kind] = true
			texts = append(texts, v.text)
		}
	}
	is := func(only ...kind) bool {
		for k := range kinds {
			if !slices.Contains(only, k) {
				return false
			}
		}
		return len(kinds) > 0
	}
	switch {
	case len(kinds) == 0:
		return columnType{note: "no value was seen"}
	case is(boolean):
		return columnType{name: "bool"}
	case is(binaryData):
		return columnType{name: "binary"}
	case is(number):
		return typeOfNumbers(name, texts)
	case is(text):
		return typeOfTexts(name, texts)
	case is(list, textSet, numberSet, binarySet):
		return typeOfLists(name, values)
	case is(number, text) && all(texts, isNumber):
		t := typeOfNumbers(name, texts)
		t.note = "some are texts"
		return t
	case is(number, text, boolean):
		return columnType{note: "of several types"}
	}
	return columnType{name: "json"}
}

// has reports whether a pipeline file may have a type.
func has(name string) bool {
	_, err := pipeline.ParseType(name)
	return err == nil
}

// typeOfLists returns the type of lists of scalars.
func typeOfLists(name string, values []*value) columnType {
	var elements []*value
	for _, v := range values {
		elements = append(elements, v.elements...)
	}
	t := typeOf(name, elements)
	if t.name == "" {
		t.name = "string"
	}
	if list := "list(" + t.name + ")"; t.name != "json" && t.format == "" && has(list) {
		return columnType{name: list, note: t.note}
	}
	return columnType{name: "json"}
}

func all(texts []string, is func(string) bool) bool {
	return len(texts) > 0 && !slices.ContainsFunc(texts, func(t string) bool { return !is(t) })
}

var (
	numberText = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
	uuidText   = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	// timeName is what attributes are called that are times.
	timeName = regexp.MustCompile(`(?i)(time|date|timestamp|ttl|expir|created|updated|modified|changed|_at$|epoch|since|until)|[a-z]At$|_ct$|_md$`)
	// amountName is what attributes are called whose texts are numbers.
	amountName = regexp.MustCompile(`(?i)(amount|price|cost|total|quantity|qty|count|balance|rate|percent|score|downloads|sum|fee)`)
)

func isNumber(s string) bool { return numberText.MatchString(s) }

// The seconds and milliseconds of the years 2001 to 2100, which numbers of times are within.
const (
	secondsMin = 978_307_200
	secondsMax = 4_102_444_800
)

// typeOfNumbers returns the type of numbers.
func typeOfNumbers(name string, texts []string) columnType {
	digits, scale, low, high := 0, 0, math.Inf(1), math.Inf(-1)
	for _, t := range texts {
		t = strings.TrimPrefix(t, "+")
		f, err := strconv.ParseFloat(t, 64)
		if err != nil {
			return columnType{note: "some are no numbers"}
		}
		low, high = min(low, f), max(high, f)
		if !isNumber(t) {
			return columnType{name: "double"}
		}
		whole, fraction, _ := strings.Cut(strings.TrimPrefix(t, "-"), ".")
		digits, scale = max(digits, len(whole)), max(scale, len(strings.TrimRight(fraction, "0")))
	}
	switch {
	case scale == 0 && timeName.MatchString(name) && low >= secondsMin && high < secondsMax:
		return columnType{name: moment(), format: "unix", note: "taken for seconds since 1970"}
	case scale == 0 && timeName.MatchString(name) && low >= secondsMin*1000 && high < secondsMax*1000:
		return columnType{name: moment(), format: "unix_ms", note: "taken for milliseconds since 1970"}
	case scale == 0 && digits <= 18:
		return columnType{name: "int64"}
	case scale > 6 || digits+scale > 34:
		return columnType{name: "double"}
	}
	return columnType{name: decimalOf(digits, scale)}
}

// moment is the type of what is a moment wherever one is: seconds since 1970, or with an offset.
func moment() string {
	if has("timestamptz") {
		return "timestamptz"
	}
	return "timestamp"
}

// decimalOf returns a decimal with room for greater numbers.
func decimalOf(digits, scale int) string {
	for _, precision := range []int{10, 12, 18, 38} {
		if scale = max(scale, 2); precision-scale >= digits+3 || precision == 38 {
			return fmt.Sprintf("decimal(%d,%d)", precision, scale)
		}
	}
	return "double"
}

// layouts are those of times that are not in RFC 3339.
var layouts = []string{"2006-01-02T15:04-0700", "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05.000-0700", "2006-01-02 15:04:05", "2006-01-02 15:04", "20060102T150405Z", "2006/01/02 15:04:05", "Jan 2 2006", "Jan 2, 2006", "2 Jan 2006", "2006-01", "2006/01/02", "02.01.2006", "20060102"}

// typeOfTexts returns the type of texts.
func typeOfTexts(name string, texts []string) columnType {
	switch {
	case all(texts, isDate):
		return columnType{name: "date"}
	case all(texts, isTime):
		return columnType{name: "timestamp"}
	case all(texts, uuidText.MatchString) && has("uuid"):
		return columnType{name: "uuid"}
	case all(texts, func(t string) bool { return t == "true" || t == "false" }):
		return columnType{name: "bool", note: "texts"}
	case all(texts, isNumber) && timeName.MatchString(name) && typeOfNumbers(name, texts).format != "":
		return typeOfNumbers(name, texts)
	case all(texts, isNumber) && amountName.MatchString(name):
		t := typeOfNumbers(name, texts)
		t.note = "texts"
		return t
	case all(texts, isNumber):
		return columnType{note: "all are numbers, left as texts: they may be codes"}
	case all(texts, slashes.MatchString):
		return typeOfSlashes(texts)
	}
	for _, layout := range layouts {
		if all(texts, func(t string) bool { _, reason := datetime.ParseLayout([]byte(t), layout); return reason == "" }) && len(layout) > 8 {
			return typeOfLayout(layout)
		}
	}
	return columnType{}
}

func typeOfLayout(layout string) columnType {
	if !strings.Contains(layout, "15") {
		return columnType{name: "date", format: layout}
	}
	if strings.Contains(layout, "-0700") {
		return columnType{name: moment(), format: layout}
	}
	return columnType{name: "timestamp", format: layout}
}

func isDate(t string) bool {
	_, reason := datetime.ParseDate([]byte(t))
	return reason == "" && len(t) == len("2006-01-02")
}

func isTime(t string) bool {
	_, reason := datetime.ParseTime([]byte(t))
	return reason == ""
}

// slashes are dates that may begin with the day or the month.
var slashes = regexp.MustCompile(`^([0-9]{1,2})/([0-9]{1,2})/[0-9]{4}$`)

func typeOfSlashes(texts []string) columnType {
	day, month := false, false
	for _, t := range texts {
		m := slashes.FindStringSubmatch(t)
		first, err1 := strconv.Atoi(m[1])
		second, err2 := strconv.Atoi(m[2])
		day, month = day || err1 == nil && first > 12, month || err2 == nil && second > 12
	}
	switch {
	case day && !month:
		return columnType{name: "date", format: "2/1/2006"}
	case month && !day:
		return columnType{name: "date", format: "1/2/2006"}
	}
	return columnType{note: "dates, with the day or the month first: say type: date and format: 2/1/2006 or 1/2/2006"}
}
