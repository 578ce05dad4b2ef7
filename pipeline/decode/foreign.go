package decode

import (
	"bytes"
	"strings"
)

// foreign names what a record of a DynamoDB format is, if it is something else
// that is known, and what to do; nothing, if it is of the format. The record is
// whole.
func foreign(rec []byte, format string) string {
	has := members(rec)
	for _, k := range foreignKinds {
		if k.is(has) {
			if strings.HasSuffix(k.what, "set format: "+format) {
				return "" // what is wrong with it is said already
			}
			return ": this is " + k.what
		}
	}
	if len(has) > 0 && allTyped(has) {
		return ": this is an item by itself: set format: dynamodb_export and key: on the source"
	}
	return ""
}

// foreignKinds are told by their members, the most special first.
var foreignKinds = []struct {
	is   func(memberValues) bool
	what string
}{
	{func(m memberValues) bool { return m.text("eventsource", "aws:sqs") || m.all("messageid", "body") },
		"a message of SQS: take the change records out of its body, and read these"},
	{func(m memberValues) bool { return m.text("eventsource", "aws:sns") || m.all("topicarn", "message") },
		"a notification of SNS: take the change records out of its Message, and read these"},
	{func(m memberValues) bool { return m.text("eventsource", "aws:s3") },
		"an S3 notification: it names an object and has no changes; read the object"},
	{func(m memberValues) bool { return m.text("eventsource", "aws:kinesis") || m.all("kinesis") },
		"a Kinesis record whose data is not base64 of a change record"},
	{func(m memberValues) bool {
		return m.text("eventsource", "aws:kafka") || m.text("eventsource", "selfmanagedkafka")
	},
		"an event of Kafka: take the change records out of its values, which are base64, and read these"},
	{func(m memberValues) bool { return m.all("attemptsmade", "rawdata") },
		"what Firehose could not deliver: take the change record out of its rawData, which is base64, and read that"},
	{func(m memberValues) bool { return m.all("ddbstreambatchinfo") || m.all("kinesisbatchinfo") },
		"the report of a batch that a Lambda function failed on: it says where the records are, and has none"},
	{func(m memberValues) bool { return m.all("metadata", "data") && m.holds("metadata", "record-type") },
		"a record of AWS DMS: set format: json, with key: and version: paths below data and metadata, and operation: {from: metadata.operation, delete: [delete]}"},
	{func(m memberValues) bool {
		return m.all("op") && (m.all("source") || m.object("before") || m.object("after")) || m.holds("payload", "op")
	},
		"a Debezium envelope: set format: json, with key: and version: paths below before, after and source, and operation: {from: op, delete: [d]}"},
	{func(m memberValues) bool { return m.all("database", "table", "type", "data") },
		"a change of MySQL as Maxwell writes it: set format: json, with key: and version:, and operation: {from: type, delete: [delete]}"},
	{func(m memberValues) bool { return m.all("logevents") || m.all("awslogs") },
		"a batch of CloudWatch logs, which has no changes"},
	{func(m memberValues) bool { return m.all("dynamodb") && (m.all("eventname") || m.all("eventsource")) },
		"a change record: set format: dynamodb_cdc"},
	{func(m memberValues) bool {
		return m.object("item") || m.all("metadata", "keys") || m.all("items") || m.object("putrequest") || m.object("deleterequest")
	}, "of an export, a scan or a batch of writes: set format: dynamodb_export"},
	{func(m memberValues) bool { return m.all("detail-type", "detail") },
		"an event of EventBridge whose detail is not a change record"},
}

// memberValues are the members of an object, by their names in lower case.
type memberValues map[string][]byte

func (m memberValues) all(names ...string) bool {
	for _, n := range names {
		if v, ok := m[n]; !ok || string(v) == "null" {
			return false
		}
	}
	return true
}

func (m memberValues) text(name, want string) bool { return string(m[name]) == `"`+want+`"` }

func (m memberValues) object(name string) bool { return bytes.HasPrefix(m[name], []byte{'{'}) }

func (m memberValues) holds(name, member string) bool {
	_, ok := members(m[name])[member]
	return ok
}

// members returns the members of an object; none of what is no whole object.
func members(rec []byte) memberValues {
	s := scanner{b: rec}
	m := memberValues{}
	i, name := s.firstField(0)
	for ; name != nil; i, name = s.nextField(i) {
		at, key := i, strings.ToLower(string(name))
		if i = s.skip(i, 1); i < 0 {
			break
		}
		m[key] = rec[at:i]
	}
	if i < 0 {
		return nil
	}
	return m
}

// allTyped reports whether every member is a DynamoDB value.
func allTyped(has memberValues) bool {
	for _, v := range has {
		if !Typed(v) {
			return false
		}
	}
	return true
}

// Typed reports whether text is a DynamoDB value: {"S": "text"}, say, in any
// spelling that is read.
func Typed(text []byte) bool {
	s := scanner{b: text}
	if s.peek(0) != '{' {
		return false
	}
	end, _ := s.typed(0, nil, 0)
	return end == len(text)
}
