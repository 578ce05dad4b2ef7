package spec

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// inner is embedded.
type inner struct {
	Deep string `yaml:"deep" default:"down"`
}

type everything struct {
	inner
	Text     string            `yaml:"text" default:"a b"`
	Word     string            `yaml:"word" pattern:"^[a-z]+$" form:"small letters"`
	Words    []string          `yaml:"words" pattern:"^[a-z]+$" form:"small letters"`
	Needed   *needed           `yaml:"needed"`
	Only     string            `yaml:"only" enum:"one" default:"one"`
	Choice   string            `yaml:"choice" enum:"one,two,null" default:"two"`
	Choices  []string          `yaml:"choices" enum:"one,two"`
	Flag     bool              `yaml:"flag" default:"true"`
	Small    int8              `yaml:"small" min:"-5"`
	Whole    int64             `yaml:"whole" default:"-7"`
	Real     float64           `yaml:"real" max:"1e3"`
	Span     Duration          `yaml:"span" default:"1m" max:"1h"`
	Every    Interval          `yaml:"every" default:"auto" min:"1ms"`
	Size     Bytes             `yaml:"size" default:"4KiB"`
	Maybe    *int              `yaml:"maybe"`
	MaybeTwo *pair             `yaml:"maybe_two"`
	Pair     pair              `yaml:"pair"`
	Pairs    []pair            `yaml:"pairs"`
	Named    Map[pair]         `yaml:"named"`
	Labels   map[string]string `yaml:"labels"`
	Free     Any               `yaml:"free"`
	Addr     netip.Addr        `yaml:"addr"`
	Parts    []partitionBy     `yaml:"parts"`
	List     []int             `yaml:"list" default:"[1, 2]"`
	Unseen   string
}

type needed struct {
	Day string `yaml:"day" required:"true" pattern:"^\\d{4}-\\d\\d$" form:"a month as YYYY-MM" desc:"The month."`
}

type pair struct {
	A string `yaml:"a" required:"true" desc:"The first."`
	B int    `yaml:"b" default:"3"`
}

func decodeText(t testing.TB, text string) (everything, string) {
	t.Helper()
	root, mistakes := parse("f.yaml", []byte(text))
	if len(mistakes) > 0 {
		t.Fatal(mistakes[0])
	}
	var got everything
	var lines []string
	if err := root.Decode(&got); err != nil {
		for _, m := range err.(*Errors).Mistakes {
			m.Excerpt = ""
			lines = append(lines, m.Error())
		}
	}
	return got, strings.Join(lines, "\n")
}

func defaults() everything {
	return everything{
		inner: inner{Deep: "down"}, Text: "a b", Choice: "two", Only: "one", Flag: true, Whole: -7,
		Span: 60e9, Size: 4096, Pair: pair{B: 3}, List: []int{1, 2},
	}
}

