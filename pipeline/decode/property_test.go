package decode

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var someNames = []string{"a", "b", "n", "s", "ü", "", "abcdefgh", "abcdefghi", "abcdefghj", "k", "x", "a.b", `"q"`, "\U0001F600", "OutofPockPercent"}

var someTexts = []string{"", "a", "true", "1", "plain text", "Grüße", "日本語のテキスト", "\U0001F600 smile", "tab\there", `back\slash "quote"`, "\x00\x1f\x7f", strings.Repeat("long ", 60)}

var someNumbers = []string{"0", "1", "-1", "10", "12.5", "-0.001", "99999999999999999999999999999999999999", "1e-130", "9.99E+125", "100000000000000000000", "0.1", "3507", "-0"}

// randomMap makes a map whose names are different.
func randomMap(r *rand.Rand, depth int, typed bool) *tree {
	t := &tree{kind: Map}
	for _, i := range r.Perm(len(someNames))[:r.IntN(7)] {
		t.names = append(t.names, someNames[i])
		t.members = append(t.members, randomTree(r, depth-1, typed))
	}
	return t
}

func randomTree(r *rand.Rand, depth int, typed bool) *tree {
	kinds := []Kind{Null, String, String, Number, Number, Bool}
	if typed {
		kinds = append(kinds, Binary, StringSet, NumberSet, BinarySet)
	}
	if depth > 0 {
		kinds = append(kinds, Map, List)
	}
	t := &tree{kind: kinds[r.IntN(len(kinds))]}
	switch t.kind {
	case String:
		t.text = someTexts[r.IntN(len(someTexts))]
	case Number:
		t.text = someNumbers[r.IntN(len(someNumbers))]
	case Bool:
		t.text = fmt.Sprint(r.IntN(2) == 0)
	case Binary:
		t.text = base64.RawStdEncoding.EncodeToString([]byte(someTexts[r.IntN(len(someTexts))]))
	case Map:
		return randomMap(r, depth, typed)
	case List:
		for range r.IntN(4) {
			t.members = append(t.members, randomTree(r, depth-1, typed))
		}
	case StringSet, NumberSet, BinarySet:
		for range 1 + r.IntN(3) {
			e := randomTree(r, 0, typed)
			e.kind = []Kind{String, Number, Binary}[t.kind-StringSet]
			switch e.kind {
			case Number:
				e.text = someNumbers[r.IntN(len(someNumbers))]
			case Binary:
				e.text = base64.RawStdEncoding.EncodeToString([]byte(someTexts[r.IntN(len(someTexts))]))
			}
			e.members = nil
			t.members = append(t.members, e)
		}
	}
	return t
}

// seeded returns a random source and logs its seed.
func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

const damage = "{}[]\",:\\0\x01\xff xeE-+.tn"

func TestRandomImagesAgreeWithReference(t *testing.T) {
	r := seeded(t)
	for i := range 4000 {
		typed := i%2 == 0
		rec := []byte(randomMap(r, 5, typed).spellImage(r, typed))
		checkImage(t, rec, typed)
		at := r.IntN(len(rec))
		damaged := slices.Clone(rec)
		damaged[at] = damage[r.IntN(len(damage))]
		checkImage(t, damaged, typed)
		checkImage(t, rec[:at], typed)
	}
}

func TestHashIgnoresOrderAndSpelling(t *testing.T) {
	r := seeded(t)
	d := imageDecoder(nil, true, true)
	hash := func(rec string) uint64 {
		_, h, err := scanImage(d, []byte(rec))
		if err != nil {
			t.Fatalf("%s: %v", rec, err)
		}
		return h
	}
	for range 1000 {
		doc := randomMap(r, 4, true)
		a, b := doc.spellImage(r, true), doc.spellImage(r, true)
		if hash(a) != hash(b) {
			t.Fatalf("different hashes:\n%s\n%s", a, b)
		}
		if len(doc.members) == 0 {
			continue
		}
		i := r.IntN(len(doc.members))
		before := doc.members[i]
		doc.members[i] = &tree{kind: List, members: []*tree{before}}
		if c := doc.spellImage(r, true); hash(a) == hash(c) {
			t.Fatalf("one hash:\n%s\n%s", a, c)
		}
	}
}

func TestHashTellsApart(t *testing.T) {
	images := []string{
		`{}`, `{"a":{"NULL":true}}`, `{"a":{"S":""}}`, `{"a":{"L":[]}}`, `{"a":{"M":{}}}`, `{"a":{"SS":[]}}`, `{"a":{"NS":[]}}`,
		`{"a":{"S":"1"}}`, `{"a":{"N":"1"}}`, `{"a":{"B":"1"}}`, `{"a":{"SS":["1"]}}`, `{"a":{"NS":["1"]}}`, `{"a":{"BS":["1"]}}`,
		`{"a":{"L":[{"S":"1"}]}}`, `{"a":{"L":[{"S":"1"},{"S":"2"}]}}`, `{"a":{"L":[{"S":"2"},{"S":"1"}]}}`, `{"a":{"SS":["1","2"]}}`,
		`{"a":{"M":{"a":{"S":"1"}}}}`, `{"b":{"S":"1"}}`, `{"a":{"S":"b"},"b":{"S":"a"}}`, `{"a":{"S":"a"},"b":{"S":"b"}}`,
		`{"a":{"BOOL":true}}`, `{"a":{"BOOL":false}}`, `{"a":{"L":[{"L":[]},{"L":[]}]}}`, `{"a":{"L":[{"L":[{"L":[]}]}]}}`,
		`{"a":{"N":"-1"}}`, `{"a":{"N":"10"}}`, `{"a":{"N":"0.1"}}`, `{"a":{"N":"1e64"}}`, `{"a":{"N":"1e65"}}`, `{"a":{"N":"-1e63"}}`,
	}
	d := imageDecoder(nil, true, true)
	seen := map[uint64]string{}
	for _, rec := range images {
		_, h, err := scanImage(d, []byte(rec))
		if err != nil || h == 0 {
			t.Fatalf("%s: %d %v", rec, h, err)
		}
		if other, ok := seen[h]; ok {
			t.Errorf("one hash: %s and %s", rec, other)
		}
		seen[h] = rec
	}
}

// State keeps hashes: they may not change.
func TestHashesArePinned(t *testing.T) {
	const rec = `{"PK":{"S":"a"},"n":{"N":"1.50"},"m":{"M":{"l":{"L":[{"BOOL":true},{"NULL":true}]}}},"s":{"SS":["x","y"]},"b":{"B":"AAE="}}`
	_, h, err := scanImage(imageDecoder(nil, true, true), []byte(rec))
	if err != nil || h != 0xdc4ad0d49ed5fe9b {
		t.Errorf("hash %#x %v, want %#x", h, err, uint64(0xdc4ad0d49ed5fe9b))
	}
}
