package expression

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

var types = map[string]string{
	"price": "decimal(10,2)", "qty": "int64", "rate": "double", "name": "string", "ok": "bool",
	"born": "date", "at": "timestamp", "ord.amount": "decimal(12,4)", "max": "int64",
}

var names = []string{"price", "qty", "rate", "name", "ok", "born", "at", "ord.amount", "max"}

func columns(name string) (int, pipeline.Type, bool) {
	for i, n := range names {
		if n == name {
			t, err := pipeline.ParseType(types[n])
			return i, t, err == nil
		}
	}
	return 0, pipeline.Type{}, false
}

func decimalOf(unscaled int64) []byte {
	t := pipeline.Type{Kind: pipeline.Decimal, Precision: 38}
	c, err := cell(nil, IntOf(unscaled), t)
	if err != nil {
		panic(err)
	}
	return c.pack(nil, t)
}

// show returns a packed result as text.
func show(v []byte, null bool, t pipeline.Type) string {
	if null {
		return "null"
	}
	value, err := unpack(v, t)
	if err != nil {
		panic(err)
	}
	return value.Text()
}

func TestEval(t *testing.T) {
	price, qty := decimalOf(1999), []byte{3, 0, 0, 0, 0, 0, 0, 0}
	values := [][]byte{price, qty, nil, packed.AppendBytes(nil, []byte("Pen")), {1}, {31, 0, 0, 0}, nil, decimalOf(5), {7, 0, 0, 0, 0, 0, 0, 0}}
	for _, c := range []struct{ text, typ, want string }{
		{"price * qty", "decimal(12,2)", "59.97"},
		{"price / qty", "decimal(12,2)", "6.66"},
		{"price * 0.1", "decimal(12,2)", "2"},
		{"0.1 + 0.2", "string", "0.3"},
		{"-price * 0.5", "decimal(12,2)", "-10"}, // -9.995, half away from zero
		{"ord.amount + price", "decimal(12,4)", "19.9905"},
		{"price + rate", "double", "null"},
		{"price + (rate ?? 1)", "decimal(12,2)", "20.99"},
		{"qty > 2 ? 1 : 0", "int64", "1"},
		{"rate > 2 ? 1 : 0", "int64", "0"},
		{"rate == nil", "bool", "true"},
		{"qty * (price ?? 1)", "decimal(12,2)", "59.97"},
		{"price ?? qty", "decimal(12,2)", "19.99"},
		{"max * 2", "int64", "14"},
		{"max(max, qty) + max", "int64", "14"},
		{"name + \"!\"", "string", "Pen!"},
		{"year(born)", "int64", "1970"},
		{"month(born) * 100 + day(born)", "int64", "201"},
		{"round(price, 1)", "decimal(12,2)", "20"},
		{"floor(price) + ceil(price)", "int64", "39"},
		{"max(price, qty, 20)", "decimal(12,2)", "20"},
		{"abs(qty - 5) % 2", "int64", "0"},
		{"ok and not (qty == 4)", "bool", "true"},
		{"let x = price; x - x", "int64", "0"},
		{"price / (qty - 3)", "decimal(12,2)", "error: division by zero"},
		{"price * 100000000", "decimal(10,2)", "error: does not fit"},
	} {
		t.Run(c.text, func(t *testing.T) {
			typ, err := pipeline.ParseType(c.typ)
			if err != nil {
				t.Fatal(err)
			}
			e, mistakes := Compile(c.text, columns, typ)
			if mistakes != nil {
				t.Fatal(mistakes)
			}
			v, null, err := e.Eval(nil, values)
			got := ""
			if err != nil {
				if want, ok := strings.CutPrefix(c.want, "error: "); !ok || !strings.Contains(err.Error(), want) {
					t.Fatal(err)
				}
				return
			}
			if got = show(v, null, typ); got != c.want {
				t.Errorf("%s is %s, want %s", c.text, got, c.want)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"prize * 2":    `unknown name "prize"`,
		"ord.amuont":   `unknown name "ord.amuont"`,
		"name * 2":     "type mismatch",
		"price +":      "the expression ends",
		"now()":        "now is not there",
		"name":         "the result is a string",
		"price > name": "type mismatch",
	} {
		_, mistakes := Compile(text, columns, pipeline.Type{Kind: pipeline.Int64})
		if len(mistakes) != 1 || !strings.Contains(mistakes[0].Message, want) {
			t.Errorf("%s: mistakes are %v, want %s", text, mistakes, want)
		}
	}
}

// TestExact: arithmetic is that of rational numbers, rounded once.
func TestExact(t *testing.T) {
	typ := pipeline.Type{Kind: pipeline.Decimal, Precision: 38, Scale: 6}
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.Int64Range(-1e10+1, 1e10-1).Draw(rt, "a"), rapid.Int64Range(-1e12+1, 1e12-1).Draw(rt, "b")
		e, mistakes := Compile("(price * ord.amount + 1.25) / 7", columns, typ)
		if mistakes != nil {
			rt.Fatal(mistakes)
		}
		v, null, err := e.Eval(nil, [][]byte{decimalOf(a), nil, nil, nil, nil, nil, nil, decimalOf(b)})
		if err != nil || null {
			rt.Fatal(err, null)
		}
		// a/100 × b/10000 + 125/100, over 7, in millionths: (a×b + 1250000) / 7.
		n := new(big.Int).Add(new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), big.NewInt(1_250_000))
		q, r := new(big.Int).QuoRem(n, big.NewInt(7), new(big.Int))
		if r.CmpAbs(big.NewInt(4)) >= 0 {
			q.Add(q, big.NewInt(int64(r.Sign())))
		}
		got := unpackScalar(v, pipeline.Type{Kind: pipeline.Decimal, Precision: 38}).rat()
		if got.Num().Cmp(q) != 0 {
			rt.Fatalf("got %s, want %s", got.Num(), q)
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"price * qty", "ord.amount ?? 1", "let x = 1; x", "[1,2][0]", "{a: 1}.a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			return
		}
		e, mistakes := Compile(text, columns, pipeline.Type{Kind: pipeline.String})
		if mistakes != nil {
			return
		}
		if _, _, err := e.Eval(nil, make([][]byte, len(names))); err != nil {
			t.Log(fmt.Sprint(err))
		}
	})
}

func BenchmarkEval(b *testing.B) {
	e, mistakes := Compile("price * qty", columns, pipeline.Type{Kind: pipeline.Decimal, Precision: 12, Scale: 2})
	if mistakes != nil {
		b.Fatal(mistakes)
	}
	var err error
	values := [][]byte{decimalOf(1999), {3, 0, 0, 0, 0, 0, 0, 0}, nil, nil, nil, nil, nil, nil}
	var dst []byte
	for range b.N {
		if dst, _, err = e.Eval(dst[:0], values); err != nil {
			b.Fatal(err)
		}
	}
}
