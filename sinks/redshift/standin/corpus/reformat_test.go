package corpus

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestReformatted: what a statement means is not in its spelling. Each entry is tried with
// words in other cases, with other white space and comments, and with other names, and has
// to be judged as before.
func TestReformatted(t *testing.T) {
	seed := uint64(1)
	if s := os.Getenv("STARLIFT_CORPUS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (STARLIFT_CORPUS_SEED)", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
	var entries []entry
	for _, e := range read(t, "corpus.jsonl") {
		if _, coded := words[e.ID]; coded || misses[e.ID] != "" || slices.ContainsFunc(e.Setup, func(s string) bool { return strings.Contains(s, "case_sensitive") }) {
			continue
		}
		if _, fixed := fixtures[e.ID]; !fixed {
			rename(&e)
		}
		e.SQL = reformat(e.SQL, random)
		entries = append(entries, e)
	}
	wrong := tryAll(t, entries, func(ctx context.Context, w *worker, e *entry) error { return w.tryBy(ctx, e, byParse) })
	for _, id := range slices.Sorted(maps.Keys(wrong)) {
		i := slices.IndexFunc(entries, func(e entry) bool { return e.ID == id })
		t.Errorf("%s %s: %v", id, shorten(entries[i].SQL), wrong[id])
	}
}

// tryAll tries entries on several stand-ins, and returns what is wrong, by id.
func tryAll(t *testing.T, entries []entry, f func(context.Context, *worker, *entry) error) map[string]error {
	work := make(chan *entry)
	wrong := map[string]error{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, w := range startAll(t) {
		group.Go(func() {
			for e := range work {
				if err := w.within(t, e, f); err != nil {
					mu.Lock()
					wrong[e.ID] = err
					mu.Unlock()
				}
			}
		})
	}
	for i := range entries {
		work <- &entries[i]
	}
	close(work)
	group.Wait()
	return wrong
}

func (w *worker) within(t *testing.T, e *entry, f func(context.Context, *worker, *entry) error) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return f(ctx, w, e)
}

// names are what entries of corpus.jsonl call their tables and columns.
var names = map[string]string{
	"f_sale": "bestellung_2", "stg_sale": "zz_stage", "sale_id": "nr", "cust": "kunde", "amt": "betrag", "sold_at": "wann",
	"tg": "ziel", "sr": "quelle", "dwuser": "analyst9", "etl": "loaders", "rwt": "w_1", "ty_bad": "tb", "ty_ok": "tok",
}

var word = regexp.MustCompile(`[A-Za-z_][A-Za-z_0-9]*`)

// rename gives an entry's objects other names, in its expectation too.
func rename(e *entry) {
	other := func(s string) string {
		return word.ReplaceAllStringFunc(s, func(w string) string {
			if n, ok := names[w]; ok {
				return n
			}
			return w
		})
	}
	e.SQL, e.Error, e.Setup = other(e.SQL), other(e.Error), slices.Clone(e.Setup)
	for i := range e.Setup {
		e.Setup[i] = other(e.Setup[i])
	}
}

// reformat changes the case of words and what is between tokens.
func reformat(sql string, random *rand.Rand) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		end := i + 1
		switch c := sql[i]; {
		case c == '\'':
			end = quoted(sql, i, true)
		case c == '"':
			end = quoted(sql, i, false)
		case strings.HasPrefix(sql[i:], "$$"):
			end = i + 4 + strings.Index(sql[i+2:], "$$")
		case c == ' ' || c == '\n' || c == '\t':
			spaces := []string{" ", "\n", "\t", "  ", "\r\n", " /* ; ' */ ", " -- it's; \n", "/**/ "}
			b.WriteString(spaces[random.IntN(len(spaces))])
			i = end
			continue
		case word.MatchString(sql[i : i+1]):
			end = i + len(word.FindString(sql[i:]))
			w := sql[i:end]
			switch random.IntN(3) {
			case 0:
				w = strings.ToUpper(w)
			case 1:
				w = strings.ToUpper(w[:1]) + w[1:]
			}
			b.WriteString(w)
			i = end
			continue
		}
		b.WriteString(sql[i:end])
		i = end
	}
	return b.String()
}

func TestReformat(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 0)) //nolint:gosec // no secret
	const sql = `select "Quoted x", 'it''s a\'b', f1(x) from t where a = 'X'`
	got := reformat(sql, random)
	if got == sql || !strings.Contains(got, `"Quoted x"`) || !strings.Contains(got, `'it''s a\'b'`) || !strings.HasSuffix(got, `'X'`) {
		t.Errorf("%q", got)
	}
	e := entry{SQL: "select sale_id from f_sale", Error: `relation "f_sale"`, Setup: []string{"create table f_sale(sale_id int)"}}
	rename(&e)
	if want := `{select nr from bestellung_2 relation "bestellung_2" [create table bestellung_2(nr int)]}`; fmt.Sprint(struct {
		a, b string
		c    []string
	}{e.SQL, e.Error, e.Setup}) != want {
		t.Errorf("%+v", e)
	}
}
