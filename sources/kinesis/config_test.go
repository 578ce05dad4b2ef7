package kinesis

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
)

// TestConfig: mistakes of a pipeline file, all at once.
func TestConfig(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/shop"
	keyed := recordformat.Options{Key: []spec.Paths{{"id"}}}
	versioned := keyed
	versioned.Version = recordformat.Version{From: spec.Paths{"at"}, Type: "timestamp"}
	for _, c := range []struct {
		name   string
		config Config
		want   []string
	}{
		{"changes", Config{Stream: "s", Format: "dynamodb_cdc"}, nil},
		{"all", Config{StreamARN: arn, Format: "json", Options: versioned, Start: "2024-05-01", OnGap: "wait", PartitionKey: "other", Config: awsapi.Config{Region: "eu-central-1"}}, nil},
		{"append only", Config{Stream: "s", Format: "json", Start: "latest"}, nil},
		{"by arrival", Config{Stream: "s", Format: "json", Options: keyed, PartitionKey: "item", Start: "2024-05-01T12:00:00.5+02:00"}, nil},
		{"none", Config{}, []string{"format: format is missing", "stream: stream is missing"}},
		{"both", Config{Stream: "s", StreamARN: arn, Format: "json"}, []string{"stream_arn: stream and stream_arn"}},
		{"ARN as a name", Config{Stream: arn, Format: "json"}, []string{"stream: this is an ARN"}},
		{"name", Config{Stream: "a b", Format: "json"}, []string{"stream: the name"}},
		{"ARN of something else", Config{StreamARN: "arn:aws:dynamodb:eu-central-1:123456789012:table/shop", Format: "json"}, []string{"stream_arn: this is no ARN"}},
		{"region", Config{StreamARN: arn, Format: "json", Config: awsapi.Config{Region: "us-east-1"}}, []string{"region: the region is not that of stream_arn"}},
		{"export", Config{Stream: "s", Format: "dynamodb_export"}, []string{"format: unknown format"}},
		{"words", Config{Stream: "s", Format: "json", Start: "now", OnGap: "skip", PartitionKey: "x"}, []string{"on_gap: unknown", "partition_key: unknown", `start: "now" is no start`}},
		{"no version", Config{Stream: "s", Format: "json", Options: keyed}, []string{"version: version is missing"}},
		{"of other keys", Config{Stream: "s", Format: "dynamodb_cdc", Options: versioned, Config: awsapi.Config{Endpoint: "x"}}, []string{"endpoint: the endpoint", "version: version is for format json"}},
	} {
		_, err := New("src", c.config)
		var got []string
		for _, e := range flatten(err) {
			var f *spec.FieldError
			if !errors.As(e, &f) {
				t.Fatalf("%s: %v is no FieldError", c.name, e)
			}
			got = append(got, strings.Join(f.Path, ".")+": "+f.Message)
		}
		if slices.Sort(got); len(got) != len(c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], c.want[i]) {
				t.Errorf("%s: %q, want %q", c.name, got[i], c.want[i])
			}
		}
	}
}

func flatten(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // of this level only
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// TestSource: what a source says of itself before it is opened.
func TestSource(t *testing.T) {
	t.Parallel()
	s, err := New("src", Config{Stream: "s", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	if f := s.Format(); f.Encoding != pipeline.JSON || !s.Keyless() || s.Bounded() || s.TTLDeletes() != "" {
		t.Errorf("%+v, keyless %v, bounded %v", f, s.Keyless(), s.Bounded())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
