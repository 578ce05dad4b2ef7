package draft

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
)

// formatOf finds out the format of a path: of an export by its manifests, else by the first record.
func formatOf(ctx context.Context, path string) (string, error) {
	if hasManifest(path) {
		return "dynamodb_export", nil
	}
	var first []byte
	err := each(ctx, path, "json", func(record []byte) bool {
		first = slices.Clone(record)
		return false
	})
	if err != nil && bloburl.IsRemote(path) && isExport(ctx, path) {
		return "dynamodb_export", nil // the manifests are below the path
	}
	if err != nil {
		return "", withFolder(path, err)
	}
	if first == nil {
		return "", fmt.Errorf("%s is empty: there is nothing to make a draft of", path)
	}
	v, err := parse(first)
	if err != nil {
		return "", fmt.Errorf("%s: the first record is no JSON: %w", path, err)
	}
	if program, example := databaseChanges(v); program != "" {
		return "", fmt.Errorf("%s: the records are rows of a database within changes as %s writes them, not items: start from %s, which takes the rows out of them", path, program, example)
	}
	format := formatOfRecord(v)
	if format == "json" && isExport(ctx, path) {
		format = "dynamodb_export"
	}
	return format, nil
}

// databaseChanges returns what wrote a record that has a row of a database in it, and the example
// of a pipeline for it; empty = it has none.
func databaseChanges(v *value) (program, example string) {
	body := v
	if payload := v.get("payload"); payload != nil && payload.kind == object {
		body = payload
	}
	is := func(name string, k kind) bool { m := body.get(name); return m != nil && m.kind == k }
	switch {
	case is("op", text) && is("source", object) && (is("after", object) || is("before", object)):
		return "Debezium", "configs/debezium.yaml"
	case is("metadata", object) && (is("data", object) || is("control", object)) && body.get("metadata").get("operation") != nil:
		return "AWS DMS", "configs/dms.yaml"
	}
	return "", ""
}

// isExport reports whether the first record is an item in DynamoDB's types when it is read as one:
// those of the output of a scan are plain where they are read as JSON.
func isExport(ctx context.Context, path string) bool {
	s := &Sample{Format: "dynamodb_export"}
	err := each(ctx, path, s.Format, func(record []byte) bool {
		s.add(record)
		return false
	})
	return err == nil && s.items() > 0 && len(s.inputs[0].items[0].members) > 0
}

// The members that tell what a record is.
var (
	changeMembers = []string{"dynamodb", "Dynamodb", "dynamoDb", "DynamoDB", "Records", "records", "kinesis", "data", "Data", "detail"}
	itemMembers   = []string{"Item", "Items", "Keys", "NewImage", "OldImage", "PutRequest", "DeleteRequest", "Responses", "RequestItems", "UnprocessedItems", "TransactItems"}
)

func formatOfRecord(v *value) string {
	has := func(names []string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			m := v.get(name)
			return m != nil && (m.kind == object || m.kind == list || (name == "data" || name == "Data") && m.kind == text && len(v.members) < 8)
		})
	}
	if _, ok := typed(v); ok && len(v.members) > 0 {
		return "dynamodb_export"
	}
	switch {
	case has(changeMembers[:6]), has(changeMembers[6:]) && !has(itemMembers):
		return "dynamodb_cdc"
	case has(itemMembers):
		return "dynamodb_export"
	}
	return "json"
}

// hasManifest reports whether a folder holds an export.
func hasManifest(path string) bool {
	return firstBelow(path, func(name string) bool { return strings.HasPrefix(name, "manifest-summary") }) != ""
}

// firstBelow returns the first file in a folder, at any depth, whose name is as wanted; empty = there is
// none, or the path is no folder: the source says what is wrong with it.
func firstBelow(path string, wanted func(name string) bool) (found string) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return ""
	}
	walk := func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir // what can't be read is not there for the source, too
		case !d.IsDir() && wanted(d.Name()):
			found = name
			return fs.SkipAll
		}
		return nil
	}
	if filepath.WalkDir(path, walk) != nil {
		return ""
	}
	return found
}

// withFolder adds to the error for a folder which one below it has records.
func withFolder(path string, err error) error {
	file := firstBelow(path, func(name string) bool {
		return strings.Contains(name, ".json") || strings.Contains(name, ".ndjson") || strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".zst")
	})
	if folder := filepath.Dir(file); file != "" && filepath.Clean(folder) != filepath.Clean(path) {
		return fmt.Errorf("%w; files of records are in %s: of an export that has no manifest-summary.json, name that folder", err, folder)
	}
	return err
}
