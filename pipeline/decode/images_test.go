package decode

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// formatOf returns a plain JSON format; the alternatives of a key are separated by |.
func formatOf(keys ...string) pipeline.Format {
	f := pipeline.Format{Encoding: pipeline.JSON, Operation: pipeline.OperationColumn{From: "op", Else: []string{"metadata.operation", "payload.op"}, Delete: []string{"d", "delete"}}}
	for _, k := range keys {
		paths := strings.Split(k, "|")
		f.Key, f.KeyElse = append(f.Key, paths[0]), append(f.KeyElse, paths[1:])
	}
	return f
}

// TestImages: where a record says what its item was before, however the envelope
// and the pipeline file name it.
func TestImages(t *testing.T) {
	debezium, both, dms, alone := formatOf("after.id|before.id"), formatOf("after.id|before.id|payload.after.id|payload.before.id"), formatOf("data.id|before-image.id"), formatOf("data.id")
	turned := formatOf("before.id|after.id")
	pair := formatOf("tenant", "row.id|old.id", "row.n|old.n")
	pair.Before = []string{"old"}
	flat := formatOf("id|old.id", "at.n|old.at.n")
	flat.Before = []string{"old"}
	none := formatOf("id|legacy", "n")
	for _, c := range []struct {
		f             pipeline.Format
		rec           string
		key, was, old string // old: what is there of after.x, data.x, row.x, x and tenant
	}{
		{debezium, `{"before":null,"after":{"id":1,"x":"a"},"op":"c"}`, "1", "", ""},
		{debezium, `{"before":{"id":1,"x":"a"},"after":{"id":1,"x":"b"},"op":"u"}`, "1", "", "a"},
		{debezium, `{"before":{"id":1,"x":"a"},"after":{"id":2,"x":"b"},"op":"u"}`, "2", "1", "a"},
		{debezium, `{"before":{"id":1},"after":{"id":2,"x":"b"},"op":"u"}`, "2", "1", ""},
		{debezium, `{"before":{"id":1,"x":"a"},"after":null,"op":"d"}`, "1", "", "a"},
		{debezium, `{"before":{"id":1,"x":"a"},"op":"d"}`, "1", "", "a"},
		{turned, `{"before":{"id":1,"x":"a"},"after":{"id":2,"x":"b"},"op":"u"}`, "2", "1", "a"},
		{both, `{"before":{"id":1,"x":"a"},"after":{"id":2,"x":"b"},"op":"u"}`, "2", "1", "a"},
		{both, `{"schema":{},"payload":{"before":{"id":1,"x":"a"},"after":{"id":2,"x":"b"},"op":"u"}}`, "2", "1", "a"},
		{both, `{"schema":{},"payload":{"before":{"id":1,"x":"a"},"after":null,"op":"d"}}`, "1", "", "a"},
		{dms, `{"data":{"id":1,"x":"a"},"before-image":{},"metadata":{"operation":"update"}}`, "1", "", ""},
		{dms, `{"data":{"id":2,"x":"b"},"before-image":{"id":1},"metadata":{"operation":"update"}}`, "2", "1", ""},
		{alone, `{"data":{"id":2,"x":"b"},"before-image":{"id":1},"metadata":{"operation":"update"}}`, "2", "1", ""},
		{alone, `{"data":{"id":2,"x":"b"},"metadata":{"operation":"delete"}}`, "2", "", "b"},
		{formatOf("after.id"), `{"before":{"id":1},"after":null,"op":"d"}`, "1", "", ""},
		{pair, `{"tenant":7,"row":{"id":1,"n":2,"x":"b"},"old":{"n":1,"x":"a"}}`, "1,2,7", "1,1,7", "a"},
		{pair, `{"tenant":7,"row":{"id":1,"n":2,"x":"b"},"old":null}`, "1,2,7", "", ""},
		{flat, `{"id":2,"at":{"n":3},"x":"b","old":{"id":1}}`, "3,2", "3,1", "b"},
		{flat, `{"id":2,"at":{"n":3},"x":"b","old":{"x":"a"}}`, "3,2", "", ""},
		{none, `{"id":2,"legacy":1,"n":1}`, "2,1", "", ""},
		{none, `{"id":null,"legacy":1,"n":1}`, "1,1", "", ""},
	} {
		want := NewProjection(paths("after.x", "payload.after.x", "data.x", "row.x", "x"), false)
		var r Record
		if e := decodeOne(t, &c.f, Options{New: want, Old: want, Identity: true}, c.rec, &r); e != "" {
			t.Errorf("%s: %s", c.rec, e)
			continue
		}
		old := ""
		for _, v := range r.Old {
			old += string(v.Raw([]byte(c.rec)))
		}
		if got := fmt.Sprint(bare(r.Key), "; ", bare(r.WasKey), "; ", old); !r.Moved && got != c.key+"; "+c.key+"; "+c.old && got != c.key+"; ; "+c.old || r.Moved && got != c.key+"; "+c.was+"; "+c.old {
			t.Errorf("%s: %s, want %s; %s; %s", c.rec, got, c.key, c.was, c.old)
		}
		if r.Moved != (c.was != "") {
			t.Errorf("%s: moved %t", c.rec, r.Moved)
		}
	}
}

