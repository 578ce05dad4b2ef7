package corpus

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// entry is a statement, or several, and what Redshift says of it.
type entry struct {
	ID        string            `json:"id"`
	Topic     string            `json:"topic"`
	SQL       string            `json:"sql"`
	Setup     []string          `json:"setup"`
	Objects   map[string]string `json:"objects"`  // on S3, by bucket/key
	Expect    string            `json:"expect"`   // ok or error
	Error     string            `json:"error"`    // its text, or a pattern of it; empty = any
	SQLState  string            `json:"sqlstate"` // alternatives by |; empty = any
	Level     string            `json:"level"`
	Source    string            `json:"source"`
	Certainty string            `json:"certainty"`
	Note      string            `json:"note"`
}

// read reads a corpus of testdata: a JSON object a line.
func read(t testing.TB, name string) []entry {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entries []entry
	ids := map[string]bool{}
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var e entry
		decoder := json.NewDecoder(strings.NewReader(scanner.Text()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&e); err != nil {
			t.Fatalf("%s:%d: %v", name, len(entries)+1, err)
		}
		if ids[e.ID] || e.ID == "" || e.Source == "" || e.Topic == "" || !slices.Contains([]string{"ok", "error"}, e.Expect) {
			t.Fatalf("%s:%d: %q is there twice, or is not whole", name, len(entries)+1, e.ID)
		}
		ids[e.ID] = true
		entries = append(entries, e)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return entries
}

// judge tells what is wrong with an outcome; nil = nothing.
func (e *entry) judge(got error) error {
	if e.Expect == "ok" {
		if got != nil {
			return fmt.Errorf("is refused: %w", got)
		}
		return nil
	}
	if got == nil {
		return errTaken
	}
	var pg *pgconn.PgError
	if !errors.As(got, &pg) {
		return fmt.Errorf("ends with what is no error of the server's: %w", got)
	}
	if e.SQLState != "" && !slices.Contains(strings.Split(e.SQLState, "|"), pg.Code) {
		return fmt.Errorf("SQLSTATE %s, want %s: %s", pg.Code, e.SQLState, pg.Message)
	}
	if text := pg.Message + "\n" + pg.Detail; !matches(e.Error, text) {
		return fmt.Errorf("%q does not match %q", text, e.Error)
	}
	// What the server itself fails at is no judgement.
	if pg.Code == "58000" || strings.HasPrefix(pg.Code, "08") && e.SQLState == "" {
		return fmt.Errorf("is refused for a reason that is not the statement's: %w", got)
	}
	return nil
}

// errTaken is the worst miss: a user's pipeline would pass here, and fail on a cluster.
var errTaken = errors.New("is taken, and Redshift refuses it")

// matches tells whether a text is a pattern, has it word for word, or has its parts
// between any `.*`: entries have regular expressions and plain texts with brackets alike.
// All white space is alike: a DETAIL is a block of lines that are filled with spaces.
func matches(pattern, text string) bool {
	pattern, text = strings.Join(strings.Fields(pattern), " "), strings.Join(strings.Fields(text), " ")
	if pattern == "" || strings.Contains(text, pattern) {
		return true
	}
	parts := strings.Split(pattern, ".*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	for _, p := range []string{pattern, strings.Join(parts, ".*")} {
		if expression, err := regexp.Compile("(?is)" + p); err == nil && expression.MatchString(text) {
			return true
		}
	}
	return false
}

// split cuts a text into its statements, at semicolons outside of quotes and comments.
func split(text string) []string {
	var statements []string
	begin := 0
	for i := 0; i < len(text); {
		switch {
		case text[i] == ';':
			statements, begin = append(statements, text[begin:i]), i+1
			i++
		case text[i] == '\'':
			i = quoted(text, i, true)
		case text[i] == '"':
			i = quoted(text, i, false)
		case strings.HasPrefix(text[i:], "--"):
			if end := strings.IndexByte(text[i:], '\n'); end >= 0 {
				i += end
			} else {
				i = len(text)
			}
		case strings.HasPrefix(text[i:], "/*"):
			if end := strings.Index(text[i+2:], "*/"); end >= 0 {
				i += end + 4
			} else {
				i = len(text)
			}
		case strings.HasPrefix(text[i:], "$$"):
			if end := strings.Index(text[i+2:], "$$"); end >= 0 {
				i += end + 4
			} else {
				i = len(text)
			}
		default:
			i++
		}
	}
	statements = append(statements, text[begin:])
	return slices.DeleteFunc(statements, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// quoted returns where what is quoted at i ends.
func quoted(text string, i int, backslashes bool) int {
	quote := text[i]
	for i++; i < len(text); i++ {
		switch {
		case backslashes && text[i] == '\\':
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "anything", true},
		{`value too long for type character varying(5)`, "value too long for type character varying(5)\n", true},
		{`column "?a"? does not exist|no b`, "column a does not exist\n", true},
		{"code: 15007 .* schema:\noptional x [i:0 d:1 r:0]", "Scan\n code:     15007 \n its schema:\noptional x [i:0 d:1 r:0]", true},
		{"not supported", "is fine\n", false},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("%q in %q: %v", c.pattern, c.text, got)
		}
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"select 1":                      {"select 1"},
		"begin; select ';' ; end;":      {"begin", " select ';' ", " end"},
		`select 'it''s;\';' ; a`:        {`select 'it''s;\';' `, " a"},
		"select \"a;b\" -- c;\n; next":  {"select \"a;b\" -- c;\n", " next"},
		"do $$ a; b $$; /* ; */ select": {"do $$ a; b $$", " /* ; */ select"},
	} {
		if got := split(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestJudge(t *testing.T) {
	refused := &pgconn.PgError{Code: "42601", Message: `syntax error at or near "x"`}
	for _, c := range []struct {
		entry entry
		got   error
		wrong bool
	}{
		{entry{Expect: "ok"}, nil, false},
		{entry{Expect: "ok"}, refused, true},
		{entry{Expect: "error"}, nil, true},
		{entry{Expect: "error"}, refused, false},
		{entry{Expect: "error", SQLState: "0A000|42601"}, refused, false},
		{entry{Expect: "error", SQLState: "0A000"}, refused, true},
		{entry{Expect: "error", Error: "near"}, refused, false},
		{entry{Expect: "error", Error: "far"}, refused, true},
		{entry{Expect: "error"}, errors.New("connection reset"), true},
	} {
		if got := c.entry.judge(c.got); (got != nil) != c.wrong {
			t.Errorf("%+v of %v: %v", c.entry, c.got, got)
		}
	}
}
