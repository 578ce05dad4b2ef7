package file

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
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
			c.Key, c.Before, c.Table = []spec.Paths{{"a", "old.a"}, {"b"}}, spec.Paths{"old"}, "t"
			c.Version = recordformat.Version{From: spec.Paths{"x.y", "z"}, Type: "date", Format: "1/2/06"}
			c.Operation = recordformat.Operation{From: spec.Paths{"op"}, Delete: []string{"D"}}
		}), nil},
		{"empty", Config{}, []string{"format: format is missing", "path: path is missing"}},
		{"object store", with(func(c *Config) { c.Path, c.Region = "s3://bucket/a/**/*.gz", "eu-west-1" }), nil},
		{"another object store", with(func(c *Config) { c.Path = "gs://bucket/k" }), []string{`path: unknown kind of url "gs"`}},
		{"glob of buckets", with(func(c *Config) { c.Path = "s3://logs-*/k" }), []string{`path: "logs-*" can't be the name of a bucket`}},
		{"glob of objects", with(func(c *Config) { c.Path = "s3://bucket/a[" }), []string{`path: "s3://bucket/a[" is not a glob`}},
		{"settings of S3", with(func(c *Config) { c.Path, c.Endpoint, c.AssumeRole.ExternalID = "s3://bucket/k", "here", "x" }), []string{"assume_role: external_id needs arn", "endpoint: the endpoint is no URL"}},
		{"glob", with(func(c *Config) { c.Path = "a[" }), []string{`path: "a[" is not a glob`}},
		{"format", with(func(c *Config) { c.Format = "jsn" }), []string{`format: unknown format "jsn"`}},
		{"keys", with(func(c *Config) { c.Key = []spec.Paths{{"a"}, {""}, {"b", "a"}} }), []string{"key.1: a key attribute needs a name", `key.2.1: key attribute "a" is named twice`}},
		{"max_record", with(func(c *Config) { c.MaxRecord = -1 }), []string{"max_record: max_record must be"}},
		{"version without parts", with(func(c *Config) { c.Version.Format = "x" }), []string{"version.from: version needs from", "version.type: version needs a type"}},
		{"version type", with(func(c *Config) { c.Version = recordformat.Version{From: spec.Paths{"a"}, Type: "int"} }), []string{`version.type: unknown type of version "int"`}},
		{"version format", with(func(c *Config) { c.Version = recordformat.Version{From: spec.Paths{"a"}, Type: "int64", Format: "x"} }), []string{"version.format: a version of type int64 has no format"}},
		{"operation without parts", with(func(c *Config) { c.Operation.From = spec.Paths{"op"} }), []string{"operation.delete: operation needs delete", "operation: operation needs key"}},
		{"operation without from", with(func(c *Config) { c.Key, c.Operation.Delete = []spec.Paths{{"k"}}, []string{"D"} }), []string{"operation.from: operation needs from"}},
		{"changes with version and operation", with(func(c *Config) {
			c.Format, c.Version.From, c.Operation.From = "dynamodb_cdc", spec.Paths{"a"}, spec.Paths{"b"}
			c.Key, c.Before = []spec.Paths{{"a", "b.a"}}, spec.Paths{"b"}
		}), []string{"before: before is for format json only", "key.0: alternatives in the key are for format json only", "operation: operation is for format json only", "version: version is for format json only"}},
		{"path of a key", with(func(c *Config) { c.Key = []spec.Paths{{"a..b"}} }), []string{`key: key of records: document path "a..b", column 3`}},
		{"before without key", with(func(c *Config) { c.Before = spec.Paths{"old"} }), []string{"before: before needs key"}},
		{"before beside the key", with(func(c *Config) { c.Key, c.Before = []spec.Paths{{"row.id"}}, spec.Paths{"old"} }), []string{"before: before-image old of records: no alternative of the key"}},
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
	cfg := Config{Path: "x", Format: "json", Options: recordformat.Options{Table: "t", Key: []spec.Paths{{"k"}, {"a.l", "b.l"}}, Version: recordformat.Version{From: spec.Paths{"v", "w"}, Type: "timestamp"}, Operation: recordformat.Operation{From: spec.Paths{"op"}, Delete: []string{"D"}}}}
	want := pipeline.Format{Encoding: pipeline.JSON, Table: "t", Key: []string{"k", "a.l"}, KeyElse: [][]string{nil, {"b.l"}},
		Version: pipeline.VersionColumn{From: "v", Else: []string{"w"}, Type: "timestamp"}, Operation: pipeline.OperationColumn{From: "op", Delete: []string{"D"}}}
	if d := cmp.Diff(want, cfg.format(), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}
