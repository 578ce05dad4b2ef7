package jobs

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// TestSchemaChecksTexts: an editor is told which texts a key takes, not only
// that it takes one.
func TestSchemaChecksTexts(t *testing.T) {
	b, err := spec.Schema(assembly.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	const day = `^\d{4}-\d{2}-\d{2}$`
	for _, c := range []struct {
		path []string
		want any
	}{
		{[]string{"history", "enum"}, []any{"none"}},
		{[]string{"calendar", "from", "pattern"}, day},
		{[]string{"calendar", "to", "pattern"}, day},
		{[]string{"name", "pattern"}, "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"},
	} {
		if found := below(schema, c.path); !slices.ContainsFunc(found, func(v any) bool { return jsonOf(t, v) == jsonOf(t, c.want) }) {
			t.Errorf("%v: the schema has %v, want %v", c.path, found, c.want)
		}
	}
}

// below finds what stands in a schema under these keys, one somewhere below the other.
func below(v any, path []string) (found []any) {
	if len(path) == 0 {
		return []any{v}
	}
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			if key == path[0] {
				found = append(found, below(item, path[1:])...)
			} else {
				found = append(found, below(item, path)...)
			}
		}
	case []any:
		for _, item := range v {
			found = append(found, below(item, path)...)
		}
	}
	return found
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
