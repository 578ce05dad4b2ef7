package decode

import (
	"errors"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

func TestItemIsTheSameInEveryFormat(t *testing.T) {
	export := &pipeline.Format{Encoding: pipeline.DynamoDBExport, Table: "t", ExportTime: 42, Key: []string{"PK", "SK"}}
	var cdc, full, increment, spaced Record
	for _, c := range []struct {
		f   *pipeline.Format
		rec string
		r   *Record
	}{
		{cdcFormat, string(cdcLine("INSERT", "t", 1, testKeys, testImage, "")), &cdc},
		{export, `{"Item":` + testImage + `}`, &full},
		{&pipeline.Format{Encoding: pipeline.DynamoDBExport, Table: "t"}, `{"Metadata":{"WriteTimestampMicros":{"N":"99"}},"Keys":` + testKeys + `,"NewImage":` + testImage + `}`, &increment},
		{&pipeline.Format{Encoding: pipeline.DynamoDBCDC, Table: "t"}, strings.ReplaceAll(string(cdcLine("INSERT", "other", 1, `{"SK":{"N":10e-1},"\u0050K":{"S":"\u0061"}}`, testImage, "")), ":", " : "), &spaced},
	} {
		if e := decodeOne(t, c.f, Options{Identity: true}, c.rec, c.r); e != "" {
			t.Fatalf("%s: %s", c.rec, e)
		}
		if c.r.Item != cdc.Item || string(c.r.Key) != string(cdc.Key) || c.r.Version.New != cdc.Version.New {
			t.Errorf("%s: %+v, want %+v", c.rec, c.r, cdc)
		}
	}
	if (cdc.Item == pipeline.Hash{}) {
		t.Error("no hash")
	}
	if full.Event != Insert || full.Created != 42 || full.Version.Time != 42 || full.Version.HasOld || !full.HasNew {
		t.Errorf("%+v", full)
	}
	if increment.Event != Insert || increment.Created != 99 || increment.Version.HasOld || !increment.HasNew {
		t.Errorf("%+v", increment)
	}
	var other Record
	decodeOne(t, cdcFormat, Options{Identity: true}, string(cdcLine("INSERT", "t2", 1, testKeys, testImage, "")), &other)
	if other.Item == cdc.Item {
		t.Error("two tables, one item")
	}
}

func TestExport(t *testing.T) {
	for _, c := range []struct {
		key            string
		rec, want, err string
		event          Event
	}{
		{"SK,PK", `{"Item":{"SK":{"S":"b"},"PK":{"S":"a"}}}`, `{"PK":{"S":"a"},"SK":{"S":"b"}}`, "", Insert},
		{"PK,SK", `{"Item":{"SK":{"M":{}},"PK":{"S":"a"}}}`, "", `key attribute "SK" is a map`, 0},
		{"pk,sk", `{"Item":{"pk":{"S":"a"},"PK":{"NULL":true},"sk":{"B":"AA"}}}`, `{"pk":{"S":"a"},"sk":{"B":"AA=="}}`, "", Insert},
		{"id", `{"Item":{"id":{"N":"1e2"}}}`, `{"id":{"N":"100"}}`, "", Insert},
		{"other", `{"Item":{"other":{"S":"a\n\"ü"},"PK":{"S":""}}}`, `{"other":{"S":"a\u000a\"ü"}}`, "", Insert},
		{"other", `{"Item":{"PK":{"S":"a"}}}`, "", `key attribute "other" is missing`, 0},
		{"", `{"Metadata":{"x":1,"WriteTimestampMicros":{"N":"99"}},"Keys":{"a":{"S":""}},"NewImage":{},"OldImage":{}}`, `{"a":{"S":""}}`, "", Modify},
		{"", `{"Metadata":{"WriteTimestampMicros":{"N":"99"}},"Keys":{"a":{"S":""}},"OldImage":{}}`, `{"a":{"S":""}}`, "", Remove},
		{"", `{"Metadata":{"WriteTimestampMicros":{"N":"99"}},"Keys":{"a":{"S":""}}}`, `{"a":{"S":""}}`, "", Remove},
		{"", `{"Metadata":{"WriteTimestampMicros":{"S":"99"}},"Keys":{"a":{"S":""}}}`, "", "is not a number", 0},
		{"", `{"Keys":{"a":{"S":""}}}`, "", "without Metadata.WriteTimestampMicros", 0},
		{"", `{"Metadata":{"WriteTimestampMicros":{"N":"99"}},"NewImage":{}}`, "", "without Keys", 0},
		{"", `{}`, "", "neither Item nor", 0},
		{"", `{"Item":{},"Item":{}}`, "", "twice", 0},
	} {
		f := &pipeline.Format{Encoding: pipeline.DynamoDBExport}
		if c.key != "" {
			f.Key = strings.Split(c.key, ",")
		}
		var r Record
		e := decodeOne(t, f, Options{New: NewProjection(paths("x"), true), Identity: true}, c.rec, &r)
		if (e == "") != (c.err == "") || !strings.Contains(e, c.err) {
			t.Errorf("%s: %q", c.rec, e)
		}
		if e == "" && (string(r.Key) != c.want || r.Event != c.event || len(r.New) != 1) {
			t.Errorf("%s: %v %s %v", c.rec, r.Event, r.Key, r.New)
		}
	}
}

// TestSnapshot: only items of an export with manifests are there once. A scan or
// requests to write may show an item twice at the time that they are given.
func TestSnapshot(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		f := &pipeline.Format{Encoding: pipeline.DynamoDBExport, Key: []string{"id"}, ExportTime: 42, Snapshot: snapshot}
		var r Record
		if e := decodeOne(t, f, Options{Identity: true}, `{"Item":{"id":{"S":"a"}}}`, &r); e != "" || r.Version.Snapshot != snapshot || r.Version.Time != 42 {
			t.Errorf("snapshot %v: %+v, error %s", snapshot, r.Version, e)
		}
	}
}

