package expression

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/builtin"

	"github.com/starlift-etl/starlift/pipeline/decode"
)

const docs = "../../../docs/expressions.md"

// noNames resolves nothing.
type noNames struct{}

// Resolve implements Names.
func (noNames) Resolve(chain decode.Path) (int, Type, int, *Mistake) {
	return 0, Any, 0, &Mistake{Message: "unknown name " + chain.String()}
}

// compute returns what an expression without names is.
func compute(t *testing.T, text string) Value {
	t.Helper()
	e, mistakes := Parse(text, noNames{})
	if mistakes != nil {
		t.Errorf("%s: %v", text, mistakes)
		return Value{}
	}
	v, err := e.Value()
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
	if v.Kind()&e.result.kinds == 0 && !v.isNull() {
		t.Errorf("%s is a %s, and should be a %s", text, v.Kind(), e.result.kinds)
	}
	return v
}

var (
	functionRow = regexp.MustCompile("(?m)^\\| `((\\w+)\\([^`]*\\))` \\| ([^|]+) \\| ([^|]*)\\| `(.*)` = `(.*)` \\|$")
	operatorRow = regexp.MustCompile(`(?m)^(\S.*?\S) {2,}(\S.*)$`)
)

// TestDocs: the page of functions has all that there are, as they are called,
// with what they give, and its examples are right.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	var documented []string
	for _, row := range functionRow.FindAllStringSubmatch(page, -1) {
		signature, name, gives, example, want := row[1], row[2], row[3], row[5], row[6]
		f := functions[name]
		if f == nil {
			t.Errorf("%s is documented, and not there", name)
			continue
		}
		documented = append(documented, name)
		if signature != f.signature() {
			t.Errorf("%s is documented as %s", f.signature(), signature)
		}
		if !strings.Contains(example, name+"(") {
			t.Errorf("the example of %s is %s", name, example)
		}
		v := compute(t, example)
		if got := v.Text(); got != want {
			t.Errorf("%s is %s, documented as %s", example, got, want)
		}
		if kinds := given(gives); kinds != anything && v.Kind()&kinds == 0 {
			t.Errorf("%s is a %s, and is documented to give a %s", example, v.Kind(), gives)
		}
	}
	slices.Sort(documented)
	if all := slices.Sorted(maps.Keys(functions)); !slices.Equal(documented, all) {
		t.Errorf("documented are %v, there are %v", documented, all)
	}
	_, operators, _ := strings.Cut(page, "```text\n")
	operators, _, _ = strings.Cut(operators, "```")
	rows := operatorRow.FindAllStringSubmatch(operators, -1)
	if len(rows) < 30 || len(rows) != strings.Count(operators, "\n") {
		t.Errorf("%d examples of operators in %d lines", len(rows), strings.Count(operators, "\n"))
	}
	for _, row := range rows {
		if got := compute(t, row[1]).Text(); got != row[2] {
			t.Errorf("%s is %s, documented as %s", row[1], got, row[2])
		}
	}
	for name := range refused {
		if !strings.Contains(page, "`"+name+"()` is not there") {
			t.Errorf("the page does not say that %s is not there", name)
		}
	}
}

// given returns the kinds that a cell of the column gives names.
func given(text string) (kinds Kind) {
	for _, n := range kindNames {
		if regexp.MustCompile(`\b` + n.name + `\b`).MatchString(text) {
			kinds |= n.kind
		}
	}
	if kinds == 0 {
		return anything
	}
	return kinds
}

// TestBuiltins: each function of the language is there, or refused with a reason.
func TestBuiltins(t *testing.T) {
	for _, name := range builtin.Names {
		if functions[name] == nil && refused[name] == "" {
			t.Errorf("%s is neither there nor refused", name)
		}
	}
	for name, why := range refused {
		if functions[name] != nil {
			t.Errorf("%s is refused, and there", name)
		}
		_, mistakes := Parse(name+"()", noNames{})
		if len(mistakes) != 1 || mistakes[0].Message != why || mistakes[0].From != 0 || mistakes[0].Width != len(name) {
			t.Errorf("%s(): %v", name, mistakes)
		}
	}
}