// bare returns the values of a key of numbers.
func bare(key []byte) string {
	var values []string
	for _, part := range strings.Split(strings.Trim(string(key), "{}"), ",") {
		values = append(values, part[strings.LastIndexByte(part, ':')+1:])
	}
	return strings.Join(values, ",")
}

// TestLacking: what has no key, or no version, is decoded, and says so.
func TestLacking(t *testing.T) {
	f := formatOf("data.id")
	f.Version = pipeline.VersionColumn{From: "at", Else: []string{"metadata.at"}, Type: "int64"}
	want := NewProjection(paths("metadata.type"), false)
	for rec, lacks := range map[string]string{
		`{"metadata":{"type":"control","at":1}}`:                      `key attribute "data.id" is missing`,
		`{"data":{"id":null},"metadata":{"type":"control"},"at":1}`:   `key attribute "data.id" is a null`,
		`{"data":{"id":[]},"metadata":{"type":"control"},"at":1}`:     `key attribute "data.id" is a list`,
		`{"data":{"id":1},"metadata":{"type":"control"}}`:             `version "at" is missing, and so is "metadata.at"`,
		`{"data":{"id":1},"metadata":{"type":"control","at":"soon"}}`: `is not a number`,
		`{"data":{"id":1},"metadata":{"type":"control","at":9}}`:      "",
	} {
		var r Record
		if err := NewDecoder(&f, Options{New: want, Identity: true}).Decode([]byte(rec), &r); err != nil {
			t.Fatalf("%s: %v", rec, err)
		}
		if (r.Lacks == nil) != (lacks == "") || r.Lacks != nil && !strings.Contains(r.Lacks.Error(), lacks) {
			t.Errorf("%s lacks %v, want %q", rec, r.Lacks, lacks)
		}
		if string(r.New[0].Raw([]byte(rec))) != "control" {
			t.Errorf("%s: its image is not there", rec)
		}
	}
	f.KeyElse = [][]string{{"was.id", "old.id"}}
	var r Record
	if err := NewDecoder(&f, Options{New: want, Identity: true}).Decode([]byte(`{"metadata":{"at":1}}`), &r); err != nil ||
		r.Lacks == nil || !strings.HasPrefix(r.Lacks.Error(), `key attribute "data.id" is missing, and so is "was.id", and so is "old.id"`) {
		t.Errorf("%v, and lacks %v", err, r.Lacks)
	}
}

func TestBeforeWithoutKey(t *testing.T) {
	for _, f := range []pipeline.Format{formatOf("row.id"), formatOf("row.id|old.key")} {
		f.Before = []string{"old"}
		if err := CheckKey(&f); err == nil || !strings.Contains(err.Error(), "key: [[id, old.id]]") {
			t.Errorf("%v: %v", f.KeyElse, err)
		}
	}
}
