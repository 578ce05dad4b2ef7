package draft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/file"
	"github.com/starlift-etl/starlift/sources/file/listing"
)

// Sample is what was read of the input.
type Sample struct {
	Path    string
	Format  string // as a file source names it
	Records int
	// Removals is the number of changes without an item, Broken that of records that are none.
	Removals, Broken int
	// Files is the number of files, FilesRead that of those that records were taken of.
	Files, FilesRead int

	inputs   []*input
	bytes    int // of the records
	nameless int // change records that do not name their table
}

// input is what a sample has of one DynamoDB table.
type input struct {
	name  string   // empty = records do not say it
	key   []string // attributes that identify an item, as records name them; none = they do not
	items []*value
	// softDeletes says that items are marked as deleted, as Amplify does where it detects conflicts.
	softDeletes bool
}

// bytesMax bounds the records of a sample, which is in memory as a whole.
const bytesMax = 64 << 20

// filesMax bounds the files that a sample is taken of: of more, some that are evenly spread.
const filesMax = 32

// Read reads the first records of each file of a path, as a file source takes it, as many in all
// as wanted. The same files give the same sample.
func Read(ctx context.Context, path string, recordsMax int) (*Sample, error) {
	format, err := formatOf(ctx, path)
	if err != nil {
		return nil, err
	}
	files, err := filesOf(ctx, path, format)
	if err != nil {
		return nil, err
	}
	s := &Sample{Path: path, Format: format, Files: len(files)}
	files = spread(files)
	for i, name := range files {
		limit, bytesLimit := s.Records+(recordsMax-s.Records)/(len(files)-i), s.bytes+(bytesMax-s.bytes)/(len(files)-i)
		if s.Records >= limit || s.bytes >= bytesLimit {
			continue
		}
		s.FilesRead++
		err := each(ctx, name, format, func(record []byte) bool {
			s.add(record)
			return s.Records < limit && s.bytes < bytesLimit
		})
		if err != nil {
			return nil, err
		}
	}
	return s, s.finish()
}

// finish checks that there is something to make a draft of.
func (s *Sample) finish() error {
	items := 0
	for _, in := range s.inputs {
		in.finish()
		items += len(in.items)
	}
	s.inputs = slices.DeleteFunc(s.inputs, func(in *input) bool { return len(in.items) == 0 })
	if items == 0 && s.Format == "dynamodb_export" && s.Broken == s.Records && s.Records > 0 {
		return fmt.Errorf("%s: there is no item in DynamoDB's types, as {\"id\": {\"S\": \"1\"}}, in %s: write plain items as JSON, one a line, as jq -c '.Items[]' does", s.Path, spec.Count(s.Records, "record"))
	}
	if items == 0 {
		return fmt.Errorf("%s: there is no item in %s of format %s: %d are removals, and %d can't be read", s.Path, spec.Count(s.Records, "record"), s.Format, s.Removals, s.Broken)
	}
	return nil
}

// items returns the number of items.
func (s *Sample) items() (n int) {
	for _, in := range s.inputs {
		n += len(in.items)
	}
	return n
}

// spread returns filesMax of the files at most, the first and the last among them.
func spread(files []string) []string {
	if len(files) <= filesMax {
		return files
	}
	some := make([]string, filesMax)
	for i := range some {
		some[i] = files[i*(len(files)-1)/(filesMax-1)]
	}
	return some
}

// filesOf returns the files of a path. Those whose names are patterns can't be read one by one:
// then it is the path.
func filesOf(ctx context.Context, path, format string) ([]string, error) {
	source, err := newSource(path, format)
	if err != nil {
		return nil, err
	}
	files, err := source.Files(ctx)
	if err != nil || slices.ContainsFunc(files, listing.IsPattern) {
		return []string{path}, err
	}
	return files, nil
}

func newSource(path, format string) (*file.Source, error) {
	cfg := file.Config{Path: path, Format: format}
	if format == "dynamodb_export" {
		cfg.Key = []spec.Paths{{"PK"}} // records are not decoded, so that any does
	}
	return file.New("sample", cfg)
}

// each calls take with each record until it returns false.
func each(ctx context.Context, path, format string, take func(record []byte) bool) (err error) {
	source, err := newSource(path, format)
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

// add takes the item out of a record.
func (s *Sample) add(record []byte) {
	s.Records++
	s.bytes += len(record)
	v, err := parse(record)
	if err != nil || v.kind != object {
		s.Broken++
		return
	}
	in, item, ok := s.itemOf(v)
	switch {
	case !ok:
		s.Broken++
	case item == nil:
		s.Removals++
	case len(item.members) == 0:
		s.Broken++ // an item has its key at least
	default:
		in.items = append(in.items, item)
	}
}

// input returns what the sample has of a table.
func (s *Sample) input(name string) *input {
	for _, in := range s.inputs {
		if in.name == name {
			return in
		}
	}
	s.inputs = append(s.inputs, &input{name: name})
	return s.inputs[len(s.inputs)-1]
}

// itemOf returns the newest image that a record has, and whose it is; nil = it has none.
func (s *Sample) itemOf(v *value) (in *input, item *value, ok bool) {
	if s.Format == "json" {
		return s.input(""), v, true
	}
	in = s.input(s.tableOf(v))
	for _, name := range changeMembers[:4] {
		if body := v.get(name); body != nil {
			v = body
		}
	}
	if put := v.get("PutRequest"); put != nil {
		v = put
	}
	if keys, ok := typed(v.get("Keys")); ok && in.key == nil {
		in.key = keyNames(keys)
	}
	for _, name := range []string{"NewImage", "Item", "OldImage"} {
		if image := v.get(name); image != nil {
			item, ok = typed(image)
			return in, item, ok
		}
	}
	if v.get("Keys") != nil || v.get("DeleteRequest") != nil {
		return in, nil, true
	}
	item, ok = typed(v)
	return in, item, ok
}

// arnTable finds the table's name in the ARN of its stream.
var arnTable = regexp.MustCompile(`^arn:[^:]*:dynamodb:[^:]*:[^:]*:table/([^/]+)`)

// tableOf returns the table that a change record names.
func (s *Sample) tableOf(v *value) string {
	if s.Format != "dynamodb_cdc" {
		return ""
	}
	for _, name := range []string{"tableName", "TableName"} {
		if t := v.get(name); t != nil && t.kind == text {
			return t.text
		}
	}
	for _, name := range []string{"eventSourceARN", "EventSourceARN", "eventSourceArn", "EventSourceArn"} {
		if t := v.get(name); t != nil && arnTable.MatchString(t.text) {
			return arnTable.FindStringSubmatch(t.text)[1]
		}
	}
	s.nameless++
	return ""
}

// deletedAttribute marks an item of Amplify's as deleted.
const deletedAttribute = "_deleted"

// finish leaves out items that are marked as deleted, and finds out which key attribute is the
// partition key.
func (in *input) finish() {
	for _, item := range in.items {
		if v := item.get(deletedAttribute); v != nil && v.kind == boolean && item.get("_version") != nil && item.get("_lastChangedAt") != nil {
			in.softDeletes = true
		}
	}
	if in.softDeletes {
		in.items = slices.DeleteFunc(in.items, func(item *value) bool {
			v := item.get(deletedAttribute)
			return v != nil && v.text == "true"
		})
	}
	in.sortKey()
}
