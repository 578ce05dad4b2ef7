package file

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
)

// Items need no manifests: their files are read as they are.
func TestItemsWithoutAnExport(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.json"), []byte(`{"Items":[{"id":{"S":"a"}}],"Count":1,"ScannedCount":1}`))
	write(t, filepath.Join(dir, "b.json.gz"), gzipOf(t, []byte(`{"Item":{"id":{"S":"b"}}}`+"\n")))
	want := []string{`{"Item":{"id":{"S":"a"}}}`, `{"Item":{"id":{"S":"b"}}}`}
	for _, path := range []string{dir, dir + "/*", dir + "/{a,b}.*"} {
		for _, asOf := range []string{"", "2024-05-01T12:00:00Z", "2024-05-01"} {
			s := readAll(t, Config{Path: path, Format: "dynamodb_export", AsOf: asOf, Options: recordformat.Options{Key: []spec.Paths{{"id"}}}}, 0, nil)
			if d := cmp.Diff(want, s.texts()); s.err != nil || d != "" {
				t.Errorf("%s: error %v, records (-want +got):\n%s", path, s.err, d)
			}
			at := int64(0)
			if asOf != "" {
				day, err := time.Parse(time.DateOnly, asOf[:10])
				if err != nil {
					t.Fatal(err)
				}
				at = day.UnixMicro()
				if len(asOf) > 10 {
					at += (12 * time.Hour).Microseconds()
				}
			}
			for _, f := range s.formats {
				if f.ExportTime != at || f.ReadOrder() != (at == 0) {
					t.Errorf("as of %q: time %d", asOf, f.ExportTime)
				}
			}
		}
	}
}

// The key and the time of items are asked for where nothing says them.
func TestKeyAndTimeOfItems(t *testing.T) {
	const (
		items   = `{"Items":[{"id":{"S":"a"},"v":{"N":"1"}},{"id":{"S":"b"},"v":{"N":"1"}}],"Count":2}`
		lines   = `{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"}}}`
		deletes = `{"shop":[{"DeleteRequest":{"Key":{"id":{"S":"a"}}}},{"PutRequest":{"Item":{"id":{"S":"b"},"v":{"N":"1"}}}}]}`
	)
	stream := pipeline.Format{Encoding: pipeline.DynamoDBCDC, Table: "shop", Key: []string{"id"}}
	for _, c := range []struct {
		name, content string
		cfg           Config
		others        []pipeline.Format
		want          string
		key           []string
	}{
		{"nothing says the key", items, Config{}, nil, "If that is the table's key, write `key: [id]`", nil},
		{"the key is given", items, Config{Options: recordformat.Options{Key: []spec.Paths{{"v"}}}}, nil, "", []string{"v"}},
		{"another source has the key", items, Config{AsOf: "2024-01-01", Options: recordformat.Options{Table: "shop"}}, []pipeline.Format{stream}, "", []string{"id"}},
		{"a deletion has the key", deletes, Config{}, nil, "", []string{"id"}},
		{"lines have their keys", lines, Config{}, nil, "", []string{"id"}},
		{"another source has the table", items, Config{Options: recordformat.Options{Table: "shop", Key: []spec.Paths{{"id"}}}}, []pipeline.Format{stream}, "as_of is missing: the items have no time, and another source has table shop too", []string{"id"}},
		{"lines have times", lines, Config{Options: recordformat.Options{Table: "shop"}}, []pipeline.Format{stream}, "", []string{"id"}},
		{"another source has another table", items, Config{Options: recordformat.Options{Table: "other", Key: []spec.Paths{{"id"}}}}, []pipeline.Format{stream}, "", []string{"id"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Path = write(t, filepath.Join(t.TempDir(), "f.json"), []byte(c.content))
			c.cfg.Format = "dynamodb_export"
			s := testSource(t, c.cfg, 0)
			err := s.FindKey(c.others)
			if c.want != "" {
				wantError(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
			if c.want == "" || c.key != nil {
				if d := cmp.Diff(c.key, s.Format().Key); d != "" {
					t.Errorf("key (-want +got):\n%s", d)
				}
			}
		})
	}
}

func TestAsOfIsChecked(t *testing.T) {
	for _, c := range []struct{ format, asOf, want string }{
		{"dynamodb_export", "yesterday", `as_of "yesterday" is no time: write it as 2024-05-01T12:00:00Z or 2024-05-01`},
		{"dynamodb_export", "2024-05-01 12:00:00", "is no time"},
		{"dynamodb_export", "1970-01-01", "out of range"},
		{"dynamodb_cdc", "2024-05-01", "as_of is for format dynamodb_export only"},
		{"json", "2024-05-01", "as_of is for format dynamodb_export only"},
	} {
		_, err := New("src", Config{Path: "x", Format: c.format, AsOf: c.asOf})
		wantError(t, err, c.want)
	}
}
