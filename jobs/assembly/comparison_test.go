package assembly

import (
	"encoding/json"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/definition"
)

// TestComparisonAsJSON: what validate and plan print has no definition, in which the salt
// of the secrets is.
func TestComparisonAsJSON(t *testing.T) {
	c := Comparison{Dir: "state", Changes: []definition.Change{}, Next: &definition.Definition{Salt: []byte("salt")}}
	got, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"dir":"state","epoch":0,"refused":false,"changes":[]}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
