package decode

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/starlift-etl/starlift/pipeline"
)

const (
	testKeys  = `{"PK":{"S":"a"},"SK":{"N":"1.0"}}`
	testImage = `{"PK":{"S":"a"},"SK":{"N":"1"},"n":{"N":50.00},"m":{"M":{"c":{"S":"ES"},"l":{"L":[{"S":"x"},{"M":{"k":{"BOOL":true}}}]}}},"z":{"NULL":true},"e":{"S":""}}`
)

var cdcFormat = &pipeline.Format{Encoding: pipeline.DynamoDBCDC}

// decodeOne decodes rec and returns the error's text, if there is one.
func decodeOne(t *testing.T, f *pipeline.Format, o Options, rec string, r *Record) string {
	t.Helper()
	err := NewDecoder(f, o).Decode([]byte(rec), r)
	if err == nil && r.Lacks != nil {
		return r.Lacks.Error()
	}
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: %v is no *Error", rec, err)
	}
	return err.Error()
}

// show writes slots as kind:text.
func show(rec string, slots []Value) []string {
	out := make([]string, len(slots))
	for i, v := range slots {
		out[i] = v.Kind.String() + ":" + string(v.Raw([]byte(rec)))
	}
	return out
}

func TestProjection(t *testing.T) {
	want := paths("m.c", "n", "m", "m.l[1].k", "m.l[0]", "m.l[7]", "m.c.d", "PK[0]", "z", "e", "none", "m.c")
	rec := string(cdcLine("INSERT", "t", 1, testKeys, testImage, ""))
	var r Record
	if e := decodeOne(t, cdcFormat, Options{New: NewProjection(want, true), Old: NewProjection(want[:2], true)}, rec, &r); e != "" {
		t.Fatal(e)
	}
	got := show(rec, r.New)
	if diff := cmp.Diff([]string{
		"string:ES", "number:50.00", `map:{"c":{"S":"ES"},"l":{"L":[{"S":"x"},{"M":{"k":{"BOOL":true}}}]}}`, "bool:true", "string:x",
		"missing:", "missing:", "missing:", "null:true", "string:", "missing:", "string:ES",
	}, got); diff != "" {
		t.Error(diff)
	}
	if len(r.Old) != 2 || r.Old[0].Kind != Missing {
		t.Errorf("old slots %v", r.Old)
	}
}

func TestProjectionOfManyNames(t *testing.T) {
	var want []Path
	var image strings.Builder
	for i := range 300 {
		name := fmt.Sprintf("attribute_%d", i)
		want = append(want, Path{{Name: name}})
		fmt.Fprintf(&image, `"%s":{"N":"%d"},"not_%s":{"S":""},`, name, i, name)
	}
	rec := string(cdcLine("INSERT", "t", 1, testKeys, "{"+strings.TrimSuffix(image.String(), ",")+"}", ""))
	var r Record
	if e := decodeOne(t, cdcFormat, Options{New: NewProjection(want, true)}, rec, &r); e != "" {
		t.Fatal(e)
	}
	for i, v := range r.New {
		if got := string(v.Raw([]byte(rec))); got != fmt.Sprint(i) {
			t.Errorf("attribute %d is %q", i, got)
		}
	}
}

func TestCDCFields(t *testing.T) {
	rec := `{"eventID":"e1","dynamodb":{"SequenceNumber":"000123","NewImage":` + testImage + `,"Keys":{"SK":{"N":"1e0"},"PK":{"S":"\u0061"}},"OldImage":{"PK":{"S":"a"}},"ApproximateCreationDateTime":1700000000000001,"ApproximateCreationDateTimePrecision":"MICROSECOND","new":[1,{}]},"eventName":"MODIFY","x":null,"tableName":"shop"} `
	var r Record
	if e := decodeOne(t, cdcFormat, Options{Identity: true}, rec, &r); e != "" {
		t.Fatal(e)
	}
	if r.Event != Modify || !r.HasNew || !r.HasOld || r.Created != 1700000000000001 || r.TTL || string(r.EventID.Raw([]byte(rec))) != "e1" || string(r.Table.Raw([]byte(rec))) != "shop" {
		t.Errorf("%+v", r)
	}
	if string(r.Key) != `{"PK":{"S":"a"},"SK":{"N":"1"}}` {
		t.Errorf("key %s", r.Key)
	}
	if v := r.Version; v.Time != r.Created || v.Seq != "123" || v.New == 0 || v.Old == 0 || v.New == v.Old || !v.HasOld {
		t.Errorf("version %+v", v)
	}
}

