package jobs

import (
	"path/filepath"
	"testing"
)

// TestKnownKeys: an export needs no key once changes of its table were read, whose
// records name the key; with a fresh state it does.
func TestKnownKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const change = `{"eventName": "INSERT", "eventID": "1", "tableName": "visits", "dynamodb": {"ApproximateCreationDateTime": 1700000000000, "Keys": {"who": {"S": "a"}, "at": {"N": "1"}}, "NewImage": {"who": {"S": "a"}, "at": {"N": "1"}}}}`
	write(t, filepath.Join(dir, "in.ndjson"), []byte(change+"\n"))
	write(t, filepath.Join(dir, "items.ndjson"), []byte(`{"Item": {"who": {"S": "a"}, "at": {"N": "2"}}}`+"\n"+`{"Item": {"who": {"S": "a"}, "at": {"N": "3"}}}`+"\n"))
	pipeline := func(inputs, export string) {
		write(t, filepath.Join(dir, "p.yaml"), []byte("name: known\nsources:\n  changes: {type: file, path: in.ndjson, format: dynamodb_cdc}\n"+export+`
transforms:
  items: {type: unnest, inputs: [`+inputs+`], tables: {visit: {key: [who, at], columns: {who: {}, at: {type: int64}}}}}
sinks: {lake: {type: parquet, inputs: [items], url: lake, mode: latest}}
`))
	}
	pipeline("changes", "")
	fine(t, dir, "run", "p.yaml")
	pipeline("changes, export", "  export: {type: file, path: items.ndjson, format: dynamodb_export, table: visits, as_of: 2023-11-15T00:00:00Z}")
	fine(t, dir, "validate", "p.yaml")
	fine(t, dir, "run", "p.yaml").want(t, exitFine, "done")
	starlift(t, dir, "validate", "p.yaml", "--set", "state.dir=other").want(t, exitUsage, "key is missing")
}
