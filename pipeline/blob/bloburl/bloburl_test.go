package bloburl

import (
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

const arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/lake"

func TestParse(t *testing.T) {
	for text, want := range map[string]URL{
		"data/x.json":               {Path: "data/x.json"},
		"./s3/x":                    {Path: "./s3/x"},
		"./s3:/x":                   {Path: "./s3:/x"},
		"s3":                        {Path: "s3"},
		"/a//b":                     {Path: "/a//b"},
		`C:\data`:                   {Path: `C:\data`},
		"s3://b-1.x/k":              {Bucket: "b-1.x", Key: "k"},
		"S3://bucket/k":             {Bucket: "bucket", Key: "k"},
		"s3://bucket":               {Bucket: "bucket"},
		"s3://bucket/":              {Bucket: "bucket"},
		"s3://bucket//k":            {Bucket: "bucket", Key: "/k"},
		"s3://bucket/a/":            {Bucket: "bucket", Key: "a/"},
		"s3://bucket/a%2Fb c+d?#é@": {Bucket: "bucket", Key: "a%2Fb c+d?#é@"},
		"s3://name-0123-s3alias/k":  {Bucket: "name-0123-s3alias", Key: "k"},
		"s3://" + arn + "/a/b":      {Bucket: arn, Key: "a/b"},
		"s3://" + arn:               {Bucket: arn},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"s3://":                                 "the bucket is missing",
		"s3:///k":                               "the bucket is missing",
		"s3://AKIA:secret@bucket/key":           "credentials do not belong",
		"s3a://bucket/k":                        "write s3://bucket/k",
		"https://bucket.s3.amazonaws.com/k":     "the key endpoint",
		"gs://bucket/k":                         `unknown kind of url "gs"`,
		"s3:/bucket/k":                          "with two slashes",
		"S3:bucket/k":                           "with two slashes",
		"s3:/AKIA:secret@bucket/k":              "with two slashes",
		" s3://bucket/k":                        "blanks around the url",
		"s3://b/k":                              "can't be the name of a bucket",
		"s3://a bucket/k":                       "can't be the name of a bucket",
		"s3://logs--use1-az4--x-s3/k":           "directory buckets",
		"s3://arn:aws:s3:::bucket/k":            "only an access point's ARN",
		"s3://" + strings.Repeat("a", 64) + "/": "can't be the name of a bucket",
	} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
		if strings.Contains(text, "secret") {
			if _, err := Parse(text); strings.Contains(err.Error(), "secret@") {
				t.Errorf("it shows the secret: %v", err)
			}
		}
	}
}

func TestFolder(t *testing.T) {
	c := &WriterConfig{}
	for text, want := range map[string]string{
		"s3://bucket":        "s3://bucket/x",
		"s3://bucket/":       "s3://bucket/x",
		"s3://bucket/a/b":    "s3://bucket/a/b/x",
		"s3://bucket/a/b/":   "s3://bucket/a/b/x",
		"s3://" + arn + "/a": "s3://" + arn + "/a/x",
		"data/lake":          "data/lake/x",
	} {
		s, err := c.Folder(text, disk.Shared, pipeline.NewEnv())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.URL("x"); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		if errs := c.CheckFolder("url", text); len(errs) > 0 {
			t.Errorf("%s: %v", text, errs)
		}
	}
	for _, text := range []string{"s3://bucket//a", "s3://bucket/a//b", "s3://bucket/a//", "s3://bucket/../a", "s3://bucket/./a"} {
		if _, err := c.Folder(text, disk.Shared, pipeline.NewEnv()); err == nil {
			t.Errorf("%s is taken for a folder", text)
		}
		if errs := c.CheckFolder("url", text); len(errs) != 1 {
			t.Errorf("%s: %v", text, errs)
		}
	}
}

func TestCheckTellsAllMistakes(t *testing.T) {
	c := &WriterConfig{}
	c.Endpoint, c.S3.KMSKey, c.S3.PartSize = "nonsense", "k", 1
	if errs := c.CheckFolder("url", "s3://"); len(errs) != 4 {
		t.Errorf("got %q", errs)
	}
}

func TestRemote(t *testing.T) {
	remote := (&ReaderConfig{}).Remote(pipeline.NewEnv())
	if _, _, ok := remote("data/x"); ok {
		t.Error("a local path is remote")
	}
	a, name, ok := remote("s3://bucket/a/b")
	if !ok || name != "a/b" || a.URL(name) != "s3://bucket/a/b" {
		t.Errorf("got %q, %v", name, ok)
	}
	if b, _, _ := remote("s3://bucket/c"); a != b {
		t.Error("a bucket has two stores")
	}
}