func TestCreationTime(t *testing.T) {
	for _, c := range []struct {
		time, precision string
		want            int64
	}{
		{"1657238404999", "", 1657238404999000},
		{"1657238404999", "MILLISECOND", 1657238404999000},
		{"1657238404999123", "MICROSECOND", 1657238404999123},
		{"1657238404", "", 1657238404000000},
		{"1657238404.0", "", 1657238404000000},
		{"1657238404.25", "", 1657238404250000},
		{"1.657238404E9", "", 1657238404000000},
		{"1.657238404999E12", "", 1657238404999000},
		{"5", "MILLISECOND", 5000},
		{"1e99", "", -1},
		{"-1", "", -1},
		{"1", "SECOND", -1},
		{`"2024"`, "", -1},
		{"1657238404999123", "", 1657238404999123},
		{`"1657238404999"`, "", 1657238404999000},
		{`"1657238404"`, "", 1657238404000000},
		{`"2022-07-08T00:00:04Z"`, "", 1657238404000000},
		{`"2022-07-08T00:00:04.999Z"`, "MILLISECOND", 1657238404999000},
		{`"2022-07-08T02:00:04.999123456+02:00"`, "", 1657238404999123},
		{`"2022-07-07T17:00:04-0700"`, "", 1657238404000000},
		{`"2022-07-08 00:00:04+00:00"`, "", 1657238404000000},
		{`"2022-07-08 00:00:04.5 +0000 UTC"`, "", 1657238404500000},
		{`"2022-07-08 00:00:04 UTC"`, "", 1657238404000000},
		{`"Fri, 08 Jul 2022 00:00:04 GMT"`, "", 1657238404000000},
		{`"\/Date(1657238404999)\/"`, "", 1657238404999000},
		{`{"epochSecond":1657238404,"nano":999123456}`, "", 1657238404999123},
		{`{"seconds":1657238404}`, "", 1657238404000000},
		{"0", "", 0},
		{"1657238404999123456", "", -1},
		{"1657238404999123", "MILLISECOND", -1},
		{`"2022-07-08T00:00:04"`, "", -1},
		{`"2022-07-08 00:00:04 +0200 CEST"`, "", -1},
		{`"Jul 8, 2022, 12:00:04 AM"`, "", -1},
		{`"0001-01-01T00:00:00Z"`, "", -1},
		{`{"year":2022}`, "", -1},
		{`{"epochSecond":1.5,"nano":0}`, "", -1},
		{`[1]`, "", -1},
		{`null`, "", -1},
	} {
		p := ""
		if c.precision != "" {
			p = `,"ApproximateCreationDateTimePrecision":"` + c.precision + `"`
		}
		var r Record
		e := decodeOne(t, cdcFormat, Options{}, `{"eventName":"REMOVE","dynamodb":{"ApproximateCreationDateTime":`+c.time+p+`}}`, &r)
		if (e == "") != (c.want >= 0) || e == "" && r.Created != c.want {
			t.Errorf("%s %s: %d %s", c.time, c.precision, r.Created, e)
		}
	}
}

func TestTimeToLive(t *testing.T) {
	for identity, want := range map[string]bool{
		`{"type":"Service","principalId":"dynamodb.amazonaws.com"}`: true,
		`{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}`: true,
		`{"type":"Service","principalId":"other"}`:                  false,
		`null`: false,
		`{}`:   false,
	} {
		for _, event := range []string{"REMOVE", "INSERT"} {
			var r Record
			e := decodeOne(t, cdcFormat, Options{}, `{"userIdentity":`+identity+`,"eventName":"`+event+`","dynamodb":{"ApproximateCreationDateTime":1}}`, &r)
			if e != "" || r.TTL != (want && event == "REMOVE") {
				t.Errorf("%s %s: %v %s", event, identity, r.TTL, e)
			}
		}
	}
}

