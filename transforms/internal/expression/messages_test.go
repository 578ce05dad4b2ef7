package expression

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
)

// soup makes expressions of which many are wrong in some way.
type soup struct {
	r     *rand.Rand
	names []string
}

func (s *soup) one(of ...string) string { return of[s.r.IntN(len(of))] }

func (s *soup) make(depth int) string {
	if depth == 0 || s.r.IntN(6) == 0 {
		return s.one("n", "p", "big", "huge", "s", "digits", "bad", "when", "day", "tags", "mixed", "lines", "m", "ok", "gone", "1", "2.5", "-3", `"a"`, `"2024-02-29"`,
			`"Europe/Berlin"`, `"02.01.2006"`, `"month"`, "nil", "true", "[]", "{}", "#", ".x", "#index", "1e400", "date(day)", "timestamp(when)", "float(p)", "0x7f", `"\u00e9"`, "$env", "nome()")
	}
	a, b, c := s.make(depth-1), s.make(depth-1), s.make(depth-1)
	switch s.r.IntN(9) {
	case 0, 1:
		return "(" + a + " " + s.one("+", "-", "*", "/", "%", "**", "==", "!=", "<", ">=", "in", "not in", "and", "or", "??", "..", "contains", "startsWith", "matches", "^", "&", "|") + " " + b + ")"
	case 2:
		return s.one("-", "not ", "!", "+") + a
	case 3:
		return a + s.one(".x", "["+b+"]", "["+b+":"+c+"]", "?.y", "[1]", "[-1]", "["+b, ".Local()")
	case 4:
		return fmt.Sprintf(
			s.one("(%s ? %s : %s)", "(if %s { %s } else { %s })", "[%s, %s, %s]", "{a: %s, b: %s, (%s): 1}", "(let x = %s; x + %s - %s)", "reduce(%s, %s, %s)"), a, b, c)
	default:
		args := []string{a, b, c}[:s.r.IntN(4)]
		return s.one(s.names...) + "(" + strings.Join(args, ", ") + ")"
	}
}

// foreign are words of Go and of the parser that nobody wants to read.
var foreign = regexp.MustCompile(`interface|<nil>|float64|uint|\*big|\bRat\b|strconv|reflect|runtime|panic|%!|\bmap\[|\[\]|struct|token|goroutine|syntax error|EOF|builtin|nil pointer|\bexpr\b|regexp|compil`)

// TestMessages: whatever is written, it is computed, or refused in words of ours
// at a place in it; and what is computed is text in UTF-8, soon.
func TestMessages(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := &soup{rand.New(rand.NewPCG(seed, 2)), append(slices.Sorted(maps.Keys(functions)), "now", "timezone", "sin")}
	counts := map[string]int{}
	for range 5_000 {
		text := s.make(1 + s.r.IntN(3))
		names := &itemNames{}
		e, mistakes := Parse(text, names)
		for _, m := range mistakes {
			if foreign.MatchString(m.Message) || m.From < 0 || m.Width < 0 || m.From+m.Width > utf8.RuneCountInString(text)+1 {
				t.Fatalf("%s: %s (%d, %d)", text, m.Message, m.From, m.Width)
			}
		}
		if mistakes != nil {
			counts["mistakes"]++
			continue
		}
		for i, number := range e.Variables() {
			v := Value{}
			if json, ok := item[names.names[number]]; ok {
				v, _ = ParseJSON([]byte(json))
			}
			e.Set(i, v)
		}
		began := time.Now()
		v, err := e.Value()
		var c Cell
		if err == nil {
			if v.Kind()&e.result.kinds == 0 && !v.isNull() {
				t.Fatalf("%s is a %s, and should be a %s", text, v.Kind(), e.result.kinds)
			}
			c, err = e.Convert(v, pipeline.Type{Kind: pipeline.String})
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("%s takes %s", text, took)
		}
		switch {
		case err != nil:
			counts["errors"]++
			if _, message, _ := strings.Cut(err.Error(), ": "); foreign.MatchString(strings.ReplaceAll(message, text, "")) && !foreign.MatchString(text) {
				t.Fatalf("%s: %v", text, err)
			}
		case !utf8.Valid(c.Text):
			t.Fatalf("%s is %q", text, c.Text)
		default:
			counts["values"]++
		}
	}
	t.Log(counts)
	if counts["mistakes"] < 1000 || counts["errors"] < 100 || counts["values"] < 500 {
		t.Errorf("the expressions are of little use: %v", counts)
	}
}
