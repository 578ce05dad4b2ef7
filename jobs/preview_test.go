package jobs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestPreviewCommand: text and JSON of a pipeline whose sinks are not opened, and the mistakes of
// a command line.
func TestPreviewCommand(t *testing.T) {
	testsBeside(t, "passing.yaml")
	records := `{"eventName":"INSERT","tableName":"t","dynamodb":{"ApproximateCreationDateTime":1700000000000,"Keys":{"id":{"S":"1"}},"NewImage":{"id":{"S":"1"},"email":{"S":"ann@example.com"}}}}`
	const pipeline = `
name: preview
sources:
  changes: {type: file, path: "changes/*.ndjson", format: dynamodb_cdc}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables:
      user: {key: [id], columns: {id: {}, email: {mask: true}}}
sinks:
  warehouse: {type: postgres, inputs: [items], dsn: "postgres://nobody@127.0.0.1:1/none"}
`
	if err := os.Mkdir("changes", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join("changes", "1.ndjson"), []byte(records+"\n"))
	write(t, "preview.yaml", []byte(pipeline))
	command("preview", "preview.yaml").want(t, exitFine, "user (items): 1 row\n  id  email\n  1   ***\n", "1 record read: all of the input")
	out := command("preview", "preview.yaml", "--table", "items.user", "--output", "json")
	out.want(t, exitFine)
	var r struct {
		Records  int64
		Complete bool
		Tables   []struct{ Rows []map[string]string }
	}
	if err := json.Unmarshal([]byte(out.out), &r); err != nil || r.Records != 1 || !r.Complete || r.Tables[0].Rows[0]["email"] != "***" {
		t.Errorf("JSON is %+v, %v:\n%s", r, err, out.out)
	}
	command("preview", "preview.yaml", "--set", "sources.changes.path=none.ndjson").want(t, exitFailed, "none.ndjson")
	command("preview", "preview.yaml", "--table", "users").want(t, exitUsage, `--table "users"`, `did you mean "user"?`)
	command("preview", "preview.yaml", "--limit", "0").want(t, exitUsage, "--limit 0: want a number from 1")
	if _, err := os.Stat("data"); err == nil {
		t.Error("the preview made a state folder")
	}
}
