package file

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func TestNewReportsEveryMistake(t *testing.T) {
	ok := Config{Path: "data/*.json", Format: "json"}
	with := func(change func(*Config)) Config {
		c := ok
		change(&c)
		return c
	}
	tests := []struct {
		name string
		cfg  Config
		want []string // path: message, sorted
	}{
		{"fine", ok, nil},
		{"everything set", with(func(c *Config) {
			c.Key, c.Table = []string{"a", "b"}, "t"
			c.Version = Version{From: "x.y", Type: "date", Format: "1/2/06"}
			c.Operation = Operation{From: "op", Delete: []string{"D"}}
		}), nil},
		{"empty", Config{}, []string{"format: format is missing", "path: path is missing"}},
		{"object store", with(func(c *Config) { c.Path = "s3://b/k" }), []string{"path: object stores are not supported yet by the file source (s3://)"}},
		{"glob", with(func(c *Config) { c.Path = "a[" }), []string{`path: "a[" is not a glob`}},
		{"format", with(func(c *Config) { c.Format = "jsn" }), []string{`format: unknown format "jsn"`}},
		{"keys", with(func(c *Config) { c.Key = []string{"a", "", "a"} }), []string{"key.1: a key attribute needs a name", `key.2: key attribute "a" is named twice`}},
		{"max_record", with(func(c *Config) { c.MaxRecord = -1 }), []string{"max_record: max_record must be"}},
		{"version without parts", with(func(c *Config) { c.Version.Format = "x" }), []string{"version.from: version needs from", "version.type: version needs a type"}},
		{"version type", with(func(c *Config) { c.Version = Version{From: "a", Type: "int"} }), []string{`version.type: unknown type of version "int"`}},
		{"version format", with(func(c *Config) { c.Version = Version{From: "a", Type: "int64", Format: "x"} }), []string{"version.format: a version of type int64 has no format"}},
		{"operation without parts", with(func(c *Config) { c.Operation.From = "op" }), []string{"operation.delete: operation needs delete", "operation: operation needs key"}},
		{"operation without from", with(func(c *Config) { c.Key, c.Operation.Delete = []string{"k"}, []string{"D"} }), []string{"operation.from: operation needs from"}},
		{"changes with version and operation", with(func(c *Config) {
			c.Format, c.Version.From, c.Operation.From = "dynamodb_cdc", "a", "b"
		}), []string{"operation: operation is for format json only", "version: version is for format json only"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New("src", tt.cfg)
			var found []string
			for _, e := range flatten(err) {
				var f *spec.FieldError
				if !errors.As(e, &f) {
					t.Fatalf("%v is no FieldError", e)
				}
				found = append(found, strings.Join(f.Path, ".")+": "+f.Message)
			}
			slices.Sort(found)
			if len(found) != len(tt.want) {
				t.Fatalf("mistakes %q, want %q", found, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(found[i], want) {
					t.Errorf("mistake %q, want %q", found[i], want)
				}
			}
		})
	}
}

func flatten(err error) []error {
	var joined interface{ Unwrap() []error }
	if err == nil {
		return nil
	}
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

func TestFormat(t *testing.T) {
	cfg := Config{Path: "x", Format: "json", Table: "t", Key: []string{"k"},
		Version: Version{From: "v", Type: "timestamp"}, Operation: Operation{From: "op", Delete: []string{"D"}}}
	want := pipeline.Format{Encoding: pipeline.JSON, Table: "t", Key: []string{"k"},
		Version: pipeline.VersionColumn{From: "v", Type: "timestamp"}, Operation: pipeline.OperationColumn{From: "op", Delete: []string{"D"}}}
	if d := cmp.Diff(want, cfg.format()); d != "" {
		t.Error(d)
	}
}