func TestHasOld(t *testing.T) {
	for _, c := range []struct {
		event, old   string
		record, item bool
	}{
		{"INSERT", "", false, true},
		{"MODIFY", "", false, false},
		{"MODIFY", testImage, true, true},
		{"REMOVE", testImage, true, true},
		{"REMOVE", "", false, false},
	} {
		image := testImage
		if c.event == "REMOVE" {
			image = ""
		}
		var r Record
		e := decodeOne(t, cdcFormat, Options{Identity: true}, string(cdcLine(c.event, "t", 1, testKeys, image, c.old)), &r)
		if e != "" || r.HasOld != c.record || r.Version.HasOld != c.item || (r.Version.Old != 0) != c.record || (r.Version.New != 0) != (image != "") {
			t.Errorf("%s old %q: %+v %s", c.event, c.old, r, e)
		}
	}
}

func TestDecodeResets(t *testing.T) {
	p := NewProjection(paths("PK", "m.c"), true)
	d := NewDecoder(cdcFormat, Options{New: p, Old: p, Identity: true})
	first := cdcLine("MODIFY", "t", 1, testKeys, testImage, testImage)
	for _, rec := range [][]byte{cdcLine("INSERT", "t", 1, testKeys, `{"x":{"S":""}}`, ""), cdcLine("REMOVE", "t", 1, testKeys, `{"PK":{"S":"emulator"}}`, "")} {
		var r Record
		for _, b := range [][]byte{first, first[:len(first)-3], rec} {
			if err := d.Decode(b, &r); (err != nil) != (len(b) == len(first)-3) {
				t.Fatal(err)
			}
		}
		if r.KeyOnly && string(r.Old[0].Raw(rec)) == "a" {
			r.Old = r.Old[1:] // the key, of a removal without an old image
		}
		for _, v := range append(r.New, r.Old...) {
			if v.Kind != Missing {
				t.Errorf("%s: slots %v %v", rec, r.New, r.Old)
			}
		}
	}
}

