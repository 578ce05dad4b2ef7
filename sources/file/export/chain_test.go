package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

var noon = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

// at returns a time so many minutes past noon.
func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// ex is an export of a test: full at a minute, or incremental of a span, with items or none.
func ex(kind string, from, to int, items int64) *Export {
	e := &Export{
		ID: fmt.Sprintf("%s%d-%d", kind, from, to), Folder: fmt.Sprintf("%s%d-%d", kind, from, to), Incremental: kind == "inc",
		From: at(from), To: at(to), Files: []*DataFile{{Items: items}},
	}
	return e
}

func TestArrange(t *testing.T) {
	full := func(minute int) *Export { return ex("full", minute, minute, 1) }
	inc := func(from, to int) *Export { return ex("inc", from, to, 1) }
	tests := []struct {
		name    string
		exports []*Export
		read    [2]int // minutes; equal = nothing
		begun   string
		want    string // the steps' ids and what is reached by each
		leftOut int
		notices []string
		err     []string
	}{
		{name: "one full", exports: []*Export{full(0)}, want: "full0-0:0"},
		{name: "contiguous, in any order", exports: []*Export{inc(15, 30), full(0), inc(0, 15)}, want: "full0-0:0 inc0-15:15 inc15-30:30"},
		{name: "overlapping", exports: []*Export{full(10), inc(0, 15), inc(12, 30)}, want: "inc0-15:15 full10-10:15 inc12-30:30",
			notices: []string{"inc12-30 begins at 2025-03-01T12:12:00.000Z, before incremental export inc0-15 ends, at 2025-03-01T12:15:00.000Z", "inc0-15 begins at 2025-03-01T12:00:00.000Z, before full export full10-10 ends, at 2025-03-01T12:10:00.000Z"}},
		{name: "within", exports: []*Export{full(0), inc(0, 60), inc(10, 20), inc(60, 70)}, want: "full0-0:0 inc0-60:60 inc60-70:70", leftOut: 1},
		{name: "twice", exports: []*Export{full(0), inc(0, 60), ex("inc", 0, 60, 2), inc(60, 70)}, want: "full0-0:0 inc0-60:60 inc60-70:70", leftOut: 1},
		{name: "one of several ways", exports: []*Export{full(0), inc(0, 30), inc(0, 20), inc(20, 40), inc(40, 60)}, want: "full0-0:0 inc0-20:20 inc20-40:40 inc40-60:60", leftOut: 1},
		{name: "from the second full one only", exports: []*Export{full(5), inc(0, 20), full(20), inc(20, 40)}, want: "full20-20:20 inc20-40:40", leftOut: 2},
		{name: "a full one within a window", exports: []*Export{full(10), inc(0, 20)}, want: "inc0-20:20 full10-10:20",
			notices: []string{"inc0-20 begins at 2025-03-01T12:00:00.000Z, before full export full10-10 ends"}},
		{name: "the next one begins too early", exports: []*Export{full(0), inc(0, 15), inc(10, 30)}, read: [2]int{0, 15}, begun: "full0-0 inc0-15", want: "full0-0:15 inc0-15:15 inc10-30:30",
			notices: []string{"inc10-30 begins at 2025-03-01T12:10:00.000Z, before what was read before ends, at 2025-03-01T12:15:00.000Z"}},
		{name: "the next one begins too early, and is not needed", exports: []*Export{inc(10, 30), inc(15, 30)}, read: [2]int{0, 15}, want: "inc15-30:30", leftOut: 1},
		{name: "a full one that comes too late", exports: []*Export{full(0), inc(0, 30), full(20)}, read: [2]int{0, 30}, begun: "full0-0 inc0-30", want: "full0-0:30 inc0-30:30", leftOut: 1},
		{name: "the first full one comes too late", exports: []*Export{inc(0, 30), full(20)}, read: [2]int{0, 30}, begun: "inc0-30", want: "inc0-30:30 full20-20:30",
			notices: []string{"inc0-30 begins at 2025-03-01T12:00:00.000Z, before full export full20-20 ends"}},
		{name: "read twice with an overlap", exports: []*Export{full(0), inc(0, 15), inc(10, 30)}, read: [2]int{0, 30}, begun: "full0-0 inc0-15 inc10-30", want: "full0-0:30 inc0-15:30 inc10-30:30"},
		{name: "a hole", exports: []*Export{full(0), inc(0, 15), inc(16, 30)},
			err: []string{"incremental export inc16-30 begins at 2025-03-01T12:16:00.000Z, and what comes before it ends at 2025-03-01T12:15:00.000Z", "new state folder"}},
		{name: "a hole behind the full one", exports: []*Export{full(0), inc(1, 15)}, err: []string{"12:01:00.000Z", "12:00:00.000Z"}},
		{name: "a later full one ends the hole", exports: []*Export{full(0), inc(0, 15), full(20), inc(20, 35)}, want: "full20-20:20 inc20-35:35", leftOut: 2},
		{name: "a later full one without a hole", exports: []*Export{full(0), inc(0, 30), full(20), inc(30, 45)}, want: "full0-0:0 inc0-30:30 inc30-45:45", leftOut: 1},
		{name: "full ones only", exports: []*Export{full(0), full(60), full(30)}, want: "full60-60:60", leftOut: 2},
		{name: "no full one", exports: []*Export{inc(0, 15), inc(15, 30)}, want: "inc0-15:15 inc15-30:30", notices: []string{"no full export before incremental export inc0-15"}},
		{name: "no full one, with a hole", exports: []*Export{inc(0, 15), inc(20, 30)}, err: []string{"inc20-30 begins"}},
		{name: "the next ones", exports: []*Export{full(0), inc(0, 15), inc(15, 30)}, read: [2]int{0, 15}, begun: "full0-0 inc0-15",
			want: "full0-0:15 inc0-15:15 inc15-30:30"},
		{name: "those before are gone", exports: []*Export{inc(15, 30)}, read: [2]int{0, 15}, want: "inc15-30:30"},
		{name: "those before are gone, with a hole", exports: []*Export{inc(20, 30)}, read: [2]int{0, 15},
			err: []string{"inc20-30 begins at 2025-03-01T12:20:00.000Z, and what comes before it ends at 2025-03-01T12:15:00.000Z"}},
		{name: "a full one behind a hole", exports: []*Export{full(60), inc(60, 75)}, read: [2]int{0, 15}, want: "full60-60:60 inc60-75:75",
			notices: []string{"changes from 2025-03-01T12:15:00.000Z to 2025-03-01T13:00:00.000Z: items that were deleted then stay"}},
		{name: "older than what was read", exports: []*Export{full(0), full(60), inc(60, 75)}, read: [2]int{60, 75}, begun: "full60-60 inc60-75",
			want: "full60-60:75 inc60-75:75", leftOut: 1},
		{name: "the full one comes after the incremental ones", exports: []*Export{full(0), inc(0, 15)}, read: [2]int{0, 15}, begun: "inc0-15", want: "full0-0:15 inc0-15:15"},
		{name: "begun, whatever comes", exports: []*Export{full(0), full(60)}, begun: "full0-0", want: "full0-0:0 full60-60:60"},
		{name: "nothing new", exports: []*Export{full(0)}, read: [2]int{0, 15}, begun: "full0-0", want: "full0-0:15"},
		{name: "without items", exports: []*Export{full(0), ex("inc", 0, 15, 0), ex("inc", 15, 30, 0), inc(30, 45)}, want: "full0-0:30 inc0-15:30 inc15-30:30 inc30-45:45"},
		{name: "without times", exports: []*Export{{Folder: "x", Incremental: true}, full(0)}, err: []string{"incremental export x: exportFromTime and exportToTime are missing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var read Span
			if tt.read != [2]int{} {
				read = Span{at(tt.read[0]), at(tt.read[1])}
			}
			p, err := Arrange(tt.exports, read, func(e *Export) bool { return slices.Contains(strings.Fields(tt.begun), e.ID) })
			if tt.err != nil {
				for _, want := range tt.err {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("error %v, want %q in it", err, want)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := steps(p); got != tt.want || len(p.LeftOut) != tt.leftOut {
				t.Errorf("steps %s, left out %q, want %s", got, p.LeftOut, tt.want)
			}
			if len(p.Notices) != len(tt.notices) {
				t.Fatalf("notices %q", p.Notices)
			}
			for i, want := range tt.notices {
				if !strings.Contains(p.Notices[i], want) {
					t.Errorf("notice %q, want %q in it", p.Notices[i], want)
				}
			}
		})
	}
}

func steps(p *Plan) string {
	var all []string
	for _, s := range p.Entries {
		all = append(all, fmt.Sprintf("%s:%d", s.ID, int(s.After.Until.Sub(noon).Minutes())))
	}
	return strings.Join(all, " ")
}

// TestArrangeAgainstModel compares the plan with one made of a table of minutes:
// exports belong together if no minute between them is in none.
func TestArrangeAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const end = 24
		var covered [end]bool
		var exports []*Export
		cover := func(from, to int) {
			for m := from; m < to; m++ {
				covered[m] = true
			}
		}
		for i := range rapid.IntRange(1, 6).Draw(t, "exports") {
			from := rapid.IntRange(0, end-1).Draw(t, "from")
			kind, to := "full", from
			if rapid.Bool().Draw(t, "incremental") {
				kind, to = "inc", rapid.IntRange(from+1, min(from+8, end)).Draw(t, "to")
			}
			e := ex(kind, from, to, 1)
			e.ID += fmt.Sprint(" ", i)
			exports = append(exports, e)
			cover(from, to)
		}
		var read Span
		since := 0
		if rapid.Bool().Draw(t, "read before") {
			since = rapid.IntRange(0, end-1).Draw(t, "since")
			until := rapid.IntRange(since, min(since+8, end)).Draw(t, "until")
			read = Span{at(since), at(until)}
			cover(since, until)
		}
		group := func(from time.Time) (holes int) { // how many minutes before are in none
			for m := range int(from.Sub(noon).Minutes()) {
				if !covered[m] {
					holes++
				}
			}
			return holes
		}
		last, first, groups := 0, -1, map[int]bool{}
		for _, e := range exports {
			last, groups[group(e.From)] = max(last, group(e.From)), true
		}
		if read != (Span{}) {
			first = group(read.Since)
			last, groups[first] = max(last, first), true
		}
		grounded := slices.ContainsFunc(exports, func(e *Export) bool { return !e.Incremental && group(e.From) == last })
		p, err := Arrange(exports, read, func(*Export) bool { return false })
		if want := !grounded && last != first && len(groups) > 1; want != errors.Is(err, pipeline.ErrGap) || !want && err != nil {
			t.Fatalf("error %v, want a gap: %v", err, want)
		}
		if err != nil {
			return
		}
		if first < 0 {
			first = last
		}
		read0 := 0 // of the entries that are read whatever they are good for
		for _, e := range exports {
			if group(e.From) >= first {
				read0++
			}
		}
		until := read.Until
		for _, s := range p.Entries {
			if s.From.After(s.After.Until) || s.After.Until.Before(until) || s.Before.Until != until && until != s.To {
				t.Fatalf("%s is reached by %v, after %v", s.ID, s.After, until)
			}
			if group(s.From) < first {
				t.Fatalf("%s is read", s.ID)
			}
			until = s.After.Until
		}
		if len(p.Entries) > read0 || len(p.LeftOut)+len(p.Entries) != len(exports) {
			t.Fatalf("%d of %d entries, left out %q", len(p.Entries), read0, p.LeftOut)
		}
		overlaps := slices.ContainsFunc(p.Notices, func(n string) bool { return strings.Contains(n, "stay. Have incremental exports") })
		if !overlaps && len(p.Notices) > 0 {
			return // of something else, and that makes a difference too
		}
		if wrong := wrongItems(p, read, end); wrong != "" && !overlaps || wrong == "" && overlaps && read == (Span{}) {
			t.Fatalf("notices %q, and what is wrong is %q, after %s", p.Notices, wrong, steps(p))
		}
	})
}