// TestKeyContradictsRecord: a key that is not the table's would make one item of
// several, or several of one, so it ends the run.
func TestKeyContradictsRecord(t *testing.T) {
	line := func(keys string) string {
		return `{"Metadata":{"WriteTimestampMicros":{"N":"99"}},"Keys":` + keys + `,"NewImage":` + keys + `}`
	}
	for _, c := range []struct {
		name, key, rec, want string
		encoding             pipeline.Encoding
	}{
		{"full export, none", "", `{"Item":{"PK":{"S":"a"},"id":{"S":"a"}}}`, "set `key:` on the source", pipeline.DynamoDBExport},
		{"same", "b,a", line(`{"a":{"S":"1"},"b":{"S":"1"}}`), "", pipeline.DynamoDBExport},
		{"fewer", "a,b", line(`{"a":{"S":"1"}}`), "`key: [a, b]` of the source contradicts the record, whose Keys are a:", pipeline.DynamoDBExport},
		{"more", "b", line(`{"b":{"S":"1"},"a":{"S":"1"}}`), "whose Keys are a, b:", pipeline.DynamoDBExport},
		{"other", "a", line(`{"b":{"S":"1"}}`), "whose Keys are b:", pipeline.DynamoDBExport},
		{"stream, same", "PK,SK", string(cdcLine("INSERT", "t", 1, testKeys, testImage, "")), "", pipeline.DynamoDBCDC},
		{"stream, other", "PK", string(cdcLine("INSERT", "t", 1, testKeys, testImage, "")), "whose Keys are PK, SK:", pipeline.DynamoDBCDC},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &pipeline.Format{Encoding: c.encoding}
			if c.key != "" {
				f.Key = strings.Split(c.key, ",")
			}
			d := NewDecoder(f, Options{New: NewProjection(paths("x"), true), Identity: true})
			var r Record
			for range 2 {
				err := d.Decode([]byte(c.rec), &r)
				var bad *Error
				switch {
				case c.want == "" && err != nil:
					t.Fatal(err)
				case c.want != "" && (err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), c.want)):
					t.Fatalf("error %v, want one that ends the run with %q", err, c.want)
				}
			}
		})
	}
}

