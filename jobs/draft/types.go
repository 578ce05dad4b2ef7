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
	name    string // empty = string
	format  string
	onError string // empty = dead_letter
	note    string // what was guessed; empty = nothing was
}

// yaml returns the keys of the column that say it.
func (t columnType) yaml() (keys []string) {
	if t.name != "" {
		keys = append(keys, "type: "+quote(t.name))
	}
	if t.format != "" {
		keys = append(keys, "format: "+quote(t.format))
	}
	if t.onError != "" {
		keys = append(keys, "on_error: "+quote(t.onError))
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
		t.note = joinNotes(t.note, "some are texts")
		return t
	case is(number, text, boolean):
		return columnType{note: "of several types"}
	}
	return columnType{name: "json"}
}

func joinNotes(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; ")
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
	offset     = regexp.MustCompile(`(Z|z|[+-][0-9]{2}:?[0-9]{2})$`)
	// timeName is what attributes are called that are times.
	timeName = regexp.MustCompile(`(?i)(time|date|timestamp|ttl|expir|created|updated|modified|changed|_at$|epoch|since|until|month|day|seen|login|logout|visit|posted|sent_?on|deadline|birth|(last|start|end)(ed)?$)|^(last|start|end|sent|due)(_|[A-Z]|$)|[a-z]At$|_ct$|_md$`)
	// moneyName is what attributes are called that are amounts of money, and countName those that
	// count.
	moneyName = regexp.MustCompile(`(?i)(amount|price|cost|total|balance|fee$|fees$|tax|discount|salary|revenue)`)
	countName = regexp.MustCompile(`(?i)(quantity|qty|count|units|sold|downloads|views|likes|visits|items|score|rating|days|months|percent|pct|rate)`)
	// identifierName is what attributes are called that identify, even where their values count.
	identifierName = regexp.MustCompile(`(?i)(id|key|code|number|nr|no|zip|phone|version_?tag)$|zip|phone|postal|postcode`)
	// flagName is what attributes are called that say yes or no.
	flagName = regexp.MustCompile(`^(?i:is|has|can)(_|[A-Z])`)
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
	case scale == 0 && digits <= 18 && moneyName.MatchString(name) && !countName.MatchString(name):
		return columnType{name: decimalOf(digits, scale), note: "whole numbers so far"}
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

// layouts are those of times that are not in RFC 3339, and shortLayouts those of dates that only a
// name tells from other texts.
var (
	layouts      = []string{"2006-01-02T15:04-0700", "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05.000-0700", "2006-01-02 15:04:05", "2006-01-02 15:04", "20060102T150405Z", "2006/01/02 15:04:05", "Jan 2 2006", "Jan 2, 2006", "2 Jan 2006", "2006/01/02", "02.01.2006"}
	shortLayouts = []string{"2006-01", "01-2006", "01/2006", "20060102"}
)

// placeholders are texts that stand for no value.
var placeholders = []string{"", "#", "-", "?", "n/a", "N/A", "NA", "null", "NULL", "none", "None", "undefined"}

// typeOfTexts returns the type of texts; those that stand for no value don't count where the
// others are no texts.
func typeOfTexts(name string, texts []string) columnType {
	some := slices.DeleteFunc(slices.Clone(texts), func(t string) bool { return slices.Contains(placeholders, t) })
	if len(some) == 0 || len(some) == len(texts) {
		return typeOfValues(name, texts)
	}
	t := typeOfValues(name, some)
	if t.name == "" {
		return columnType{}
	}
	t.onError = "null"
	t.note = joinNotes(t.note, fmt.Sprintf("%d of %d stand for no value, as %q", len(texts)-len(some), len(texts), texts[slices.IndexFunc(texts, func(t string) bool { return slices.Contains(placeholders, t) })]))
	return t
}

func typeOfValues(name string, texts []string) columnType {
	switch {
	case all(texts, isDate):
		return columnType{name: "date"}
	case all(texts, isTime) && all(texts, offset.MatchString):
		return columnType{name: moment()}
	case all(texts, isTime):
		return columnType{name: "timestamp"}
	case all(texts, uuidText.MatchString) && has("uuid"):
		return columnType{name: "uuid"}
	case all(texts, func(t string) bool { return t == "true" || t == "false" }):
		return columnType{name: "bool", note: "texts"}
	case all(texts, isNumber):
		return typeOfDigits(name, texts)
	case all(texts, slashes.MatchString):
		return typeOfSlashes(texts)
	}
	all := slices.Clone(layouts)
	if timeName.MatchString(name) {
		all = append(all, shortLayouts...)
	}
	for _, layout := range all {
		if isLayout(texts, layout) {
			return typeOfLayout(layout)
		}
	}
	return columnType{}
}

func isLayout(texts []string, layout string) bool {
	return all(texts, func(t string) bool { _, reason := datetime.ParseLayout([]byte(t), layout); return reason == "" })
}

// typeOfDigits returns the type of texts that are all numbers.
func typeOfDigits(name string, texts []string) columnType {
	t := typeOfNumbers(name, texts)
	switch {
	case t.format != "":
		return t
	case flagName.MatchString(name) && all(texts, func(t string) bool { return t == "0" || t == "1" }):
		return columnType{name: "bool", note: "texts, 0 and 1"}
	case moneyName.MatchString(name), countName.MatchString(name), slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, ".") }),
		!identifierName.MatchString(name) && isCount(texts):
		t.note = joinNotes(t.note, "texts")
		return t
	}
	return columnType{note: "digits, left as text"}
}

// isCount reports whether numbers count from 0 or 1: most of them up to the greatest are there.
func isCount(texts []string) bool {
	distinct, high, low := map[string]bool{}, 0, 2
	for _, t := range texts {
		n, err := strconv.Atoi(t)
		if err != nil {
			return false
		}
		distinct[t] = true
		high, low = max(high, n), min(low, n)
	}
	return low >= 0 && low < 2 && high > 1 && len(distinct)*2 > high
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

// slashes are dates, or times, that may begin with the day or the month.
var slashes = regexp.MustCompile(`^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}|[0-9]{2})( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?$`)

func typeOfSlashes(texts []string) columnType {
	day, month := false, false
	for _, t := range texts {
		m := slashes.FindStringSubmatch(t)
		first, err1 := strconv.Atoi(m[1])
		second, err2 := strconv.Atoi(m[2])
		day, month = day || err1 == nil && first > 12, month || err2 == nil && second > 12
	}
	m := slashes.FindStringSubmatch(texts[0])
	rest := "/2006"[:len(m[3])+1]
	if len(m[3]) == 2 {
		rest = "/06"
	}
	rest += map[int]string{0: "", 1: " 15:04", 2: " 15:04:05"}[strings.Count(m[4], ":")]
	t := columnType{name: "date"}
	if m[4] != "" {
		t.name = "timestamp"
	}
	switch {
	case day && month:
		return columnType{}
	case !day && !month:
		return columnType{note: fmt.Sprintf("dates, with the day or the month first: say type: %s and format: 2/1%s or 1/2%s", t.name, rest, rest)}
	case day:
		t.format = "2/1" + rest
	default:
		t.format = "1/2" + rest
	}
	if !isLayout(texts, t.format) {
		return columnType{}
	}
	return t
}
