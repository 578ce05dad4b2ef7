package pattern

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// vector is a pattern of EventBridge's documentation, or of tests of it and of its
// engine, with an event and what becomes of it there.
type vector struct {
	Source  string // the page
	Pattern json.RawMessage
	Event   json.RawMessage
	Want    string // match, no match, or refused
	Here    string // where it differs: match, no match, or accepted
	Why     string // the difference, which the package comment names
}

func readVectors(t *testing.T) (all []vector) {
	data, err := os.ReadFile("testdata/eventbridge.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		var v vector
		if err := d.Decode(&v); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		all = append(all, v)
	}
	return all
}

// TestEventBridge: what EventBridge says of a pattern and an event holds here, but for
// the differences that the package comment names.
func TestEventBridge(t *testing.T) {
	count := map[string]int{}
	for i, v := range readVectors(t) {
		count[v.Want]++
		want := v.Want
		if v.Here != "" {
			if v.Why == "" || v.Here == v.Want {
				t.Errorf("line %d: a difference needs its reason", i+1)
			}
			want = v.Here
		}
		p, err := Compile(parse(t, string(v.Pattern)), nil)
		if refused := err != nil; refused != (want == "refused") {
			t.Errorf("line %d: %s: %v, want it %s (%s)", i+1, v.Pattern, err, want, v.Source)
			continue
		}
		if v.Event == nil || p == nil {
			continue
		}
		pattern, event := parse(t, string(v.Pattern)).(map[string]any), parse(t, string(v.Event))
		if got := plainMatch(t, p, string(v.Event)); got != (want == "match") {
			t.Errorf("line %d: %s on %s: %v, want %s (%s)", i+1, v.Pattern, v.Event, got, want, v.Source)
		}
		if got := typedMatch(t, p, event); got != (want == "match") {
			t.Errorf("line %d: %s on DynamoDB's %s: %v, want %s (%s)", i+1, v.Pattern, v.Event, got, want, v.Source)
		}
		if got := naiveMap(pattern, event); got != (want == "match") {
			t.Errorf("line %d: the oracle errs: %s on %s (%s)", i+1, v.Pattern, v.Event, v.Source)
		}
	}
	if count["match"] < 130 || count["no match"] < 100 || count["refused"] < 55 {
		t.Errorf("vectors are missing: %v", count)
	}
}