func TestBadChangeRecords(t *testing.T) {
	good := string(cdcLine("MODIFY", "t", 1, testKeys, testImage, testImage))
	edit := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	deep := strings.Repeat(`{"L":[`, 70) + strings.Repeat(`]}`, 70)
	for _, c := range []struct{ rec, want string }{
		{good, ""},
		{" \t" + good + "\r\n", ""},
		{good[:len(good)-1], "record ends too early: want a comma or }"},
		{good[:100], "record ends too early"},
		{"", "record ends too early: want an object at byte 0"},
		{good + "}", "text behind the end"},
		{good + " {}", "text behind the end"},
		{"[" + good + "]", `unexpected '[': want an object at byte 0`},
		{edit(`"eventName":"MODIFY",`, ``), "change record without eventName"},
		{edit(`"MODIFY"`, `"UPSERT"`), `unknown eventName "UPSERT"`},
		{edit(`"MODIFY"`, `"\u004dODIFY"`), ""},
		{edit(`"ApproximateCreationDateTime":1`, `"other":1`), "without ApproximateCreationDateTime"},
		{edit(`"NewImage"`, `"Other"`), "view type must include new images"},
		{edit(`"Keys"`, `"Other"`), "without Keys"},
		{edit(`"tableName":"t",`, ``), "without tableName"},
		{edit(`"tableName":"t"`, `"tableName":7`), "unexpected '7': want a string"},
		{edit(`"tableName":"t"`, `"tableName":"t","tableName":"t"`), "twice"},
		{edit(`"userIdentity":null`, `"userIdentity":{"type":"a","Type":"b"}`), "twice"},
		{edit(testKeys, `{}`), "Keys without attributes"},
		{edit(testKeys, `{"PK":{"BOOL":true}}`), `key attribute "PK" is a bool`},
		{edit(testKeys, `{"PK":{"S":"a"},"P\u004b":{"S":"a"}}`), `key attribute "PK" twice`},
		{edit(testKeys, `{"PK":{"B":"*"}}`), `key attribute "PK" is not base64`},
		{edit(`"n":{"N":50.00}`, `"n":{"X":50.00}`), `NewImage.n: unknown DynamoDB type "X": want S, N, B`},
		{edit(`"n":{"N":50.00}`, `"n":{}`), "unknown DynamoDB type: a value without a type"},
		{edit(`"n":{"N":50.00}`, `"n":{"N":"1","S":"1"}`), "unknown DynamoDB type: a value with two types"},
		{edit(`"n":{"N":50.00}`, `"n":{"N":"1","N":"1"}`), "unknown DynamoDB type: a value with two types"},
		{edit(`"n":{"N":50.00}`, `"n":"1"`), `NewImage.n: want a DynamoDB value, as {"S": "text"}, found the string "1"`},
		{edit(`"n":{"N":50.00}`, `"n":{"N":"+50"}`), ""},
		{edit(`"n":{"N":50.00}`, `"n":{"N":+50}`), "want a value"},
		{edit(`"n":{"N":50.00}`, `"n":{"N":"NaN"}`), `NewImage.n: N wants a number, found the string "NaN"`},
		{edit(`"n":{"N":50.00}`, `"n":{"N":"1 "}`), `NewImage.n: N wants a number, found the string "1 "`},
		{edit(`"n":{"N":50.00}`, `"n":{"N":"007"}`), `N wants a number, found the string "007"`},
		{edit(`"n":{"N":50.00}`, `"n":{"N":1.}`), `N wants a number, found "1."`},
		{edit(`"n":{"N":50.00}`, `"n":{"NULL":false}`), "NewImage.n: NULL wants true, found false"},
		{edit(`"n":{"N":50.00}`, `"n":{"BOOL":"true"}`), `NewImage.n: BOOL wants true or false, found the string "true"`},
		{edit(`"n":{"N":50.00}`, `"n":{"SS":["a",1]}`), "want a string"},
		{edit(`"n":{"N":50.00}`, `"n":{"L":[1]}`), `NewImage.n[0]: want a DynamoDB value, as {"S": "text"}, found "1"`},
		{edit(`"n":{"N":50.00}`, `"n":{"L":[{"S":""},]}`), `NewImage.n[1]: want a DynamoDB value, as {"S": "text"}, found "]"`},
		{edit(`"n":{"N":50.00}`, `"n":{"S":"\x"}`), "bad escape"},
		{edit(`"n":{"N":50.00}`, `"n":{"S":"\ud800"}`), "half of a surrogate pair"},
		{edit(`"n":{"N":50.00}`, "\"n\":{\"S\":\"a\x01\"}"), "control character 0x01"},
		{edit(`"n":{"N":50.00}`, "\"n\":{\"S\":\"long enough text \xff\"}"), "invalid UTF-8"},
		{edit(`"n":{"N":50.00}`, `"n":`+deep), "nested deeper than 64 levels"},
		{edit(`"n":{"N":50.00}`, `"PK":{"N":1}`), `name "PK" twice in one object`},
		{edit(`"n":{"N":50.00}`, `"P\u004B":{"N":1}`), `name "PK" twice in one object`},
		{edit(`"SizeBytes":440`, `"SizeBytes":nul`), "want a value"},
	} {
		var r Record
		got := decodeOne(t, cdcFormat, Options{New: NewProjection(paths("PK"), true), Identity: true}, c.rec, &r)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s\ngot  %q\nwant %q", c.rec, got, c.want)
		}
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	rec := string(cdcLine("MODIFY", "t", 1, testKeys, testImage, testImage))
	for n := range len(rec) {
		var r Record
		if decodeOne(t, cdcFormat, Options{Identity: true}, rec[:n], &r) == "" {
			t.Errorf("accepted %s", rec[:n])
		}
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	l := append(insuranceLines(20), orderLines(20)...)
	p := NewProjection(insurancePaths, true)
	d := NewDecoder(cdcFormat, Options{New: p, Old: p, Identity: true})
	var r Record
	run := func() {
		for _, rec := range l {
			if err := d.Decode(rec, &r); err != nil {
				t.Fatal(err)
			}
		}
	}
	run()
	if n := testing.AllocsPerRun(20, run); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
