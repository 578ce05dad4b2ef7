package spec

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
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

func TestRedact(t *testing.T) {
	env := map[string]string{
		"DSN": "postgres://me:p%40ss%20w@host/db", "PW": `a"b\c d`, "ONE": "1", "LONG": "postgres://me:p%40ss%20w@host/db?more", "KV": "host=h password='kv pass' user=u",
	}
	f := load(t, strings.Replace(minimal, "dsn: x", `dsn: "${DSN}${PW}${ONE}${LONG}${KV}", schema: "literal://u:written-here@h"`, 1), Options{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	for in, want := range map[string]string{
		"dial postgres://me:p%40ss%20w@host/db: refused":      "dial ${DSN}: refused",
		"dial postgres://me:p%40ss%20w@host/db?more: refused": "dial ${LONG}: refused",
		"password p@ss w is wrong":                            "password ${LONG} is wrong",
		`got "a\"b\\c d"`:                                     `got "${PW}"`,
		`got a"b\c d`:                                         `got ${PW}`,
		"a%22b%5Cc%20d":                                       "${PW}",
		"1 of 11 rows, x1":                                    "${ONE} of 11 rows, x1",
		"written-here":                                        "****",
		"nothing":                                             "nothing",
	} {
		if got := f.Redact(in); got != want && !(strings.Contains(want, "LONG") && got == strings.Replace(want, "LONG", "DSN", 1)) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestSecretsAreNeverShown: whatever is wrong with a file, its messages have no
// value of the environment.
func TestSecretsAreNeverShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Z]{5}[ -~]{0,10}[A-Z]{5}`).Draw(t, "secret")
		field := rapid.SampledFrom([]string{"type", "inputs", "dsn", "schema", "mode", "url", "nope"}).Draw(t, "field")
		value := rapid.SampledFrom([]string{"${S}", `"${S}"`, "[${S}]", "x${S}", "{${S}: ${S}}", "{a: ${S}}"}).Draw(t, "value")
		kind := rapid.SampledFrom([]string{"duckdb", "parquet"}).Draw(t, "kind")
		text := strings.Replace(minimal, "  w: {type: duckdb, inputs: [t.a], dsn: x}", "  w:\n    type: "+kind+"\n    "+field+": "+value, 1)
		for _, key := range []string{"interval", "max_records", "max_bytes"} {
			text = strings.Replace(text, "sources:", "epoch: {"+key+": ${S}}\nsources:", 1)
		}
		_, err := Load("f", []byte(text), testKinds(), Options{Env: func(string) (string, bool) { return secret, true }})
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Fatalf("%q is shown:\n%v", secret, err)
		}
	})
}
