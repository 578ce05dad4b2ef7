package dynamodbtest

import (
	"cmp"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestNumbersAreOrdered holds texts, their order and sums to exact arithmetic.
func TestNumbersAreOrdered(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	random := func() (string, *big.Rat) {
		digits := make([]byte, 1+chance.IntN(6))
		for i := range digits {
			digits[i] = "0123456789"[chance.IntN(10)]
		}
		point := chance.IntN(len(digits) + 1)
		text := string(digits[:point]) + "." + string(digits[point:]) + fmt.Sprintf("E%+d", chance.IntN(20)-10)
		if chance.IntN(2) == 0 {
			text = "-" + text
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal(text)
		}
		return text, exact
	}
	for range 5000 {
		a, exactA := random()
		b, exactB := random()
		x, err := parseNumber(a)
		must(t, err)
		y, err := parseNumber(b)
		must(t, err)
		if written, ok := new(big.Rat).SetString(x.String()); !ok || written.Cmp(exactA) != 0 || strings.ContainsAny(x.String(), "eE+") {
			t.Fatalf("%s is written %s", a, x)
		}
		if got, want := cmp.Compare(x.sortable(), y.sortable()), exactA.Cmp(exactB); got != want {
			t.Fatalf("%s beside %s: %d, want %d", a, b, got, want)
		}
		v, err := sum(N(a), N(b), true)
		must(t, err)
		if got, ok := new(big.Rat).SetString(v.Text); !ok || got.Cmp(exactA.Sub(exactA, exactB)) != 0 {
			t.Fatalf("%s - %s = %s", a, b, v.Text)
		}
	}
}

// TestSegmentsMeet: segments are ranges of hashes that have no hole and do not overlap.
func TestSegmentsMeet(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64, 1000, 999_983, 1_000_000} {
		for _, i := range []int{0, 1, n / 3, n / 2, n - 1} {
			if i >= n {
				continue
			}
			start := segmentStart(i, n)
			if segmentOf(start, n) != i || i > 0 && segmentOf(start-1, n) != i-1 {
				t.Errorf("segment %d of %d begins at %d, which is in %d", i, n, start, segmentOf(start, n))
			}
		}
		if segmentOf(1<<64-1, n) != n-1 {
			t.Errorf("the last hash is in segment %d of %d", segmentOf(1<<64-1, n), n)
		}
	}
}