// wrongItems reads the exports of a plan as DynamoDB makes them of items of all lives, and returns which differs from
// the table at the end; empty = none does. What was read before is the table at its end.
func wrongItems(p *Plan, read Span, end int) (wrong string) {
	minute := func(t time.Time) int { return int(t.Sub(noon).Minutes()) }
	last := minute(read.Until)
	for _, s := range p.Entries {
		last = max(last, minute(s.To))
	}
	for made := range end {
		for gone := made + 1; gone <= end; gone++ { // end = it stays
			at := func(to int) bool { return made < to && to <= gone } // just before a time
			there, version := false, -1
			see := func(is bool, of int) {
				if of >= version {
					there, version = is, of
				}
			}
			if read != (Span{}) {
				if see(at(minute(read.Until)), made); made < gone && gone < minute(read.Until) {
					see(false, gone)
				}
			}
			for _, s := range p.Entries {
				from, to := minute(s.From), minute(s.To)
				switch {
				case !s.Incremental && at(to), s.Incremental && made >= from && at(to):
					see(true, made)
				case s.Incremental && made < from && from <= gone && gone < to:
					see(false, gone)
				}
			}
			if there != at(last) {
				wrong = fmt.Sprintf("%s; made %d, gone %d: %v", wrong, made, gone, there)
			}
		}
	}
	return wrong
}

func TestSameMD5(t *testing.T) {
	sum := []byte{0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e}
	for text, want := range map[string]bool{
		"1B2M2Y8AsgTpgAmY7PhCfg==": true, " 1B2M2Y8AsgTpgAmY7PhCfg==\r\n": true,
		"d41d8cd98f00b204e9800998ecf8427e": true, "D41D8CD98F00B204E9800998ECF8427E  manifest-files.json\n": true,
		"": false, "\n": false, "1B2M2Y8AsgTpgAmY7PhCfg": false, "d41d8cd98f00b204e9800998ecf8427f": false,
	} {
		if SameMD5(sum, text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
