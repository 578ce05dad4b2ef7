package spec

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestVariables(t *testing.T) {
	env := map[string]string{"N": "7", "T": "text", "B": "true", "E": "", "L": "[a, b]", "Z": "007", "M": "a: b\nc: d", "Q": `"x`, "D": "$${N}"}
	for in, want := range map[string]any{
		"${T}":           "text",
		"a${T}b${T}":     "atextbtext",
		"${N}":           "7",
		"x-$$-${N}":      "x-$-7",
		"$${N}":          "${N}",
		"$meta.ttl":      "$meta.ttl",
		"^a$":            "^a$",
		"${L}":           "[a, b]",
		"${M}":           "a: b\nc: d",
		"${Q}":           `"x`,
		"${D}":           "$${N}",
		"${X:-a b}":      "a b",
		"${E:-d}":        "d",
		"${E}":           "",
		"${X:-}":         "",
		"${X:-{[,# :&*}": "{[,# :&*",
		"'${T}'":         "text",
		`"${T}"`:         "text",
	} {
		for _, place := range []string{"dsn: %s", "dsn: %s # c"} {
			text := strings.Replace(minimal, "  w: {type: duckdb, inputs: [t.a], dsn: x}", "  w:\n    type: duckdb\n    inputs: [t.a]\n    "+fmt.Sprintf(place, in), 1)
			f, err := Load("f", []byte(text), testKinds(), Options{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
			if want == "" {
				if err == nil || !strings.Contains(err.Error(), "dsn is empty") {
					t.Errorf("%s: %v", in, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", in, err)
				continue
			}
			if got := f.Sinks[0].Value.Config.(*duckdbSink).DSN; got != want {
				t.Errorf("%s: %q, want %q", in, got, want)
			}
		}
	}
}

func TestVariablesAreTypedAgain(t *testing.T) {
	env := func(name string) (string, bool) {
		return map[string]string{"N": "7", "B": "true", "Z": "007", "E": ""}[name], true
	}
	text := `
name: ${N}
epoch: {max_records: ${N}, max_bytes: "${N}MiB", interval: ${X:-2}s}
http: {listen: ${E}}
sources: {s: {type: file, path: ${B}, format: json, follow: ${B}, key: ["${N}", ${B}]}}
transforms:
  t:
    type: unnest
    inputs: [s]
    tables: {a: {columns: {b: {}}, where: [${N}, "${N}", ${B}, ${E}, ${Z}, a${N}]}}
sinks: {w: {type: duckdb, inputs: [t], dsn: x}}
`
	f := load(t, text, Options{Env: func(n string) (string, bool) {
		if n == "X" {
			return "", false
		}
		return env(n)
	}})
	if f.Name != "7" || f.Epoch.MaxRecords != 7 || f.Epoch.MaxBytes != 7<<20 || f.Epoch.Interval != 2e9 || f.HTTP.Listen != "" {
		t.Errorf("%+v", f)
	}
	if c := f.Sources[0].Value.Config.(*fileSource); c.Path != "true" || !c.Follow || c.Key[0] != "7" || c.Key[1] != "true" {
		t.Errorf("%+v", c)
	}
	where := f.Transforms[0].Value.Config.(*unnestTransform).Tables[0].Value.Where.Value
	if got := fmt.Sprintf("%T %[1]v", where); got != "[]interface {} [7 7 true <nil> 007 a7]" {
		t.Error(got)
	}
	items := where.([]any)
	if got := fmt.Sprintf("%T %T %T %T %T", items[0], items[1], items[2], items[3], items[4]); got != "json.Number string bool <nil> string" {
		t.Error(got)
	}
}

// TestNotUTF8: a text that is not UTF-8 does not come into a pipeline by its file,
// whose check is in parse, by the environment, or by the command line.
func TestNotUTF8(t *testing.T) {
	for text, want := range map[string]string{"\xff\xfen\x00a\x00m\x00e\x00": "f: the file is UTF-16: save it as UTF-8", "name: M\xfcller\n": "f:1:8: the file holds a character that is not text: save it as UTF-8"} {
		if _, err := Load("f", []byte(text), testKinds(), Options{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for _, c := range []struct{ dsn, set, want string }{
		{"${BAD}", "", `shop.yaml:7:41: the variable BAD holds a byte that is not UTF-8: give it a text in UTF-8`},
		{`"a${BAD_PASSWORD}"`, "", `the variable BAD_PASSWORD holds a byte`},
		{"x", "sinks.w.dsn=a\xffb", `--set sinks.w.dsn: the setting holds a byte that is not UTF-8`},
		{"x", "sinks.w\xfc.dsn=b", `--set sinks.w?.dsn: the setting holds a byte`},
		{"x", "sinks.w.dsn=\"\xc3\"", `--set sinks.w.dsn: the setting holds a byte`},
	} {
		opts := Options{Env: func(string) (string, bool) { return "v\xe4lue", true }}
		if c.set != "" {
			opts.Set = []string{c.set}
		}
		_, err := Load("shop.yaml", []byte(strings.Replace(minimal, "dsn: x", "dsn: "+c.dsn, 1)), testKinds(), opts)
		if err == nil || !strings.Contains(err.Error(), c.want) || !utf8.ValidString(err.Error()) {
			t.Errorf("%+v: %q", c, err)
		}
	}
}
