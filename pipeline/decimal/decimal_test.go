package decimal

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// numbers draws numbers as text: short and long, with exponents that matter.
func numbers() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		text := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign")
		text += rapid.StringMatching(`(0{0,3}[0-9]{1,20}|[0-9]{30,45}|[1-9]0{10,40})`).Draw(t, "whole")
		text += rapid.StringMatching(`(|\.[0-9]{1,5}|\.[0-9]{1,3}0{1,40}|\.0{5,30}[0-9]{1,10})`).Draw(t, "fraction")
		text += rapid.StringMatching(`(|[eE][+-]?[0-9]{1,2}|e-?1[0-3][0-9])`).Draw(t, "exponent")
		return text
	})
}

func TestScaledAgainstRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := numbers().Draw(t, "number")
		digits := rapid.IntRange(1, 38).Draw(t, "digits")
		scale := rapid.IntRange(0, digits).Draw(t, "scale")
		got, reason := Scaled([]byte(text), scale, digits)

		want, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("bad number %s", text)
		}
		want.Mul(want, new(big.Rat).SetInt(power(scale)))
		switch {
		case !want.IsInt():
			// A number can be both too fine and too large.
			if reason != NotExact && reason != OutOfRange {
				t.Fatalf("%s × 10^%d is no integer: %q", text, scale, reason)
			}
		case new(big.Int).Abs(want.Num()).Cmp(power(digits)) >= 0:
			if reason != OutOfRange {
				t.Fatalf("%s × 10^%d has over %d digits: %q", text, scale, digits, reason)
			}
		case reason != "":
			t.Fatalf("%s × 10^%d: %q", text, scale, reason)
		default:
			hi, lo := got.Twos()
			n := new(big.Int).Lsh(big.NewInt(int64(hi)), 64)
			if n.Add(n, new(big.Int).SetUint64(lo)); n.Cmp(want.Num()) != 0 {
				t.Fatalf("%s × 10^%d: %s", text, scale, n)
			}
		}
	})
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func TestInt64AgainstBigInts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := numbers().Draw(t, "number")
		got, reason := Int64([]byte(text))
		want, _ := new(big.Rat).SetString(text)
		fits := want.IsInt() && want.Num().IsInt64()
		if fits != (reason == "") || fits && got != want.Num().Int64() {
			t.Fatalf("%s: %d %q", text, got, reason)
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		power int
		want  int64
		ok    bool
	}{
		{"9223372036854775807", 0, 9223372036854775807, true}, {"-9223372036854775808", 0, -9223372036854775808, true},
		{"9223372036854775808", 0, 0, false}, {"1e19", 0, 0, false}, {"1.2345678", 6, 1234567, true}, {"-1.5", 0, -1, true},
		{"1e-99999999999999999999", 6, 0, true}, {"123456789012345678", 0, 123456789012345678, true}, {"1234567890123", 6, 1234567890123000000, true},
		{"12345678901234", 6, 0, false},
	} {
		if got, ok := Cut([]byte(c.text), c.power); ok != c.ok || got != c.want {
			t.Errorf("%s × 10^%d: %d %v", c.text, c.power, got, ok)
		}
	}
}

// TestOrderAgainstRationals: numbers are in the order of their values, and have
// one spelling each, which reads as the same number.
func TestOrderAgainstRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers().Draw(t, "a"), numbers().Draw(t, "b")
		if rapid.Bool().Draw(t, "near") { // the same number in another spelling, or one digit more
			b = a + rapid.SampledFrom([]string{"", "0", "1"}).Draw(t, "more")
			if !strings.ContainsAny(a, ".eE") {
				b = a + rapid.SampledFrom([]string{".0", "e0", ".1", "e-1"}).Draw(t, "tail")
			}
		}
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		if got, want := Compare([]byte(a), []byte(b)), x.Cmp(y); got != want {
			t.Fatalf("%s and %s compare as %d, want %d", a, b, got, want)
		}
		one, two := string(Append(nil, []byte(a))), string(Append(nil, []byte(b)))
		if (one == two) != (x.Cmp(y) == 0) {
			t.Fatalf("%s is spelled %s, and %s is spelled %s", a, one, b, two)
		}
		if again, _ := new(big.Rat).SetString(one); again.Cmp(x) != 0 {
			t.Fatalf("%s is spelled %s", a, one)
		}
	})
}

func TestIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hi, lo := rapid.Int64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")
		scale := rapid.IntRange(0, 40).Draw(t, "scale")
		n := new(big.Int).Lsh(big.NewInt(hi), 64)
		n.Add(n, new(big.Int).SetUint64(lo))
		want := new(big.Rat).SetFrac(n, power(scale)).FloatString(scale)
		if got := string(FromTwos(hi, lo).Append(nil, scale)); got != want {
			t.Fatalf("%s ÷ 10^%d is written %s, want %s", n, scale, got, want)
		}
		if v, ok := FromTwos(hi, lo).Int64(); ok != n.IsInt64() || ok && v != n.Int64() {
			t.Fatalf("%s as 64 bits: %d %v", n, v, ok)
		}
		if again, low := FromTwos(hi, lo).Twos(); int64(again) != hi || low != lo {
			t.Fatalf("%d, %d became %d, %d", hi, lo, again, low)
		}
	})
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"1", "-0.50", "1e5", "12345678901234567890.1", "+1", ".5", "5.", "1e", "e", "-", "", "1e+-2", "0x1", "1.e5", "-.5", "99999999999999999999999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, reason := Scaled([]byte(text), 5, 38)
		_, double := Float([]byte(text))
		if (reason == NotNumber) != (double == NotNumber) {
			t.Errorf("%q: decimal %q, double %q", text, reason, double)
		}
	})
}

var sizes = []string{"7", "19.99", "1657238404999", "-12345678901234567890.123", "1.5e-7"}

func BenchmarkScaled(b *testing.B) {
	for _, text := range sizes {
		b.Run(text, func(b *testing.B) {
			for range b.N {
				Scaled([]byte(text), 10, 38)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	var dst []byte
	for _, text := range sizes {
		b.Run(text, func(b *testing.B) {
			for range b.N {
				dst = Append(dst[:0], []byte(text))
			}
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, text := range sizes {
		b.Run(text, func(b *testing.B) {
			for range b.N {
				Compare([]byte(text), []byte("20.5"))
			}
		})
	}
}
