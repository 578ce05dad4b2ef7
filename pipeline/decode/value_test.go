package decode

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/decimal"
)

func TestParsePath(t *testing.T) {
	name := func(s string) PathElement { return PathElement{Name: s} }
	at := func(i int) PathElement { return PathElement{Index: i, IsIndex: true} }
	for _, c := range []struct {
		text string
		want Path
		err  string
	}{
		{"a", Path{name("a")}, ""},
		{"a.b", Path{name("a"), name("b")}, ""},
		{"a-b#c$d e", Path{name("a-b#c$d e")}, ""},
		{"a[0][12].b", Path{name("a"), at(0), at(12), name("b")}, ""},
		{"[3].x", Path{at(3), name("x")}, ""},
		{`"a.b"[0].c`, Path{name("a.b"), at(0), name("c")}, ""},
		{"`a\"b`.\"c`d\"", Path{name(`a"b`), name("c`d")}, ""},
		{`"a""b"`, Path{name(`a"b`)}, ""},
		{`""`, Path{name("")}, ""},
		{"", nil, "empty"},
		{"a.", nil, "column 3: want a name"},
		{".a", nil, "column 1: want a name"},
		{"a..b", nil, "column 3: want a name"},
		{"a[", nil, "column 2: [ without ]"},
		{"a[x]", nil, "column 3: want an index"},
		{"a[-1][-12].b", Path{name("a"), at(-1), at(-12), name("b")}, ""},
		{"a[-0]", nil, "column 3: want an index"},
		{"a[--1]", nil, "column 3: want an index"},
		{"a[-99999999]", nil, "column 3: want an index"},
		{"a[+1]", nil, "column 3: want an index"},
		{"a[99999999]", nil, "column 3: want an index"},
		{"a[0]b", nil, "column 5: want a dot"},
		{"a]", nil, `column 2: unexpected ']'`},
		{`a"b`, nil, `column 2: unexpected '"'`},
		{`"a`, nil, "column 1: quote without its end"},
		{`"a"b`, nil, "column 4: want a dot"},
	} {
		got, err := ParsePath(c.text)
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v %s", c.text, err, diff)
		}
		if again, err2 := ParsePath(got.String()); err == nil && (err2 != nil || !cmp.Equal(again, got)) {
			t.Errorf("%s is written %s: %v %v", c.text, got, again, err2)
		}
	}
}

// scanValue scans {"v": value} and returns the value.
func scanValue(t *testing.T, value string, typed bool) ([]byte, Value) {
	t.Helper()
	rec := []byte(`{"v":` + value + `}`)
	slots, _, err := scanImage(imageDecoder(paths("v"), typed, false), rec)
	if err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return rec, slots[0]
}

func TestScanList(t *testing.T) {
	want := []Path{{}, {{Name: "a"}}, {{Index: 1, IsIndex: true}}}
	for _, c := range []struct {
		typed bool
		value string
		slots []string
	}{
		{true, `{"L":[{"S":"x"},{"M":{"a":{"N":"+1"}}},{"L":[{"S":""},{"S":"y"}]}]}`, []string{
			"string:x missing: missing:", `map:{"a":{"N":"+1"}} number:1 missing:`, `list:[{"S":""},{"S":"y"}] missing: string:y`}},
		{true, `{"L":[ ]}`, nil},
		{true, `{"SS":["b","a"]}`, []string{"string:b missing: missing:", "string:a missing: missing:"}},
		{true, `{"NS":["2", 1 ]}`, []string{"number:2 missing: missing:", "number:1 missing: missing:"}},
		{true, `{"BS":["AA=="]}`, []string{"binary:AA== missing: missing:"}},
		{false, `[1,{"a":null},[0,true],"s"]`, []string{"number:1 missing: missing:", `map:{"a":null} null:null missing:`, "list:[0,true] missing: bool:true", "string:s missing: missing:"}},
	} {
		rec, v := scanValue(t, c.value, c.typed)
		var got []string
		err := NewProjection(want, c.typed).ScanList(rec, v, func(i int, slots []Value) error {
			if i != len(got) {
				t.Errorf("index %d", i)
			}
			got = append(got, strings.Join(show(string(rec), slots), " "))
			return nil
		})
		if diff := cmp.Diff(c.slots, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", c.value, err, diff)
		}
	}
}

func TestScanListErrors(t *testing.T) {
	p := NewProjection([]Path{{}}, true)
	rec, v := scanValue(t, `{"L":[{"S":"x"},{"S":"y"}]}`, true)
	stop := errors.New("stop")
	calls := 0
	if err := p.ScanList(rec, v, func(int, []Value) error { calls++; return stop }); err != stop || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
	rec, v = scanValue(t, `{"S":"x"}`, true)
	if err := p.ScanList(rec, v, nil); err == nil || !strings.Contains(err.Error(), "a string where a list is expected") {
		t.Error(err)
	}
}

