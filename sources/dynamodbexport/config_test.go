package dynamodbexport

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// TestMistakes: all mistakes of a pipeline file are found at once, each with its place.
func TestMistakes(t *testing.T) {
	good := Config{URL: "s3://exports/shop", Table: "shop", Every: spec.Duration(time.Hour)}
	for name, c := range map[string]struct {
		change func(*Config)
		paths  string
	}{
		"none":             {func(*Config) {}, ""},
		"no url":           {func(c *Config) { c.URL = "" }, "url"},
		"url":              {func(c *Config) { c.URL = "s3a://exports" }, "url url"},
		"local, on demand": {func(c *Config) { c.URL, c.Every, c.Table = "data", 0, "" }, ""},
		"local, scheduled": {func(c *Config) { c.URL = "data" }, "url"},
		"no table":         {func(c *Config) { c.Table = "" }, "table"},
		"table":            {func(c *Config) { c.Table = "arn:aws:kinesis:eu-central-1:123456789012:stream/shop" }, "table"},
		"every":            {func(c *Config) { c.Every = spec.Duration(14 * time.Minute) }, "every"},
		"every, too long":  {func(c *Config) { c.Every = spec.Duration(25 * time.Hour) }, "every"},
		"every, parts":     {func(c *Config) { c.Every = spec.Duration(time.Hour + time.Millisecond) }, "every"},
		"key":              {func(c *Config) { c.Key = []string{"pk", "pk"} }, "key.1"},
		"request":          {func(c *Config) { c.Request.BucketOwner = "me" }, "request.bucket_owner"},
		"dynamodb":         {func(c *Config) { c.DynamoDB.Endpoint = "localhost" }, "dynamodb.endpoint"},
		"several":          {func(c *Config) { c.URL, c.Table, c.Every = "", "", 1 }, "url every table"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			_, err := New("shop", cfg)
			var paths []string
			var walk func(error)
			walk = func(err error) {
				if joined, ok := err.(interface{ Unwrap() []error }); ok {
					for _, e := range joined.Unwrap() {
						walk(e)
					}
				} else if f, ok := errors.AsType[*spec.FieldError](err); ok {
					paths = append(paths, strings.Join(f.Path, "."))
				} else if err != nil {
					t.Errorf("%v has no place", err)
				}
			}
			walk(err)
			if got := strings.Join(paths, " "); got != c.paths {
				t.Errorf("mistakes at %q, want %q: %v", got, c.paths, err)
			}
		})
	}
}

// TestConnections: DynamoDB is reached as its keys say, else as S3 is, but for the endpoint.
func TestConnections(t *testing.T) {
	c := Config{Table: "shop"}
	c.Config = awsapi.Config{Region: "eu-west-1", Endpoint: "http://s3.example", AssumeRole: awsapi.AssumeRole{ARN: "role"}}
	if got := c.dynamoDB(); got.Region != "eu-west-1" || got.Endpoint != "" || got.AssumeRole.ARN != "role" {
		t.Errorf("got %+v", got)
	}
	c.Table = "arn:aws:dynamodb:eu-central-1:123456789012:table/shop"
	if got := c.dynamoDB(); got.Region != "eu-central-1" || c.tableName() != "shop" {
		t.Errorf("got %+v", got)
	}
	c.DynamoDB = awsapi.Config{Region: "us-east-1", AssumeRole: awsapi.AssumeRole{ARN: "other"}}
	if got := c.dynamoDB(); got.Region != "us-east-1" || got.AssumeRole.ARN != "other" {
		t.Errorf("got %+v", got)
	}
}

// TestKey: the key comes from another source, the exports or the table, and has to be the table's.
func TestKey(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Exact: true}, Config{})
	w.write(20)
	s, err := New("shop", w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	others := []pipeline.Format{{Encoding: pipeline.DynamoDBCDC, Table: "shop", Key: []string{"pk"}}}
	if err := s.(*Source).FindKey(others); err != nil || len(s.(*Source).Format().Key) != 1 {
		t.Errorf("of another source: %v", err)
	}
	if err := w.open(requested, false); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.kill()
	// A full export does not tell its key: the table does.
	w.saved, w.lines = map[string][]byte{}, map[string]bool{}
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.kill()
	w.check()
	w.cfg.DynamoDB.Endpoint = "http://127.0.0.1:1"
	w.cfg.Table = ""
	s, err = New("shop", w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.(*Source).FindKey(nil); err == nil || !strings.Contains(err.Error(), "key is missing") {
		t.Errorf("without a table: %v", err)
	}
	w.cfg.DynamoDB.Endpoint, w.cfg.Table, w.cfg.Key = w.Endpoint, "shop", []string{"id"}
	if err := w.open(requested, false); err == nil || !strings.Contains(err.Error(), "the table's is [pk]") {
		t.Errorf("another key: %v", err)
	}
	w.kill()
}

// TestProgressText: what is saved is told in words, and what is damaged is an error.
func TestProgressText(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	window := &exportrequest.Request{From: at, To: at.Add(time.Hour)}
	for _, c := range []struct {
		p    progress
		says string
	}{
		{progress{Present: true}, "are to be read"},
		{progress{Request: &exportrequest.Request{ID: "x"}}, "a full export is to be asked for"},
		{progress{Reached: at}, "changes before 2026-05-01T12:00:00Z are read"},
		{progress{Reached: at, Request: window, ARN: "arn"}, "an incremental export of 2026-05-01T12:00:00Z to 2026-05-01T13:00:00Z is arn"},
		{progress{Reached: at, Gaps: []lostTime{{From: at, To: at.Add(time.Hour)}}}, "changes before 2026-05-01T13:00:00Z are gone"},
	} {
		again, err := parseProgress(c.p.encode())
		if err != nil || !strings.Contains(again.text(), c.says) {
			t.Errorf("%+v: %q, %v", c.p, again.text(), err)
		}
	}
	for _, raw := range []string{"", "{", "{}", `"x"`} {
		if _, err := parseProgress([]byte(raw)); err == nil {
			t.Errorf("%q is taken", raw)
		}
	}
}

// TestOnServer: another server of S3 that checks what it is asked.
func TestOnServer(t *testing.T) {
	awstest.Setenv(t)
	w := newWorldOn(t, awstest.S3(t).Endpoint, "exports-shop", dynamodbtest.ExportOptions{Delay: 3 * time.Minute, Files: 5}, every(time.Hour))
	w.write(60)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.follow(3)
	w.settle()
	w.kill()
	w.check()
	w.checkWindows()
}
