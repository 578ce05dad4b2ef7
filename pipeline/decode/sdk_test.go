package decode

import (
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// What SDKs print of a value is read as the value.
func TestValuesThatSDKsPrint(t *testing.T) {
	const (
		nulls = `"B":null,"BOOL":null,"BS":null,"L":null,"M":null,"N":null,"NS":null,"NULL":null,"S":null,"SS":null`
		net   = `"B":null,"BOOL":false,"IsBOOLSet":false,"BS":[],"L":[],"IsLSet":false,"M":{},"IsMSet":false,"N":null,"NS":[],"NULL":false,"S":null,"SS":[]`
		java  = `"s":null,"n":null,"b":null,"ss":[],"ns":[],"bs":[],"m":{},"l":[],"bool":null,"nul":null`
	)
	with := func(all, old, new string) string { return "{" + strings.Replace(all, old, new, 1) + "}" }
	for _, c := range []struct{ value, want string }{
		{with(nulls, `"S":null`, `"S":"a"`), `{"S":"a"}`},
		{with(nulls, `"S":null`, `"S":""`), `{"S":""}`},
		{with(nulls, `"SS":null`, `"SS":[]`), `{"SS":[]}`},
		{with(nulls, `"M":null`, `"M":{}`), `{"M":{}}`},
		{with(nulls, `"BOOL":null`, `"BOOL":false`), `{"BOOL":false}`},
		{with(nulls, `"NULL":null`, `"NULL":true`), `{"NULL":true}`},
		{with(nulls, `"M":null`, `"M":{"x":`+with(nulls, `"N":null`, `"N":"1.0"`)+`}`), `{"M":{"x":{"N":"1"}}}`},
		{with(net, `"S":null`, `"S":"a"`), `{"S":"a"}`},
		{with(net, `"BOOL":false,"IsBOOLSet":false`, `"BOOL":false,"IsBOOLSet":true`), `{"BOOL":false}`},
		{with(net, `"L":[],"IsLSet":false`, `"L":[],"IsLSet":true`), `{"L":[]}`},
		{with(net, `"M":{},"IsMSet":false`, `"M":{"k":{"S":"v"}},"IsMSet":true`), `{"M":{"k":{"S":"v"}}}`},
		{with(net, `"NULL":false`, `"NULL":true`), `{"NULL":true}`},
		{with(java, `"ss":[]`, `"ss":["a"]`), `{"SS":["a"]}`},
		{with(java, `"l":[]`, `"l":[{"s":"a","n":null}]`), `{"L":[{"S":"a"}]}`},
		{with(java+`,"type":"M"`, ``, ``), `{"M":{}}`},
		{with(java, `"nul":null`, `"nul":true`), `{"NULL":true}`},
		{`{"sS":["a"],"nULLValue":null,"bOOL":null}`, `{"SS":["a"]}`},
		{`{"nULLValue":true}`, `{"NULL":true}`},
		{`{"M":{},"S":"a"}`, `{"S":"a"}`}, {`{"S":"a","M":{}}`, `{"S":"a"}`}, {`{"bool":true}`, `{"BOOL":true}`},
		{with(java, ``, ``), "every type is empty"},
		{with(nulls, ``, ``), "every type is null"},
		{`{"BOOL":false,"IsBOOLSet":false}`, "every type is empty"},
		{`{"S":"a","N":"1"}`, "a value with two types, S and N"},
		{`{"M":{"a":{"S":"x"}},"S":"a"}`, "a value with two types"},
		{`{"S":"a","x":null}`, `unknown DynamoDB type "x"`},
		{`{"S":7}`, `v: S wants a string, found "7"`}, {`{"N":{}}`, `v: N wants a number, found an object`},
		{`{"M":[]}`, `v: M wants an object, found an array`}, {`{"SS":"a"}`, `v: SS wants an array, found the string "a"`},
		{`"a"`, `v: want a DynamoDB value, as {"S": "text"}, found the string "a"`}, {`null`, `found "null"`},
		{`{"L":[{"S":"a"},{"M":{"zip":{"N":"x"}}}]}`, `NewImage.v[1].zip: N wants a number, found the string "x"`},
	} {
		d := NewDecoder(cdcFormat, Options{New: NewProjection(paths("v", "v.k", "v[0]"), true), Identity: true})
		image := func(value string) string {
			return string(cdcLine("INSERT", "t", 1, testKeys, `{"v":`+value+`,"x":{"S":"y"}}`, ""))
		}
		var got, want Record
		err := d.Decode([]byte(image(c.value)), &got)
		if !strings.HasPrefix(c.want, "{") {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "NewImage.v") {
				t.Errorf("%s: error %v, want %q", c.value, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.value, err)
			continue
		}
		hash, kind := got.Version.New, got.New[0].Kind
		if err := d.Decode([]byte(image(c.want)), &want); err != nil || hash != want.Version.New || kind != want.New[0].Kind {
			t.Errorf("%s is a %s, want %s as %s: error %v", c.value, kind, want.New[0].Kind, c.want, err)
		}
	}
}

func TestRecordsThatSDKsPrint(t *testing.T) {
	const body = `"SequenceNumber":"10","Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"}},"OldImage":{"id":{"S":"b"}}`
	same := func(s string) string { return s }
	lower := strings.NewReplacer("Sequence", "sequence", "Keys", "keys", "NewI", "newI", "OldI", "oldI").Replace
	var first Record
	for i, c := range []struct {
		rec, table string
	}{
		{`{"eventID":"e","eventName":"MODIFY","tableName":"t","dynamodb":{"ApproximateCreationDateTime":5,` + body + `}}`, ""},
		{`{"EventID":"e","EventName":"MODIFY","TableName":"t","Dynamodb":{"ApproximateCreationDateTime":"1970-01-01T00:00:05Z",` + same(body) + `}}`, ""},
		{`{"eventID":"e","eventName":"MODIFY","eventSourceARN":"arn:aws:dynamodb:eu-west-1:1:table/t/stream/2024","dynamodb":{"approximateCreationDateTime":5,` + lower(body) + `}}`, ""},
		{`{"eventID":"e","eventName":"MODIFY","dynamodb":{"ApproximateCreationDateTime":5,` + body + `},"eventSourceARN":"arn:aws:dynamodb:eu-west-1:1:table\/t\/stream\/2024"}`, ""},
		{`{"eventID":"e","eventName":"MODIFY","tableName":"t","eventSourceARN":"arn:aws:dynamodb:eu-west-1:1:table/other/stream/2024","dynamodb":{"ApproximateCreationDateTime":5,` + body + `}}`, ""},
		{`{"eventID":"e","eventName":"MODIFY","dynamodb":{"ApproximateCreationDateTime":5,` + body + `}}`, "t"},
	} {
		f := &pipeline.Format{Encoding: pipeline.DynamoDBCDC, Table: c.table}
		var r Record
		if e := decodeOne(t, f, Options{New: NewProjection(paths("id"), true), Identity: true}, c.rec, &r); e != "" {
			t.Errorf("%s: %s", c.rec, e)
			continue
		}
		if i == 0 {
			first = r
		}
		if r.Item != first.Item || r.Created != 5_000_000 || r.Version.New != first.Version.New || r.Version.Old != first.Version.Old || r.Version.Seq != "10" || r.EventID.Kind != String {
			t.Errorf("%s: %+v", c.rec, r)
		}
	}
	var r Record
	if e := decodeOne(t, cdcFormat, Options{Identity: true}, `{"eventName":"MODIFY","dynamodb":{"ApproximateCreationDateTime":5,"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"}},"OldImage":{}},"tableName":"t"}`, &r); e != "" || r.HasOld || r.Version.HasOld {
		t.Errorf("an empty old image is none: %s %+v", e, r)
	}
}

func TestRequestsToWrite(t *testing.T) {
	for _, c := range []struct {
		rec, key, table, err string
		event                Event
		as                   int64
	}{
		{`{"tableName":"o","PutRequest":{"Item":{"id":{"S":"a"},"v":{"N":"1"}}}}`, `{"id":{"S":"a"}}`, "o", "", Insert, 0},
		{`{"tableName":"o","DeleteRequest":{"Key":{"id":{"S":"a"}}}}`, `{"id":{"S":"a"}}`, "o", "", Remove, 0},
		{`{"Put":{"TableName":"o","Item":{"id":{"S":"a"}}}}`, `{"id":{"S":"a"}}`, "o", "", Insert, 50},
		{`{"Delete":{"TableName":"o","Key":{"id":{"S":"a"}},"ConditionExpression":"x"}}`, `{"id":{"S":"a"}}`, "o", "", Remove, 50},
		{`{"PutRequest":{"Item":{"id":{"S":1}}}}`, "", "", "PutRequest.Item.id: S wants a string", 0, 0},
		{`{"PutRequest":{}}`, "", "", "neither Item nor", 0, 0},
	} {
		f := &pipeline.Format{Encoding: pipeline.DynamoDBExport, Key: []string{"id"}, ExportTime: c.as}
		var r Record
		e := decodeOne(t, f, Options{New: NewProjection(paths("v"), true), Identity: true}, c.rec, &r)
		if (e == "") != (c.err == "") || !strings.Contains(e, c.err) {
			t.Errorf("%s: %q", c.rec, e)
		}
		if e == "" && (string(r.Key) != c.key || r.Event != c.event || r.Version.Time != c.as || r.Version.ByArrival != (c.as == 0) || string(r.Table.Raw([]byte(c.rec))) != c.table) {
			t.Errorf("%s: %+v", c.rec, r)
		}
	}
}

// What is something else than its format says is named, with what to do.
func TestForeignRecordsAreNamed(t *testing.T) {
	for _, c := range []struct {
		e         pipeline.Encoding
		rec, want string
	}{
		{pipeline.DynamoDBCDC, `{"messageId":"1","body":"{}","eventSource":"aws:sqs"}`, "a message of SQS: take the change records out of its body"},
		{pipeline.DynamoDBCDC, `{"EventSource":"aws:sns","Sns":{"Message":"{}"}}`, "a notification of SNS"},
		{pipeline.DynamoDBCDC, `{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{}}`, "an S3 notification"},
		{pipeline.DynamoDBCDC, `{"eventSource":"aws:kafka","records":{"orders-0":[{"value":"e30="}]}}`, "an event of Kafka"},
		{pipeline.DynamoDBCDC, `{"attemptsMade":4,"arrivalTimestamp":1709251200000,"errorCode":"x","rawData":"e30="}`, "what Firehose could not deliver: take the change record out of its rawData"},
		{pipeline.DynamoDBCDC, `{"data":{"id":1},"metadata":{"record-type":"data","operation":"insert"}}`, "a record of AWS DMS: set format: json"},
		{pipeline.DynamoDBCDC, `{"before":null,"after":{"id":1},"op":"c","source":{"ts_ms":1}}`, "a Debezium envelope: set format: json"},
		{pipeline.DynamoDBCDC, `{"schema":{},"payload":{"op":"c"}}`, "a Debezium envelope"},
		{pipeline.DynamoDBCDC, `{"Item":{"id":{"S":"a"}}}`, "set format: dynamodb_export"},
		{pipeline.DynamoDBCDC, `{"id":{"S":"a"},"n":{"N":"1"}}`, "an item by itself: set format: dynamodb_export"},
		{pipeline.DynamoDBExport, `{"eventName":"INSERT","dynamodb":{"NewImage":{}}}`, "a change record: set format: dynamodb_cdc"},
		{pipeline.DynamoDBCDC, `{"id":1}`, "change record without eventName at byte 0"},
		{pipeline.DynamoDBCDC, `{"before":{"id":1},"after":null,"op":"d","ts_ms":1}`, "a Debezium envelope"},
		{pipeline.DynamoDBCDC, `{"eventName":"UPDATE","dynamodb":{}}`, "want INSERT, MODIFY or REMOVE at byte"},
		{pipeline.DynamoDBExport, `{"PutRequest":{}}`, "neither Item nor NewImage, OldImage or Keys at byte 0"},
	} {
		var r Record
		if e := decodeOne(t, &pipeline.Format{Encoding: c.e}, Options{Identity: true}, c.rec, &r); !strings.Contains(e, c.want) {
			t.Errorf("%s: %q, want %q", c.rec, e, c.want)
		}
	}
}

// A mistake is told with the attribute that it is in.
func TestMistakesNameTheAttribute(t *testing.T) {
	for _, c := range []struct {
		e         pipeline.Encoding
		rec, want string
	}{
		{pipeline.DynamoDBCDC, `{"eventName":"INSERT","dynamodb":{"NewImage":{"address":{"M":{"zip":{"N":"1x"}}}}}}`, `NewImage.address.zip: N wants a number, found the string "1x" at byte 73`},
		{pipeline.DynamoDBCDC, `{"dynamodb":{"Keys":{"P.K":{"S":1}}}}`, `Keys."P.K": S wants a string, found "1"`},
		{pipeline.DynamoDBExport, `{"Item":{"tags":{"SS":["a","b",3]}}}`, "Item.tags[2]: unexpected '3': want a string"},
		{pipeline.DynamoDBExport, `{"Item":{"l":{"L":[{"S":"a"},{"M":{"x":{}}}]}}}`, "Item.l[1].x: unknown DynamoDB type: a value without a type"},
		{pipeline.DynamoDBExport, `{"Item":{"a":{"S":"x"},"b":{"S":"y`, "Item.b: record ends too early"},
		{pipeline.DynamoDBCDC, `{"eventName":5}`, "eventName: unexpected '5': want a string"},
		{pipeline.JSON, `{"a":{"b":[1,{"c":tru}]}}`, "a.b[1].c: unexpected 't': want a value"},
		{pipeline.JSON, `{"a":1}}`, "text behind the end of the record at byte 7"},
		{pipeline.JSON, `{"a":{"b":1},"c" 1}`, "c: unexpected '1': want a colon"},
	} {
		var r Record
		if e := decodeOne(t, &pipeline.Format{Encoding: c.e}, Options{New: NewProjection(paths("zz"), true), Identity: true}, c.rec, &r); !strings.Contains(e, c.want) {
			t.Errorf("%s: %q, want %q", c.rec, e, c.want)
		}
	}
}
