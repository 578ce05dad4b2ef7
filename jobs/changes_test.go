package jobs

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// TestKeysSayWhatAChangeMeans fails for a key of the pipeline file that has no tag
// change: add change:"free", "content" or "identity" to its field, by what package
// spec says of them.
func TestKeysSayWhatAChangeMeans(t *testing.T) {
	b, err := spec.Schema(assembly.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	keys := 0
	var walk func(s any, path []string)
	walk = func(s any, path []string) {
		switch s := s.(type) {
		case []any:
			for _, way := range s {
				walk(way, path)
			}
		case map[string]any:
			for _, inner := range []string{"anyOf", "oneOf", "items", "additionalProperties"} {
				walk(s[inner], path)
			}
			properties, _ := s["properties"].(map[string]any)
			for name, p := range properties {
				at := append(slices.Clone(path), name)
				if at[0] == "tests" && len(at) > 1 {
					continue // they are about the pipeline, and no part of it
				}
				keys++
				change, _ := p.(map[string]any)["x-change"].(string)
				if !slices.Contains([]string{"free", "content", "identity"}, change) {
					t.Errorf("%s has no tag change", strings.Join(at, "."))
				}
				walk(p, at)
			}
		}
	}
	walk(schema, nil)
	if keys < 100 {
		t.Errorf("%d keys: the schema was not read whole", keys)
	}
}