// A projection is shared, and its scans nest.
func TestScanListConcurrently(t *testing.T) {
	p := NewProjection([]Path{{}}, true)
	rec, v := scanValue(t, `{"L":[{"L":[{"N":"1"},{"N":"2"}]},{"L":[{"N":"3"}]}]}`, true)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				var got []string
				err := p.ScanList(rec, v, func(i int, outer []Value) error {
					return p.ScanList(rec, outer[0], func(j int, inner []Value) error {
						got = append(got, string(inner[0].Raw(rec)))
						return nil
					})
				})
				if err != nil || strings.Join(got, "") != "123" {
					t.Errorf("%v %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAppendText(t *testing.T) {
	for value, want := range map[string]string{
		`{"S":"plain"}`: "plain",
		`{"S":""}`:      "",
		`{"S":"a\"\\\/\b\f\n\r\t\u00fc\ud83d\ude00"}`: "a\"\\/\b\f\n\r\tü😀",
		`{"N":"+1.50"}`:  "1.50",
		`{"N":-1E+2}`:    "-1E+2",
		`{"BOOL":false}`: "false",
		`{"NULL":true}`:  "error",
		`{"L":[]}`:       "error",
		`{"B":"AA=="}`:   "error",
	} {
		rec, v := scanValue(t, value, true)
		out, err := AppendText([]byte(">"), rec, v)
		if err != nil {
			out = append(out, "error"...)
		}
		if string(out) != ">"+want {
			t.Errorf("%s: %q %v", value, out, err)
		}
	}
}

func TestAppendBytes(t *testing.T) {
	for value, want := range map[string]string{
		`{"B":"AAE="}`:      "\x00\x01",
		`{"B":"AAE"}`:       "\x00\x01",
		`{"B":"\u0041AE="}`: "\x00\x01",
		`{"B":"\/\/\/\/"}`:  "\xff\xff\xff",
		`{"B":""}`:          "",
		`{"B":"A"}`:         "error",
		`{"B":"AAE=="}`:     "error",
		`{"B":"__8="}`:      "error",
		`{"B":"AA\nE="}`:    "error",
		`{"S":"AAE="}`:      "error",
	} {
		rec, v := scanValue(t, value, true)
		out, err := AppendBytes(nil, rec, v)
		if err != nil {
			out = []byte("error")
		}
		if string(out) != want {
			t.Errorf("%s: %q %v", value, out, err)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for _, c := range []struct {
		typed       bool
		value, want string
	}{
		{true, `{"S":"a\"\u00fc"}`, `"a\"\u00fc"`},
		{true, `{"N":"+12345678901234567890.10"}`, `12345678901234567890.10`},
		{true, `{"NULL":true}`, `null`},
		{true, `{"M":{"a" : {"L":[ {"N":"1"} , {"BOOL":false},{"M":{}}]},"\n":{"B":"AA=="}}}`, `{"a":[1,false,{}],"\n":"AA=="}`},
		{true, `{"SS":["b","\u0061","B",""]}`, `["","B","\u0061","b"]`},
		{true, `{"NS":["10","9","-1","-2e1","1e1","0.5","0"]}`, `[-2e1,-1,0,0.5,9,10,1e1]`},
		{true, `{"BS":["/w==","AA==","+A=="]}`, `["AA==","+A==","/w=="]`},
		{true, `{"BS":["*"]}`, "error"},
		{true, `{"L":[{"BS":["*"]},{"S":""}]}`, "error"},
		{false, ` { "a" : [ 1 , "x y" , null ] , "b":{ } } `, `{"a":[1,"x y",null],"b":{}}`},
		{false, `"x"`, `"x"`},
	} {
		rec, v := scanValue(t, c.value, c.typed)
		out, err := AppendJSON(nil, rec, v, c.typed)
		if err != nil {
			out = []byte("error")
		}
		if string(out) != c.want {
			t.Errorf("%s: %s %v", c.value, out, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"0", "0"}, {"-0.00e5", "0"}, {"1.0", "1"}, {"1e0", "1"}, {"100e-2", "1"}, {"0.10", "0.1"}, {"-1.5E2", "-150"},
		{"1e-130", "1e-130"}, {"9.99E+125", "999e123"}, {"1" + strings.Repeat("0", 63), "1" + strings.Repeat("0", 63)},
		{"1" + strings.Repeat("0", 64), "1e64"}, {"1e64", "1e64"}, {"1e63", "1" + strings.Repeat("0", 63)},
		{"0." + strings.Repeat("0", 61) + "1", "0." + strings.Repeat("0", 61) + "1"}, {"1e-62", "0." + strings.Repeat("0", 61) + "1"},
		{"1e-63", "1e-63"}, {"1e99999999999999999999", "1e1099511627776"},
	} {
		if got := string(decimal.Append(nil, []byte(c.text))); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
		s := scanner{b: []byte(c.text)}
		if end, plain := s.number(0); end != len(c.text) || plain && c.text != c.want {
			t.Errorf("%s: plain, but normalised it is %s", c.text, c.want)
		}
		s.b = []byte(c.want)
		if _, plain := s.number(0); !plain && !strings.Contains(c.want, "e") {
			t.Errorf("%s: not plain", c.want)
		}
	}
}
