package jobs

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// layExport writes an export of the table shop as DynamoDB does, with its data in
// one file: full at a minute past nine, or incremental until there.
func layExport(t *testing.T, dir string, from, to int, lines ...string) {
	t.Helper()
	id := fmt.Sprintf("%014d-%08x", 1740819600000+to*60000, from+1)
	folder := filepath.Join(dir, "AWSDynamoDB", id)
	data, times := "AWSDynamoDB/data", fmt.Sprintf(`"version": "2023-08-01", "exportFromTime": "2025-03-01T09:%02d:00.000Z", "exportToTime": "2025-03-01T09:%02d:00.000Z",
		"exportType": "INCREMENTAL_EXPORT", "outputView": "NEW_AND_OLD_IMAGES"`, from, to)
	if from == to {
		data, times = "AWSDynamoDB/"+id+"/data", fmt.Sprintf(`"version": "2020-06-30", "exportTime": "2025-03-01T09:%02d:00.000Z"`, from)
	}
	content := []byte(strings.Join(lines, "\n") + "\n")
	sum := md5.Sum(content)
	for _, d := range []string{folder, filepath.Join(dir, data)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, data, id+".json"), content)
	manifests := map[string][]byte{
		"manifest-files": fmt.Appendf(nil, `{"itemCount": %d, "md5Checksum": %q, "etag": "x-1", "dataFileS3Key": "%s/%s.json"}`+"\n",
			len(lines), base64.StdEncoding.EncodeToString(sum[:]), data, id),
		"manifest-summary": fmt.Appendf(nil, `{"exportArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/shop/export/%s", "tableArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/shop",
			%s, "itemCount": %d, "outputFormat": "DYNAMODB_JSON"}`, id, times, len(lines)),
	}
	for name, manifest := range manifests {
		sum := md5.Sum(manifest)
		write(t, filepath.Join(folder, name+".json"), manifest)
		write(t, filepath.Join(folder, name+".md5"), []byte(base64.StdEncoding.EncodeToString(sum[:])))
	}
}

const exportPipeline = `
name: small
sources: {shop: {type: file, path: exports, format: dynamodb_export, key: [id]}}
transforms: {items: {type: unnest, inputs: [shop], tables: {item: {key: [id], columns: {id: {}, n: {type: int64}}}}}}
sinks: {warehouse: {type: duckdb, inputs: [items], dsn: small.duckdb}}
`

func fullLine(id string, n int) string {
	return fmt.Sprintf(`{"Item":{"id":{"S":%q},"n":{"N":"%d"}}}`, id, n)
}

// changedLine is a change in a minute past nine; n < 0 = a removal.
func changedLine(minute int, id string, n int) string {
	image := ""
	if n >= 0 {
		image = fmt.Sprintf(`,"NewImage":{"id":{"S":%q},"n":{"N":"%d"}}`, id, n)
	}
	return fmt.Sprintf(`{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":{"id":{"S":%q}}%s}`, 1740819600000000+minute*60000000, id, image)
}

// TestRunsOfExports: each run goes on with the exports that are there by then; a
// hole ends it with a status of its own, before anything is read.
func TestRunsOfExports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exports := filepath.Join(dir, "exports")
	write(t, filepath.Join(dir, "p.yaml"), []byte(exportPipeline))
	layExport(t, exports, 0, 0, fullLine("a", 1), fullLine("b", 2))
	layExport(t, exports, 0, 15, changedLine(5, "a", 10), changedLine(6, "c", 3))
	fine(t, dir, "run", "p.yaml")
	if got, want := settledRows(t, dir), "a10 b2 c3\n"; got != want {
		t.Errorf("the warehouse has %s, want %s", got, want)
	}
	layExport(t, exports, 20, 35, changedLine(25, "c", -1))
	starlift(t, dir, "run", "p.yaml").want(t, exitGap, "begins at 2025-03-01T09:20:00.000Z, and what comes before it ends at 2025-03-01T09:15:00.000Z")
	layExport(t, exports, 15, 20, changedLine(16, "b", -1))
	fine(t, dir, "run", "p.yaml")
	if got, want := settledRows(t, dir), "a10\n"; got != want {
		t.Errorf("the warehouse has %s, want %s", got, want)
	}
}

// TestKeyOfExport: a full export needs the key; a wrong one ends the run.
func TestKeyOfExport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.yaml"), []byte(exportPipeline))
	layExport(t, filepath.Join(dir, "exports"), 0, 0, fullLine("a", 1), fullLine("b", 1), fullLine("c", 2))
	edit(t, filepath.Join(dir, "p.yaml"), ", key: [id]", "")
	for _, command := range []string{"validate", "plan", "run"} {
		starlift(t, dir, command, "p.yaml").want(t, exitUsage, "p.yaml:3:11: key is missing", "all of its first 3 items have, and a key can be: id, n. If that is the table's key, write `key: [id]`")
	}
	edit(t, filepath.Join(dir, "p.yaml"), "format: dynamodb_export", "format: dynamodb_export, key: [n]")
	starlift(t, dir, "run", "p.yaml").want(t, exitFailed, `two items with different content that are one by the source's key: {"n":{"N":"1"}}`)
	layExport(t, filepath.Join(dir, "exports"), 0, 15, changedLine(5, "a", 10))
	starlift(t, dir, "run", "p.yaml").want(t, exitFailed, "`key: [n]` of the source contradicts the record, whose Keys are id")
	edit(t, filepath.Join(dir, "p.yaml"), ", key: [n]", "")
	fine(t, dir, "run", "p.yaml") // the incremental export names it
	if got, want := settledRows(t, dir), "a10 b1 c2\n"; got != want {
		t.Errorf("the warehouse has %s, want %s", got, want)
	}
}