func TestPlain(t *testing.T) {
	base := pipeline.Format{Encoding: pipeline.JSON, Key: []string{"uuid"}, Operation: pipeline.OperationColumn{From: "op", Delete: []string{"D", "9"}}}
	version := func(kind, format string) pipeline.Format {
		f := base
		f.Version = pipeline.VersionColumn{From: "v", Type: kind, Format: format}
		return f
	}
	zoned := version("timestamp", "")
	zoned.Version.Zone, zoned.Version.Precision = "Africa/Lagos", "truncate"
	keys := base
	keys.Key = []string{"b[0].c", "a"}
	for _, c := range []struct {
		f        pipeline.Format
		rec, key string
		event    Event
		time     int64
		err      string
	}{
		{base, `{"uuid":1.0}`, `{"uuid":1}`, Insert, 0, ""},
		{base, ` {"uuid":"a\u0062","op":"U"} `, `{"uuid":"ab"}`, Insert, 0, ""},
		{base, `{"uuid":true,"op":"\u0044"}`, `{"uuid":true}`, Remove, 0, ""},
		{base, `{"uuid":1,"op":9}`, `{"uuid":1}`, Remove, 0, ""},
		{base, `{"uuid":1,"op":{"D":1}}`, `{"uuid":1}`, Insert, 0, ""},
		{base, `{"op":"D"}`, "", 0, 0, `key attribute "uuid" is missing`},
		{base, `{"uuid":null}`, "", 0, 0, `key attribute "uuid" is a null`},
		{base, `null`, "", 0, 0, "the record is null"},
		{base, `nul`, "", 0, 0, "want a value"},
		{base, `[]`, "", 0, 0, "want an object"},
		{keys, `{"a":2,"b":[{"c":"x"}]}`, `{"a":2,"b[0].c":"x"}`, Insert, 0, ""},
		{version("int64", ""), `{"uuid":1,"v":12}`, `{"uuid":1}`, Insert, 12, ""},
		{version("int64", ""), `{"uuid":1,"v":"-12"}`, `{"uuid":1}`, Insert, -12, ""},
		{version("int64", ""), `{"uuid":1,"v":1.5}`, "", 0, 0, "has more fraction digits"},
		{version("int64", ""), `{"uuid":1,"v":1e30}`, "", 0, 0, "out of range"},
		{version("int64", ""), `{"uuid":1,"v":"x"}`, "", 0, 0, "is not a number"},
		{version("int64", ""), `{"uuid":1,"v":[]}`, "", 0, 0, `version "v" is a list`},
		{version("int64", ""), `{"uuid":1}`, "", 0, 0, `version "v" is missing`},
		{version("timestamp", ""), `{"uuid":1,"v":"1970-01-01T00:00:01.5Z"}`, `{"uuid":1}`, Insert, 1500000, ""},
		{version("timestamp", "unix"), `{"uuid":1,"v":1.25}`, `{"uuid":1}`, Insert, 1250000, ""},
		{version("timestamp", "unix_ms"), `{"uuid":1,"v":"1250"}`, `{"uuid":1}`, Insert, 1250000, ""},
		{version("date", ""), `{"uuid":1,"v":"1970-01-02"}`, `{"uuid":1}`, Insert, 86400000000, ""},
		{version("int64", ""), `{"uuid":1,"v":"1e3"}`, `{"uuid":1}`, Insert, 1000, ""},
		{version("int64", ""), `{"uuid":1,"v":9223372036854775807}`, `{"uuid":1}`, Insert, 1<<63 - 1, ""},
		{version("int64", ""), `{"uuid":1,"v":-9223372036854775808}`, `{"uuid":1}`, Insert, -1 << 63, ""},
		{version("int64", ""), `{"uuid":1,"v":true}`, "", 0, 0, `version "v" is a bool`},
		{version("timestamp", ""), `{"uuid":1,"v":"1970-01-01 00:00:01.5"}`, `{"uuid":1}`, Insert, 1500000, ""},
		{version("timestamp", ""), `{"uuid":1,"v":"1970-01-01T00:00:01.0000001Z"}`, "", 0, 0, "finer than microseconds"},
		{version("timestamp", "unix"), `{"uuid":1,"v":"1.0000001"}`, "", 0, 0, "finer than microseconds"},
		{version("timestamp", "unix_us"), `{"uuid":1,"v":1.25e6}`, `{"uuid":1}`, Insert, 1250000, ""},
		{version("date", ""), `{"uuid":1,"v":"1970-01-02T23:00:00.0000001Z"}`, `{"uuid":1}`, Insert, 86400000000, ""},
		{version("date", "unix"), `{"uuid":1,"v":90000}`, `{"uuid":1}`, Insert, 86400000000, ""},
		{zoned, `{"uuid":1,"v":"1970-07-01 02:00:00.1234567"}`, `{"uuid":1}`, Insert, 15642000123456, ""},
		{version("date", "1/2/06"), `{"uuid":1,"v":"1\/4\/70"}`, `{"uuid":1}`, Insert, 3 * 86400000000, ""},
		{version("date", ""), `{"uuid":1,"v":"1970-13-02"}`, "", 0, 0, `is not a time that exists`},
	} {
		want := NewProjection(paths("uuid", "x"), false)
		var r Record
		e := decodeOne(t, &c.f, Options{New: want, Old: want, Identity: true}, c.rec, &r)
		if (e == "") != (c.err == "") || !strings.Contains(e, c.err) {
			t.Errorf("%s: %q", c.rec, e)
		}
		if e != "" {
			continue
		}
		if string(r.Key) != c.key || r.Event != c.event || r.Version.Time != c.time || !r.Version.ByArrival || r.Version.Seq != "" || len(r.New) != 2 || len(r.Old) != 2 {
			t.Errorf("%s: %+v", c.rec, r)
		}
		removed := c.event == Remove
		if removed != r.HasOld || removed == r.HasNew || removed != (r.New[0].Kind == Missing) && strings.Contains(c.rec, "uuid") || removed == (r.Version.New != 0) || r.Version.HasOld {
			t.Errorf("%s: images %+v", c.rec, r)
		}
	}
}

