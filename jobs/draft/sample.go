package draft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/file"
)

// Sample is what was read of the input.
type Sample struct {
	Path    string
	Format  string // as a file source names it
	Records int
	// Removals is the number of changes without an item, Broken that of records that are none.
	Removals, Broken int

	key   []string // attributes that identify an item, as records name them; none = they do not
	items []*value
}

// Read reads the first records of a path, as a file source takes it.
func Read(ctx context.Context, path string, recordsMax int) (*Sample, error) {
	format, err := formatOf(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &Sample{Path: path, Format: format}
	err = each(ctx, path, format, func(record []byte) bool {
		s.add(record)
		return s.Records < recordsMax
	})
	if err != nil {
		return nil, err
	}
	if len(s.items) == 0 {
		return nil, fmt.Errorf("%s: there is no item in %d records of format %s: %d are removals, and %d can't be read", path, s.Records, format, s.Removals, s.Broken)
	}
	return s, nil
}

// each calls take with each record until it returns false.
func each(ctx context.Context, path, format string, take func(record []byte) bool) (err error) {
	cfg := file.Config{Path: path, Format: format}
	if format == "dynamodb_export" {
		cfg.Key = []spec.Paths{{"PK"}} // records are not decoded, so that any does
	}
	source, err := file.New("sample", cfg)
	if err != nil {
		return err
	}
	if err := source.Open(ctx, pipeline.SourceOptions{Env: pipeline.NewEnv()}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	for {
		r, err := source.Read(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, span := range r.Spans {
			if !take(r.Data[span.Start:span.End]) {
				return nil
			}
		}
	}
}

// formatOf finds out the format of a path: of an export by its manifests, else by the first record.
func formatOf(ctx context.Context, path string) (string, error) {
	if manifest, err := hasManifest(path); manifest || err != nil {
		return "dynamodb_export", err
	}
	var first []byte
	err := each(ctx, path, "json", func(record []byte) bool {
		first = slices.Clone(record)
		return false
	})
	if err != nil {
		return "", err
	}
	if first == nil {
		return "", fmt.Errorf("%s is empty: there is nothing to make a draft of", path)
	}
	v, err := parse(first)
	if err != nil {
		return "", fmt.Errorf("%s: the first record is no JSON: %w", path, err)
	}
	format := formatOfRecord(v)
	if format == "json" && isExport(ctx, path) {
		format = "dynamodb_export"
	}
	return format, nil
}

// isExport reports whether the first record is an item in DynamoDB's types when it is read as one:
// those of the output of a scan are plain where they are read as JSON.
func isExport(ctx context.Context, path string) bool {
	s := &Sample{Format: "dynamodb_export"}
	err := each(ctx, path, s.Format, func(record []byte) bool {
		s.add(record)
		return false
	})
	return err == nil && len(s.items) > 0 && len(s.items[0].members) > 0
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
func hasManifest(path string) (found bool, err error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return false, nil // an object, a glob, or a file: the source says what is wrong with it
	}
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), "manifest-summary") {
			found, err = true, fs.SkipAll
		}
		return err
	})
	return found, err
}

// add takes the item out of a record.
func (s *Sample) add(record []byte) {
	s.Records++
	v, err := parse(record)
	if err != nil || v.kind != object {
		s.Broken++
		return
	}
	item, ok := s.itemOf(v)
	switch {
	case !ok:
		s.Broken++
	case item == nil:
		s.Removals++
	default:
		s.items = append(s.items, item)
	}
}

// itemOf returns the newest image that a record has; nil = it has none.
func (s *Sample) itemOf(v *value) (item *value, ok bool) {
	if s.Format == "json" {
		return v, true
	}
	for _, name := range changeMembers[:4] {
		if body := v.get(name); body != nil {
			v = body
		}
	}
	if put := v.get("PutRequest"); put != nil {
		v = put
	}
	if keys, ok := typed(v.get("Keys")); ok && s.key == nil {
		s.key = keyNames(keys)
	}
	for _, name := range []string{"NewImage", "Item", "OldImage"} {
		if image := v.get(name); image != nil {
			return typed(image)
		}
	}
	if v.get("Keys") != nil || v.get("DeleteRequest") != nil {
		return nil, true
	}
	return typed(v)
}

// keyNames returns the names of a key, the partition key first, as far as their names tell.
func keyNames(keys *value) (names []string) {
	for _, m := range keys.members {
		names = append(names, m.name)
	}
	slices.SortStableFunc(names, func(a, b string) int { return sortKeyRank(a) - sortKeyRank(b) })
	return names
}

// sortKeyRank is 1 of what is called like a sort key.
func sortKeyRank(name string) int {
	lower := strings.ToLower(name)
	if strings.HasSuffix(lower, "sk") || strings.Contains(lower, "sort") || strings.Contains(lower, "range") {
		return 1
	}
	return 0
}

// usualKeys are the names that the key of a table often has.
var usualKeys = [][]string{{"PK", "SK"}, {"pk", "sk"}, {"PK"}, {"pk"}, {"id"}, {"Id"}, {"ID"}}

// Key returns the attributes that identify an item, and whether that is a guess.
func (s *Sample) Key() (key []string, guess bool) {
	if len(s.key) > 0 {
		return s.key, false
	}
	for _, names := range usualKeys {
		if s.identifies(names) {
			return names, true
		}
	}
	return s.firstKey(), true
}

// firstKey returns the first attribute, or pair of attributes, with another value in each item.
func (s *Sample) firstKey() []string {
	var names []string
	for _, m := range s.items[0].members {
		if s.identifies([]string{m.name}) && s.distinct([]string{m.name}) == len(s.items) {
			return []string{m.name}
		}
		names = append(names, m.name)
	}
	for i, a := range names {
		for _, b := range names[i+1:] {
			if pair := []string{a, b}; s.identifies(pair) && s.distinct(pair) == len(s.items) {
				return pair
			}
		}
	}
	return nil
}

// identifies reports whether all items have these attributes, with values that a key may have.
func (s *Sample) identifies(names []string) bool {
	for _, item := range s.items {
		for _, name := range names {
			if v := item.get(name); v == nil || v.kind != text && v.kind != number {
				return false
			}
		}
	}
	return true
}

func (s *Sample) distinct(names []string) int {
	seen := map[string]bool{}
	for _, item := range s.items {
		var key strings.Builder
		for _, name := range names {
			fmt.Fprintf(&key, "%q", item.get(name).text)
		}
		seen[key.String()] = true
	}
	return len(seen)
}