func TestDecode(t *testing.T) {
	three := 3
	for _, c := range []struct {
		text string
		want func(*everything)
	}{
		{"{}", func(*everything) {}},
		{"deep: up", func(e *everything) { e.Deep = "up" }},
		{"text: yes", func(e *everything) { e.Text = "yes" }},
		{"text: 2010-01-01", func(e *everything) { e.Text = "2010-01-01" }},
		{`text: "12"`, func(e *everything) { e.Text = "12" }},
		{"text: ''", func(e *everything) { e.Text = "" }},
		{"text: |\n  a\n  b\n", func(e *everything) { e.Text = "a\nb\n" }},
		{"text: >-\n  a\n  b\n", func(e *everything) { e.Text = "a b" }},
		{"text: a\n  b", func(e *everything) { e.Text = "a b" }},
		{"choice: 'null'", func(e *everything) { e.Choice = "null" }},
		{"choices: [two, one]", func(e *everything) { e.Choices = []string{"two", "one"} }},
		{"flag: False", func(e *everything) { e.Flag = false }},
		{"small: -5", func(e *everything) { e.Small = -5 }},
		{"whole: 0x1F", func(e *everything) { e.Whole = 31 }},
		{"whole: 0o17", func(e *everything) { e.Whole = 15 }},
		{"whole: +4", func(e *everything) { e.Whole = 4 }},
		{"real: .5", func(e *everything) { e.Real = 0.5 }},
		{"real: 1e2", func(e *everything) { e.Real = 100 }},
		{"real: 7", func(e *everything) { e.Real = 7 }},
		{"span: 1h", func(e *everything) { e.Span = 3600e9 }},
		{"every: 1h30m", func(e *everything) { e.Every = 5400e9 }},
		{"every: auto", func(e *everything) { e.Every = Auto }},
		{"size: 1GB", func(e *everything) { e.Size = 1e9 }},
		{"size: 7", func(e *everything) { e.Size = 7 }},
		{"maybe: 3", func(e *everything) { e.Maybe = &three }},
		{"maybe:", func(*everything) {}},
		{"maybe_two: {a: x}", func(e *everything) { e.MaybeTwo = &pair{"x", 3} }},
		{"pair: {a: x, b: 4}", func(e *everything) { e.Pair = pair{"x", 4} }},
		{"pairs: [{a: x}, {a: y}]", func(e *everything) { e.Pairs = []pair{{"x", 3}, {"y", 3}} }},
		{"pairs:", func(*everything) {}},
		{"list: []", func(e *everything) { e.List = []int{} }},
		{"named: {z: {a: x}, on: {a: y}}", func(e *everything) {
			e.Named = Map[pair]{{"z", pair{"x", 3}}, {"on", pair{"y", 3}}}
		}},
		{"labels: {a: x, 1: y}", func(e *everything) { e.Labels = map[string]string{"a": "x", "1": "y"} }},
		{"addr: 1.2.3.4", func(e *everything) { e.Addr = netip.MustParseAddr("1.2.3.4") }},
		{"parts: [a, {day: b}]", func(e *everything) { e.Parts = []partitionBy{{column: "a"}, {column: "b", unit: "day"}} }},
		{"free: [a, 1.50, +7, .5, 5., 0x10, 12345678901234567890.123, true, null, {x: no}]", func(e *everything) {
			e.Free = Any{[]any{
				"a", json.Number("1.50"), json.Number("7"), json.Number("0.5"), json.Number("5"), json.Number("16"),
				json.Number("12345678901234567890.123"), true, nil, map[string]any{"x": "no"},
			}}
		}},
	} {
		want := defaults()
		c.want(&want)
		got, mistakes := decodeText(t, c.text)
		if mistakes != "" {
			t.Errorf("%s: %s", c.text, mistakes)
		}
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%s: %+v, want %+v", c.text, got, want)
		}
	}
}

func TestDecodeMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"text: 12":              `f.yaml:1:7: text wants a text, not the number 12: quote it: "12"`,
		"text: null":            `f.yaml:1:7: text wants a text, not null: leave the key out for its default, or write ""`,
		"word: A1":              `f.yaml:1:7: word wants small letters, not "A1"`,
		"word: ''":              `f.yaml:1:7: word wants small letters, not ""`,
		"word: 12":              `f.yaml:1:7: word wants small letters, not the number 12`,
		"words: [true]":         `f.yaml:1:9: words[0] wants a text, not the truth value true: quote it: "true"`,
		"words: [a, B]":         `f.yaml:1:12: words[1] wants small letters, not "B"`,
		"needed: {day: 2024-1}": `f.yaml:1:15: day wants a month as YYYY-MM, not "2024-1"`,
		"needed: {day: 2024}":   `f.yaml:1:15: day wants a month as YYYY-MM, not the number 2024`,
		"needed: {day: ''}":     `f.yaml:1:15: day is empty: the month`,
		"needed: {}":            `f.yaml:1:1: needed has no day: the month`,
		"only: on":              `f.yaml:1:7: only wants one, not "on"`,
		"only: 1":               `f.yaml:1:7: only wants one, not the number 1`,
		"only: null":            `f.yaml:1:7: only wants one, not null: leave the key out for its default`,
		"only: {}":              `f.yaml:1:1: only wants a text, not a mapping`,
		"choice: 3":             `f.yaml:1:9: choice wants one of one, two, null, not the number 3`,
		"choices: [one, tow]":   `f.yaml:1:16: choices[1] wants one of one, two, not the text "tow": did you mean "two"?`,
		"choices: [one, null]":  `f.yaml:1:16: choices[1] wants one of one, two, not null: leave the key out for its default`,
		"flag: on":              `f.yaml:1:7: flag wants true or false, not the text "on": write true`,
		"flag: 1":               `f.yaml:1:7: flag wants true or false, not the number 1`,
		"small: 300":            `f.yaml:1:8: small wants a number of 8 bits, not the number 300`,
		"small: -6":             `f.yaml:1:8: small wants at least -5, not the number -6`,
		"real: 1001":            `f.yaml:1:7: real wants at most 1000, not the number 1001`,
		"real: .inf":            `f.yaml:1:7: real wants a number, not the text ".inf"`,
		"span: 61m":             `f.yaml:1:7: span wants at most 1h, not the text "61m"`,
		"span: [1s]":            `f.yaml:1:1: span wants a time span with a unit, such as 500ms, 60s or 8d, not a list`,
		"size: {}":              `f.yaml:1:1: size wants a size, such as 4096, 64KiB or 1GB, not a mapping`,
		"pair: {}":              `f.yaml:1:1: pair has no a: the first`,
		"pair:":                 `f.yaml:1:1: pair has no a: the first`,
		"maybe_two: {b: 1}":     `f.yaml:1:1: maybe_two has no a: the first`,
		"pairs: [{a: x}, {}]":   `f.yaml:1:17: pairs[1] has no a: the first`,
		"named: {z: [a]}":       `f.yaml:1:9: z wants a mapping, not a list`,
		"labels: {z: [a]}":      `f.yaml:1:10: z wants a text, not a list`,
		"labels: [a]":           `f.yaml:1:1: labels wants a mapping, not a list`,
		"addr: 1.2.3":           `f.yaml:1:7: addr: ParseAddr("1.2.3"): IPv4 address too short`,
		"addr: {}":              `f.yaml:1:1: addr wants a text, not a mapping`,
		"parts: [{day: 7}]":     `f.yaml:1:15: day wants a text, not the number 7: quote it: "7"`,
		"unseen: x":             `f.yaml:1:1: unknown key "unseen"`,
		"free: [007]":           `f.yaml:1:8: free[0]: it is not clear whether 007 is a number or a text: quote it: "007"`,
	} {
		if _, got := decodeText(t, text); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestPositions: wherever a wrong value stands, in whatever style, its mistake
// is placed at it.
func TestPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString("# ä comment\n")
		for range rapid.IntRange(0, 3).Draw(t, "blank lines") {
			b.WriteString("\n")
		}
		filler := rapid.SampledFrom([]string{"", "text: \"ö, {x\"\n", "free: [1, {a: b}]\n", "labels:\n  ä: |\n    x\n\n    y\n", "text: a\n  b\n"}).Draw(t, "filler")
		b.WriteString(filler)
		before := rapid.SampledFrom([]string{
			"flag: ", "pairs: [{a: \"é\", b: ", "pairs:\n  - a: x\n    b: ", "pairs:\n- b: ", "named:\n  n:\n    a: é\n    b:   ", "pair: {a: x,\n  b: ", "list: [1, ",
		}).Draw(t, "before")
		wrong := rapid.SampledFrom([]string{"wrong", "'wro ng'", `"wröng"`}).Draw(t, "wrong")
		b.WriteString(before)
		text := b.String()
		line := strings.Count(text, "\n") + 1
		column := len([]rune(text[strings.LastIndex(text, "\n")+1:])) + 1
		text += wrong
		if strings.Contains(before, "[{") {
			text += "}]"
		} else if strings.Contains(before, "{") {
			text += "}"
		} else if strings.Contains(before, "[") {
			text += "]"
		}
		root, mistakes := parse("f", []byte(text+"\n"))
		if len(mistakes) > 0 {
			t.Fatalf("%s\n%v", text, mistakes[0])
		}
		var e everything
		err, ok := root.Decode(&e).(*Errors)
		if !ok {
			t.Fatalf("no mistake in\n%s", text)
		}
		for _, m := range err.Mistakes {
			if strings.HasPrefix(m.Message, "pairs") {
				continue // the missing a of "- b:"
			}
			if m.Line != line || m.Column != column {
				t.Fatalf("%d:%d, want %d:%d\n%s\n%s", m.Line, m.Column, line, column, text, m)
			}
			_, carets, _ := strings.Cut(m.Excerpt, "\n")
			if n := strings.Count(carets, "^"); n != len([]rune(wrong)) {
				t.Fatalf("%d carets\n%s", n, m)
			}
		}
	})
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]int64{
		"1s": 1e9, "500ms": 5e8, "8d": 8 * 24 * 3600e9, "1h30m": 5400e9, "1.5s": 15e8, "0s": 0, "1d12h": 36 * 3600e9, "7us": 7000, "3ns": 3,
	} {
		if got, err := ParseDuration(text); err != nil || int64(got) != want {
			t.Errorf("%s = %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "1KiB": 1024, "1kB": 1000, "128MiB": 128 << 20, "1.5GB": 15e8, "2TiB": 2 << 40, "9223372036854775807": 1<<63 - 1,
	} {
		if got, err := ParseBytes(text); err != nil || int64(got) != want {
			t.Errorf("%s = %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "s", "5", "5 s", "-1s", "1x", "1m1h", "1s1s", "1.s", ".5s", "0.5ns", "1e3s", strings.Repeat("9", 40) + "s", "106752d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is a time span of %d", text, got)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1.5", "1 GB", "1mb", "1.B", "9223372036854775808", "10000000TiB"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q is a size of %d", text, got)
		}
	}
}

// TestUnitWords: a span or size in other words says how it is to be written.
func TestUnitWords(t *testing.T) {
	for text, want := range map[string]string{
		"8 days": "write 8d", "1day": "write 1d", "2w": "write 14d", "1.5 Weeks": "write 10.5d", "90 sec": "write 90s", "1min": "write 1m",
		"3 hours": "write 3h", "100 milliseconds": "write 100ms", "7": "has no unit: write 7s", "1fortnight": "use d, h, m", "10mins": "write 10m",
	} {
		if _, err := ParseDuration(text); err == nil || !strings.HasSuffix(err.Error(), want) && !strings.Contains(err.Error(), want+",") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{"128mib": "write 128MiB", "5mb": "write 5MB", "1g": "write 1GB", "2Ki": "write 2KiB", "1EB": "use B, KiB"} {
		if _, err := ParseBytes(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestUnitsAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Min(0).Draw(t, "duration"))
		if got, err := ParseDuration(d.String()); err != nil || got != d {
			t.Fatalf("%d is written %s, read %d, %v", int64(d), d, got, err)
		}
		n := Bytes(rapid.Int64Min(0).Draw(t, "bytes"))
		if got, err := ParseBytes(n.String()); err != nil || got != n {
			t.Fatalf("%d is written %s, read %d, %v", int64(n), n, got, err)
		}
	})
}

func TestSuggest(t *testing.T) {
	known := []string{"path", "format", "partition_by", "url", "dsn"}
	for name, want := range map[string]string{
		"pth": "path", "paht": "path", "PATH": "path", "formt": "format", "partitionby": "partition_by", "partiton_bye": "partition_by",
		"ulr": "url", "xyz": "", "": "", "totally_else": "", "dns": "dsn", "form": "format", "partition": "partition_by", "urls": "url", "pa": "",
	} {
		if got := Suggest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestDistanceAgreesWithItsDefinition(t *testing.T) {
	var naive func(a, b string) int
	naive = func(a, b string) int {
		if a == "" || b == "" {
			return len(a) + len(b)
		}
		same := 1
		if a[0] == b[0] {
			same = 0
		}
		least := min(naive(a[1:], b)+1, naive(a, b[1:])+1, naive(a[1:], b[1:])+same)
		if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
			least = min(least, naive(a[2:], b[2:])+1)
		}
		return least
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringMatching(`[abc]{0,5}`).Draw(t, "a"), rapid.StringMatching(`[abc]{0,5}`).Draw(t, "b")
		if got, want := distance(a, b, 100), naive(a, b); got != want {
			t.Fatalf("%q, %q: %d, want %d", a, b, got, want)
		}
	})
}

func TestProgramMistakesPanic(t *testing.T) {
	for name, v := range map[string]any{
		"type": &struct {
			A chan int `yaml:"a" default:"1"`
		}{},
		"default": &struct {
			A int `yaml:"a" default:"x"`
		}{},
		"twice": &struct {
			A int `yaml:"a"`
			B int `yaml:"a"`
		}{},
		"bound": &struct {
			A Duration `yaml:"a" min:"5"`
		}{},
		"pattern without form": &struct {
			A string `yaml:"a" pattern:"^a$"`
		}{},
		"form without pattern": &struct {
			A string `yaml:"a" form:"an a"`
		}{},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if r := recover(); !strings.HasPrefix(fmt.Sprint(r), "spec: ") {
					t.Errorf("panic %v", r)
				}
			}()
			root, _ := parse("f", []byte("{}"))
			t.Errorf("no panic: %v", root.Decode(v))
		})
	}
}

func TestErrorsUnwrap(t *testing.T) {
	_, err := Load("f.yaml", []byte("a: 1\nb: 2\n"), testKinds(), Options{})
	all := err.(*Errors)
	if len(all.Unwrap()) != len(all.Mistakes) || len(all.Mistakes) < 2 {
		t.Errorf("%v", err)
	}
	text, err := json.Marshal(all)
	if err != nil || !strings.Contains(string(text), `"line":1,"column":1,"message":"unknown key \"a\""`) {
		t.Errorf("%s %v", text, err)
	}
	if diff := cmp.Diff(all.Error(), sortedAgain(all).Error()); diff != "" {
		t.Error(diff)
	}
}

func sortedAgain(e *Errors) *Errors {
	return &Errors{Mistakes: sortMistakes(append(e.Mistakes, e.Mistakes...))}
}