// TestKeyOnly: a removal in plain JSON says no more than its key where it has
// nothing beside what the format names, wherever that stands.
func TestKeyOnly(t *testing.T) {
	flat := pipeline.Format{
		Encoding: pipeline.JSON, Key: []string{"id", "part"}, Version: pipeline.VersionColumn{From: "at", Type: "int64"},
		Operation: pipeline.OperationColumn{From: "op", Delete: []string{"D"}},
	}
	deep := flat
	deep.Key = []string{"keys.id", "keys.list[0].id"}
	deep.Version.From, deep.Operation.From = "meta.at", "meta.op"
	noKey := flat
	noKey.Key = nil
	for _, c := range []struct {
		f    pipeline.Format
		rec  string
		want bool
	}{
		{flat, `{"id":1,"part":2,"at":3,"op":"D"}`, true},
		{flat, ` { "\u0069d" : 1 , "op" : "D" , "part" : "x" , "at" : 3 } `, true},
		{flat, `{"id":1,"part":2,"at":3,"op":"U"}`, false},
		{flat, `{"id":1,"part":2,"at":3,"op":"D","type":"order"}`, false},
		{flat, `{"type":{"a":[]},"id":1,"part":2,"at":3,"op":"D"}`, false},
		{flat, `{"id":1,"part":2,"at":3,"op":"D","type":null,"name":null}`, true},
		{flat, `{"id":1,"part":2,"at":3,"op":"D","":""}`, false},
		{noKey, `{"at":3,"op":"D"}`, false},
		{deep, `{"keys":{"id":1,"list":[{"id":2}]},"meta":{"at":3,"op":"D"}}`, true},
		{deep, `{"keys":{"id":1,"list":[{"id":2}]},"meta":{"at":3,"op":"D","type":null}}`, true},
		{deep, `{"keys":{"id":1,"list":[{"id":2}]},"meta":{"at":3,"op":"D","type":"x"}}`, false},
		{deep, `{"keys":{"id":1,"list":[{"id":2}],"type":"x"},"meta":{"at":3,"op":"D"}}`, false},
		{deep, `{"keys":{"id":1,"list":[{"id":2}]},"meta":{"at":3,"op":"D"},"id":1}`, false},
	} {
		var r Record
		want := NewProjection(paths("id", "type", "type.a"), false)
		if e := decodeOne(t, &c.f, Options{New: want, Old: want, Identity: true}, c.rec, &r); e != "" {
			t.Errorf("%s: %s", c.rec, e)
		}
		if r.KeyOnly != c.want {
			t.Errorf("%s: KeyOnly is %t", c.rec, r.KeyOnly)
		}
	}
}

func TestBadFormat(t *testing.T) {
	for _, f := range []*pipeline.Format{
		{},
		{Encoding: pipeline.JSON, Key: []string{"a..b"}},
		{Encoding: pipeline.JSON, Version: pipeline.VersionColumn{From: "[", Type: "date"}},
		{Encoding: pipeline.JSON, Version: pipeline.VersionColumn{From: "a", Type: "text"}},
		{Encoding: pipeline.JSON, Operation: pipeline.OperationColumn{From: "["}},
		{Encoding: pipeline.JSON, Key: make([]string, keyAttributesMax+1)},
		{Encoding: pipeline.DynamoDBExport, Key: make([]string, keyAttributesMax+1)},
	} {
		var r Record
		if err := NewDecoder(f, Options{Identity: true}).Decode([]byte(`{}`), &r); err == nil {
			t.Errorf("%+v: no error", f)
		}
	}
}
