package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type lettersStore struct {
	Region string `yaml:"region" change:"free" desc:"Where it is."`
	Parts  Bytes  `yaml:"parts" default:"16MiB" change:"free" desc:"How large."`
}

// TestKeysBeside: the keys of the dead letters' store stand among the others of dead_letters, in
// files, in mistakes, in the schema, in the reference and in what is remembered of a file.
func TestKeysBeside(t *testing.T) {
	kinds := testKinds()
	kinds.DeadLetters = func() any { return new(lettersStore) }
	load := func(text string) (*File, error) {
		return Load("shop.yaml", []byte(minimal+text), kinds, Options{})
	}
	for text, want := range map[string]any{
		"": &lettersStore{Parts: 16 << 20},
		"dead_letters: {region: r, max_ratio: 1}\n": &lettersStore{Region: "r", Parts: 16 << 20},
		"dead_letters: {parts: 1MiB, url: u}\n":     &lettersStore{Parts: 1 << 20},
		"dead_letters: null\n":                      &lettersStore{Parts: 16 << 20},
	} {
		f, err := load(text)
		if err != nil {
			t.Fatalf("%s%v", text, err)
		}
		if diff := cmp.Diff(want, f.DeadLetters.Store); diff != "" {
			t.Errorf("%s%s", text, diff)
		}
	}
	_, err := load("dead_letters: {regoin: r, max_raito: 1, parts: many}\n")
	if err == nil || strings.Count(err.Error(), "unknown key") != 2 {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{`did you mean "region"`, `did you mean "max_ratio"`, "parts"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f, err := load("dead_letters: {region: r, retention: 1d}\n")
	if err != nil {
		t.Fatal(err)
	}
	var settings []string
	for _, s := range f.Settings(nil) {
		if s.Path[0] == "dead_letters" {
			settings = append(settings, strings.Join(s.Path, ".")+"="+s.Text)
		}
	}
	if got := strings.Join(settings, " "); !strings.Contains(got, "dead_letters.region=r") || strings.Contains(got, "parts") {
		t.Errorf("settings %s", got)
	}
	schema, err := Schema(kinds)
	if err != nil || !strings.Contains(string(schema), `"Where it is."`) {
		t.Errorf("the schema knows nothing of them: %v", err)
	}
	if got := Reference(kinds); !strings.Contains(got, "| `dead_letters.parts` | size | `16MiB` | free | How large. |") {
		t.Error("the reference knows nothing of them")
	}
}
