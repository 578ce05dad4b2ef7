package jobs

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/jobs/status"
)

// TestMistypedAttributes: paths that lead to nothing, and a where that takes
// nothing, are in the log and in the status, with what may be meant.
func TestMistypedAttributes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "fleet.yaml"), []byte(`name: fleet
sources: {trucks: {type: file, path: trucks.ndjson, format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [trucks]
    unmatched: ignore
    tables:
      truck: {key: [id], columns: {id: {}, town: {from: depot.twon}, load: {from: weight}}}
      trailer: {where: {knd: [trailer]}, key: [id], columns: {id: {}}}
sinks: {lake: {type: parquet, inputs: [items], url: lake, mode: append}}
`))
	write(t, filepath.Join(dir, "trucks.ndjson"), []byte(`{"id":"a","kind":"truck","depot":{"town":"Ulm"},"weight":null}`+"\n"+`{"id":"b","kind":"trailer"}`+"\n"))
	want := []string{
		"items.truck: path depot.twon (column town) matched in none of 2 records; did you mean depot.town?",
		"items.trailer: path knd (where) matched in none of 2 records; did you mean kind?",
		"items.trailer: its where took none of 2 records",
	}
	r := starlift(t, dir, "run", "fleet.yaml")
	r.want(t, exitFine, want...)
	if n := strings.Count(r.err, "looks for what is not there"); n != len(want) {
		t.Errorf("%d lines about paths:\n%s", n, r.err)
	}
	if out := fine(t, dir, "status", "fleet.yaml").out; strings.Count(out, "none of 2 records") != len(want) || !strings.Contains(out, want[0]+"\n") {
		t.Errorf("status:\n%s", out)
	}
	var st struct {
		Unmatched []status.UnmatchedPath `json:"unmatched_paths"`
	}
	if err := json.Unmarshal([]byte(fine(t, dir, "status", "fleet.yaml", "--output", "json").out), &st); err != nil {
		t.Fatal(err)
	}
	town := status.UnmatchedPath{Transform: "items", Table: "truck", Path: "depot.twon", Use: "column town", Records: 2, Near: "depot.town", Message: want[0]}
	if u := st.Unmatched; len(u) != 3 || u[2] != town {
		t.Errorf("status: %+v", u)
	}
}
