package spec

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSecretNames(t *testing.T) {
	for _, name := range strings.Fields(`PASSWORD PGPASSWORD DB_PASSWORD db_password DB_PASSWD MYSQL_PWD DB_PASS PASSPHRASE SECRET CLIENT_SECRET SECRETS
		MySecret TOKEN GITHUB_TOKEN AUTHTOKEN TOKENS API_KEY APIKEY apiKey KEY AWS_SECRET_ACCESS_KEY KEYS PRIVATE_KEY_PEM CREDENTIAL AWS_CREDENTIALS
		motherduck_token sslpassword X-Amz-Credential X-Amz-Signature X-Amz-Security-Token sig`) {
		if !isSecretName(name) {
			t.Errorf("%s is no secret", name)
		}
	}
	for _, name := range strings.Fields(`PATH PWD OLDPWD DATA_DIR TABLE DSN DATABASE_URL HOST USER SCHEMA BUCKET KEYSPACE KEYED COMPASS PASSES BYPASS
		SIGNAL sslkey sslmode passfile EPOCH_INTERVAL`) {
		if isSecretName(name) {
			t.Errorf("%s is a secret", name)
		}
	}
}

// TestRedact: secrets are hidden however they are written, and nothing else is.
func TestRedact(t *testing.T) {
	env := map[string]string{
		"DSN": "postgres://me:p%40ss%20w@host/db", "PASSWORD": `a"b\c d`, "KEY": "1", "FOLDER": "/srv/lake", "KV": "host=h password='kv pass' user=u", "ONE": "2",
	}
	f := load(t, strings.Replace(minimal, "dsn: x", `dsn: "${DSN}${PASSWORD}${KEY}${FOLDER}${KV}${ONE}", schema: "literal://u:written-here@h"`, 1), Options{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	for in, want := range map[string]string{
		"dial postgres://me:p%40ss%20w@host/db: refused": "dial postgres://me:****@host/db: refused",
		"password p@ss w is wrong":                       "password **** is wrong",
		`got "a\"b\\c d"`:                                `got "${PASSWORD}"`,
		`got a"b\c d`:                                    `got ${PASSWORD}`,
		"a%22b%5Cc%20d":                                  "${PASSWORD}",
		"1 of 11 rows, x1":                               "${KEY} of 11 rows, x1",
		"written-here":                                   "****",
		"open /srv/lake/t: no such file":                 "open /srv/lake/t: no such file",
		"2 of h, user u":                                 "2 of h, user u",
		"login with kv pass":                             "login with ****",
		"nothing":                                        "nothing",
	} {
		if got := f.Redact(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestPasswords: where a connection string has its secrets, and what has none.
func TestPasswords(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://me:s3cret@host/db":                              "s3cret",
		"postgres://:s3cret@host":                                   "s3cret",
		"postgres://me:s3/cr?e#t@host/db":                           "s3/cr?e#t", // does not parse
		"postgres://me:a%zz@host:port/db":                           "a%zz",
		`postgres://me:it's"@host/db`:                               `it's"`,
		"postgres://me:two words@host/db":                           "two words",
		"host=h password=it's;so&x dbname=d":                        "it's;so&x",
		"postgres://h/db?password=a;b'c&sslmode=off":                "a;b'c",
		"postgres://me:a@b@host/db":                                 "a@b",
		"postgres://me:x%2fy@host/db?sslmode=disable":               "x%2fy x/y",
		"postgres://host/db?user=me&password=s3cret&sslmode=off":    "s3cret",
		"postgres://host/db?sslpassword=k%20w&sslkey=/etc/a.key":    "k%20w k w",
		"postgres://me:p1@host/db?password=p2":                      "p1 p2",
		"host=h user=me password=s3cret dbname=d":                   "s3cret",
		"password = 'it\\'s \\\\ it' host=h":                        `'it\'s \\ it' it's \ it`,
		"host=h PASSWORD=x sslpassword=y passfile=/etc/p sslkey=/k": "x y",
		"host=h password='not closed dbname=d":                      "'not closed dbname=d not closed dbname=d",
		`host=h password='a\`:                                       `'a\ a\`,
		"host=h password= ":                                         "",
		"s3://AKIA1:wJalr/K7@bucket/path":                           "wJalr/K7",
		"https://ghp_token@host/repo.git":                           "ghp_token",
		"https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA&X-Amz-Expires=60&X-Amz-Signature=abc": "AKIA abc",
		"md:db?motherduck_token=eyJ.x":                  "eyJ.x",
		"connect to postgres://me:s3cret@host: refused": "s3cret", // in a longer text

		"postgres://me@host:5432/db": "", "postgres://host/db?sslmode=require": "", "data/**/*.gz": "", "http://host:8080/a": "",
		"token == \"a\"": "", "password_hash = 1": "", "a=b": "", "2006-01-02T15:04:05@x": "", "sort_key = 'a'": "", "x?key": "", "mailto:a@b": "",
	} {
		var found []string
		for _, s := range passwords(text) {
			found = append(found, s.value)
		}
		if got := strings.Join(found, " "); got != want {
			t.Errorf("%s: found %s, want %s", text, got, want)
		}
	}
}

type taggedSink struct {
	Account string   `yaml:"account" desc:"Who."`
	Access  string   `yaml:"access" secret:"true" pattern:"^[a-z]+$" form:"small letters" desc:"What lets in."`
	Codes   []string `yaml:"codes" secret:"true" desc:"More of it."`
	Level   int      `yaml:"level" secret:"true" desc:"A number."`
}

// TestSecretKeys: what stands under a key for secrets is hidden in messages and in
// excerpts, wherever it comes from, and what stands beside it is shown.
func TestSecretKeys(t *testing.T) {
	kinds := testKinds()
	kinds.Sinks["tagged"] = Kind{New: func() any { return new(taggedSink) }, Desc: "Has secrets."}
	for _, c := range []struct {
		value, set string
		hidden     []string
		want       string
	}{
		{value: `account: [1], access: "S3CRET1"`, hidden: []string{"S3CRET1"}, want: `access wants small letters, not "****"`},
		{value: `access: S3CRET2, codes: [S3CRET3, {a: b}]`, hidden: []string{"S3CRET2", "S3CRET3"}, want: "codes[1] wants a text, not a mapping"},
		{value: `codes: [good, S3CRET4], nope: 1`, hidden: []string{"S3CRET4"}, want: `{type: tagged, inputs: [t.a], codes: [****, *******], nope: 1}`},
		{value: `access: "${ANY}"`, hidden: []string{"value of ANY"}, want: `not "${ANY}"`},
		{value: `account: "${ANY}", nope: 1`, want: `account: "${ANY}", nope`},
		{value: `level: S3CRET5`, hidden: []string{"S3CRET5"}, want: `level wants a whole number, not the text "****"`},
		{value: `account: x`, set: "sinks.w.access=S3CRET6", hidden: []string{"S3CRET6"}, want: `--set sinks.w.access: access wants small letters, not "****"`},
		{value: `account: x`, set: "sinks.w.account=[shown]", want: `account wants a text, not a list`},
		{value: `password: S3CRET7`, hidden: []string{"S3CRET7"}, want: `unknown key "password"`}, // where there is no such key
		{value: `account: "it''s", secret_key: 'S3''CRET8'`, hidden: []string{"S3''CRET8", "S3'CRET8"}, want: `unknown key "secret_key"`},
	} {
		text := strings.Replace(minimal, "{type: duckdb, inputs: [t.a], dsn: x}", "{type: tagged, inputs: [t.a], "+c.value+"}", 1)
		opts := Options{Env: func(name string) (string, bool) { return "value of " + name, true }}
		if c.set != "" {
			opts.Set = []string{c.set}
		}
		f, err := Load("f", []byte(text), kinds, opts)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.value, err, c.want)
			continue
		}
		for _, s := range c.hidden {
			if strings.Contains(err.Error(), s) || strings.Contains(f.Redact("it is "+s), s) {
				t.Errorf("%s is shown: %v, %s", s, err, f.Redact(s))
			}
		}
	}
}

// TestConnections: of a connection string that can't be taken apart nothing is
// shown, whatever key and type of node it stands under and wherever it comes from;
// of others all but the password.
func TestConnections(t *testing.T) {
	kinds := testKinds()
	kinds.Sinks["server"] = Kind{New: func() any {
		return new(struct {
			DSN string `yaml:"dsn" secret:"connection" desc:"The server."`
		})
	}, Desc: "Has a connection."}
	show := func(kind, key, dsn string, variable bool) string {
		value := strconv.Quote(strings.ReplaceAll(dsn, "$", "$$"))
		if variable {
			value = `"${CONN}"`
		}
		text := strings.Replace(minimal, "{type: duckdb, inputs: [t.a], dsn: x}", "{type: "+kind+", nope: 1, inputs: [t.a], "+key+": "+value+"}", 1)
		f, err := Load("f", []byte(text), kinds, Options{Env: func(string) (string, bool) { return dsn, true }})
		if err == nil {
			t.Fatalf("%s is fine", text)
		}
		return err.Error() + "\n" + f.Redact(dsn+": could not be opened")
	}
	for _, dsn := range []string{
		"host=h passwrod=S3CRET", "host=h pwd=S3CRET", "host=h password:S3CRET", "host=h password S3CRET", "password==S3CRET host=h",
		"host=h password=ab S3CRET dbname=d", `host=h password="ab S3CRET" dbname=d`, "host=h password='ab' S3CRET'", "postgres://me:S3CRET", "postgres://me:S3CRET/db",
		"postgres://S3CRET@h:x/db", "postgres://me;S3CRET@h", "postgres://me%3AS3CRET@h/db", "postgres//me:S3CRET@h", "me:S3CRET@h/db", "postgres:me:S3CRET@h",
		"postgres://h/db?pasword=S3CRET", "postgres://me@h/S3CRET@h2/db", "postgres://me:a#S3CRET@h", "{host: h, password: S3CRET}", "host=h\npassword S3CRET", "postgres://me:ab[S3CRET@h/db",
		"md:db?motherduck_token=S3CRET", "host=h, password: S3CRET, x: 1", "host=h hostaddr='S3CRET' x'", "user=me;pw=S3CRET;host=h",
	} {
		for _, kind := range []string{"server", "duckdb", "unknown"} {
			for _, variable := range []bool{false, true} {
				if text := show(kind, "dsn", dsn, variable); strings.Contains(text, "S3CRET") {
					t.Errorf("%s: %s is shown:\n%s", kind, dsn, text)
				}
			}
		}
	}
	if text := show("server", "dsn", "S3CRET", false); strings.Contains(text, "S3CRET") {
		t.Errorf("a password alone is shown:\n%s", text)
	}
	if text := show("duckdb", "connection_string", "S3CRET", false); strings.Contains(text, "S3CRET") {
		t.Errorf("what stands under a key that nobody knows is shown:\n%s", text)
	}
	for dsn, want := range map[string]string{
		"postgres://me:pw1@h:5432/db?sslmode=disable": "postgres://me:****@h:5432/db?sslmode=disable: could", "postgres://me@h/db": "postgres://me@h/db: could",
		"host=h user=me password='p w 1' dbname=d": "host=h user=me password=**** dbname=d: could", "host=/tmp dbname=d": "host=/tmp dbname=d: could",
		"data/dt=2024/shop.duckdb": "data/dt=2024/shop.duckdb: could", "my shop.duckdb": "my shop.duckdb: could", `C:\data\shop.duckdb`: `C:\data\shop.duckdb: could`,
	} {
		kind := "server"
		if strings.HasSuffix(dsn, "duckdb") {
			kind = "duckdb"
		}
		if text := show(kind, "dsn", dsn, true); !strings.Contains(text, want) {
			t.Errorf("%s: %s, want %s", dsn, text, want)
		}
	}
}

// TestSecretsInSettings: a setting that is wrong shows no password, wherever it is.
func TestSecretsInSettings(t *testing.T) {
	for set, want := range map[string]string{
		"sinks.w.dsn:postgres://u:S3CRET@h/d":                 "--set sinks.w.dsn…: a setting is key=value",
		"sinks.w.dsn:postgres://u:S3CRET@h/d?sslmode=require": "--set sinks.w.dsn…: a setting is key=value",
		"sinks.w.dsn:host=h password=S3CRET":                  `unknown key "dsn:host"`,
		"postgres://u:S3CRET@h/d":                             "--set postgres…: a setting is key=value",
		"=postgres://u:S3CRET@h/d":                            "--set …: a setting is key=value",
		"":                                                    "--set …: a setting is key=value",
		"u:S3CRET@tcp(h)/d":                                   "--set u…: a setting is key=value",
		"sinks.w=postgres//u:S3CRET@h/d":                      "--set sinks.w: w wants a mapping, not the text \"****\"",
		"sinks.w=host=h pass word=S3CRET":                     "--set sinks.w: w wants a mapping, not the text \"****\"",
		"sinks.v=postgres://u:S3CRET@h/d":                     `sinks has no "v"`,
		"sinks=postgres//u:S3CRET@h/d":                        "--set sinks: sinks wants a mapping of node names, not the text \"****\"",
	} {
		f, err := Load("f.yaml", []byte(minimal), testKinds(), Options{Set: []string{set}})
		if err == nil {
			err = f.Err()
		}
		if err == nil || strings.Contains(err.Error(), "S3CRET") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
}

// TestSecretsInKeys: a connection string that stands as a key is shown as a value is.
func TestSecretsInKeys(t *testing.T) {
	_, err := Load("f.yaml", []byte(strings.Replace(minimal, "dsn: x", `"postgres://u:S3CRET@h/d"`, 1)), testKinds(), Options{})
	if err == nil || strings.Contains(err.Error(), "S3CRET") || !strings.Contains(err.Error(), `unknown key "postgres://u:****@h/d"`) {
		t.Error(err)
	}
}

// TestSecretsInBrokenFiles: a line that is not YAML shows no password either.
func TestSecretsInBrokenFiles(t *testing.T) {
	for _, line := range []string{
		"dsn: postgres://u:S3CRET@h/db: x", "\tdsn: postgres://u:S3CRET@h/db", "dsn: \"host=h password=S3CRET", "dsn: [postgres://u:S3CRET@h",
		"dsn: @ postgres://h?password=S3CRET", "dsn: {host=h passwrod=S3CRET", "dsn: \"host=h pass S3CRET: x", "{dsn: 'me:S3CRET@h', a: b", "\tdsn: host=h pwd=S3CRET", "  - x\n dsn: host=h password='S3CRET word'\n- y", "dsn: postgres://u:S3CRET@h/\xff",
	} {
		_, err := Load("f", []byte("name: x\n"+line+"\n"), testKinds(), Options{})
		if err == nil || strings.Contains(err.Error(), "S3CRET") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestSecretsInLongLines: an excerpt that shows a part of a line shows no part of a
// password.
func TestSecretsInLongLines(t *testing.T) {
	const password = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for before := range 160 {
		line := fmt.Sprintf("x: {%s: 1, dsn: \"postgres://u:%s@host/db\", %s: 2}", strings.Repeat("a", before+1), password, strings.Repeat("b", 160))
		for _, at := range []int{1, before + 20, len(line) - 5} {
			unknown := strings.Replace(line, "postgres://u:"+password+"@host/db", "host=h pwd="+password, 1)
			hidden := mask(excerpt([]string{unknown}, textRange{1, min(at, len(unknown)), 3}), []secret{{value: "host=h pwd=" + password, written: true}})
			shown := mask(excerpt([]string{line}, textRange{1, at, 3}), nil) + hidden
			for i := range len(password) - 4 {
				if strings.Contains(shown, password[i:i+4]) {
					t.Fatalf("%d before, at %d: a part is shown:\n%s", before, at, shown)
				}
			}
		}
	}
}

// TestSecretsAreNeverShown: whatever is wrong with a file, its messages have no
// value of a secret variable, and no password of a connection string.
func TestSecretsAreNeverShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Z]{5}[ -~]{0,10}[A-Z]{5}`).Draw(t, "secret")
		field := rapid.SampledFrom([]string{"type", "inputs", "dsn", "schema", "mode", "url", "nope"}).Draw(t, "field")
		value := rapid.SampledFrom([]string{"${S_KEY}", `"${S_KEY}"`, "[${S_KEY}]", "x${S_KEY}", "{${S_KEY}: ${S_KEY}}", "{a: ${S_KEY}}", "${URL}", `"${KV}"`, "[${URL}]"}).Draw(t, "value")
		kind := rapid.SampledFrom([]string{"duckdb", "parquet"}).Draw(t, "kind")
		text := strings.Replace(minimal, "  w: {type: duckdb, inputs: [t.a], dsn: x}", "  w:\n    type: "+kind+"\n    "+field+": "+value, 1)
		for _, key := range []string{"interval", "max_records", "max_bytes"} {
			text = strings.Replace(text, "sources:", "epoch: {"+key+": ${S_KEY}}\nsources:", 1)
		}
		env := map[string]string{
			"S_KEY": secret, "URL": "postgres://me:" + url.PathEscape(secret) + "@host:x/db",
			"KV": fmt.Sprintf("host=h password='%s'", strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(secret)),
		}
		f, err := Load("f", []byte(text), testKinds(), Options{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Fatalf("%q is shown:\n%v", secret, err)
		}
		if f != nil && !strings.Contains(value, "nope") {
			if said := f.Redact("got " + secret + ", that is " + url.QueryEscape(secret)); strings.Contains(value, "S_KEY") && strings.Contains(said, secret) {
				t.Fatalf("%q is shown: %s", secret, said)
			}
		}
	})
}
