package file

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// An envelope is an object that holds records, or one record written in another way. These
// are known, by format:
//
//	dynamodb_cdc     {"Records": [RECORD, …]}           Lambda events, GetRecords of Streams and of Kinesis
//	                 {"records": [{"data": BASE64}, …]}  Firehose, before and behind a transformation
//	                 {"kinesis": {"data": BASE64}}, {"data": BASE64}, {"Data": BASE64}
//	                 {"detail": RECORD}                  EventBridge
//	dynamodb_export  {"Items": [ITEM, …]}               Scan and Query
//	                 {"Responses": {TABLE: [ITEM, …]}}  BatchGetItem; an array: TransactGetItems
//	                 {"RequestItems": {TABLE: [REQUEST, …]}}, or without it: BatchWriteItem
//	                 {"TransactItems": [REQUEST, …]}
//	                 ITEM                                by itself, {"PK": {"S": …}, …}
//	json             {"Items": [ITEM, …]}               of DynamoDB's types, read as plain JSON
//
// The array of an envelope is read element by element, so that an envelope may be of any
// length. A record that gets the name of its table from the envelope is rewritten with it.

// container returns the kind of bracket around records that a member of an object opens, by
// its name and the first byte of its value; empty when the member holds no records.
func container(e pipeline.Encoding, name string, first byte) frameKind {
	array := first == '['
	switch {
	case e == pipeline.DynamoDBCDC && array && (name == "Records" || name == "records"):
		return inArray
	case e == pipeline.DynamoDBExport && array && (name == "Items" || name == "Responses" || name == "TransactItems"):
		return inArray
	case e == pipeline.DynamoDBExport && first == '{' && (name == "Responses" || name == "RequestItems" || name == "UnprocessedItems"):
		return inTables
	case e == pipeline.JSON && array && name == "Items":
		return inArray
	}
	return ""
}

// isOfRecord reports whether a member of this name is one of a record: an object that has it
// is no envelope.
func isOfRecord(e pipeline.Encoding, name string) bool {
	switch name {
	case "dynamodb", "Dynamodb", "dynamoDb", "DynamoDB":
		return e == pipeline.DynamoDBCDC
	case "Item", "Keys", "NewImage", "OldImage", "Metadata", "PutRequest", "DeleteRequest":
		return e == pipeline.DynamoDBExport
	}
	return false
}

// scanMembers are the members that the output of a scan or query may begin with.
var scanMembers = []string{"Items", "Count", "ScannedCount", "LastEvaluatedKey", "ConsumedCapacity", "NextToken", "ResponseMetadata", "$metadata"}

// isScanOutput reports whether an object of plain JSON begins as the output of a
// scan or query does.
func isScanOutput(object []byte) bool {
	if len(object) < 3 || object[1] != '"' {
		return len(object) > 2 && object[1] != '}' // it begins with white space, so classify has to look
	}
	if strings.IndexByte("ICSLNR$", object[2]) < 0 {
		return false
	}
	for _, m := range scanMembers {
		if bytes.HasPrefix(object[2:], []byte(m+`"`)) {
			return true
		}
	}
	return false
}

// classify returns the kind of envelope that the object at b opens; empty = it is a record.
// whole = false says that more bytes may change the answer.
func (s *recordScanner) classify(b []byte) (kind frameKind, whole bool) {
	scan := s.encoding != pipeline.JSON
	first := true
	whole = true
	done := eachMember(b, func(name, value []byte) bool {
		if s.encoding == pipeline.JSON && first {
			scan = slices.Contains(scanMembers, string(name))
		}
		switch {
		case !scan, value[0] == '{' && isOfRecord(s.encoding, string(name)) && !isTyped(value):
			return false
		case s.encoding == pipeline.JSON && string(name) == "Items":
			kind, whole = typedItems(value)
			return kind == "" && whole
		case container(s.encoding, string(name), value[0]) != "" && !(value[0] == '{' && isTyped(value)):
			kind = inEnvelope
			return false
		case first && s.encoding == pipeline.DynamoDBExport && value[0] == '[':
			if kind, whole = requests(string(name), value); kind != "" || !whole {
				return false
			}
		}
		first = false
		return true
	})
	return kind, done && whole
}

// isTyped reports whether a value is whole and one of DynamoDB's.
func isTyped(value []byte) bool {
	n, whole := valueLen(value)
	return whole && decode.Typed(value[:n])
}

// requests returns inTables if a member is the array of a table's requests. whole is that of
// classify.
func requests(name string, value []byte) (kind frameKind, whole bool) {
	rest := bytes.TrimLeft(value[1:], " \t\r\n")
	if len(rest) > 0 && rest[0] == '{' {
		rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	} else if len(rest) > 0 {
		return "", true
	}
	for _, m := range []string{`"PutRequest"`, `"DeleteRequest"`} {
		switch {
		case bytes.HasPrefix(rest, []byte(m)):
			return inTables, len(name) >= tableNameBytesMin
		case bytes.HasPrefix([]byte(m), rest):
			return "", false
		}
	}
	return "", true
}

// tableNameBytesMin is the length of the shortest name of a table: types of values are
// shorter.
const tableNameBytesMin = 3

// typedItems returns inEnvelope if the items of a scan have DynamoDB's types. whole is that of
// classify.
func typedItems(value []byte) (kind frameKind, whole bool) {
	if value[0] != '[' {
		return "", true
	}
	rest := bytes.TrimLeft(value[1:], " \t\r\n")
	if len(rest) == 0 {
		return "", false
	}
	if rest[0] != '{' {
		return "", true
	}
	n := nestedLen(rest)
	if n == 0 {
		return "", false
	}
	if !isItem(rest[:n]) {
		return "", true
	}
	return inEnvelope, true
}

// isItem reports whether an object is an item of DynamoDB: every member has a type.
func isItem(object []byte) bool {
	typed := false
	whole := eachMember(object, func(_, value []byte) bool {
		typed = isTyped(value)
		return typed
	})
	return whole && typed
}

// isBrokenItem reports whether an object is most likely meant to be an item of DynamoDB: one
// of its members has a type, and none belongs to another kind of record. It is passed on as
// an item, so that the decoder can say what is wrong with it.
func isBrokenItem(e pipeline.Encoding, object []byte) bool {
	typed, other := false, false
	eachMember(object, func(name, value []byte) bool {
		typed = typed || isTyped(value)
		other = other || isOfRecord(e, string(name)) && !isTyped(value) || string(name) == "dynamodb" || string(name) == "eventName"
		return !other
	})
	return typed && !other
}

// eachMember calls each for the members of an object, until it returns false:
// with the name and all bytes from the value on, which may not be all of it. It
// reports whether no more bytes were needed; where the object is broken, none are.
func eachMember(b []byte, each func(name, value []byte) bool) bool {
	i := 1
	for {
		for i < len(b) && (blank(b[i:i+1]) || b[i] == ',') {
			i++
		}
		switch {
		case i == len(b):
			return false
		case b[i] != '"':
			return true
		}
		n := stringLen(b[i:])
		end := len(b)
		if n > 0 {
			end = i + n // without this bound, each name would search all bytes behind it
		}
		if bytes.IndexByte(b[i:end], '\n') >= 0 {
			return true // it is broken
		}
		if n == 0 {
			return false
		}
		name := b[i+1 : i+n-1]
		for i += n; i < len(b) && blank(b[i:i+1]); i++ {
		}
		if i < len(b) && b[i] != ':' {
			return true
		}
		for i++; i < len(b) && blank(b[i:i+1]); i++ {
		}
		if i >= len(b) {
			return false
		}
		if !each(name, b[i:]) {
			return true
		}
		n, whole := valueLen(b[i:])
		if !whole {
			return false
		}
		i += n
	}
}

// member consumes what is at i in an object around records: a member that holds none, or the
// start of one that does. It reports whether it could.
func (s *recordScanner) member(i int) bool {
	b := s.b
	if b[i] == '}' {
		s.pop()
		s.advance(i + 1)
		return true
	}
	n := 0
	if b[i] == '"' {
		if n = stringLen(b[i:]); n == 0 && !s.last && bytes.IndexByte(b[i:], '\n') < 0 {
			return s.needMore(i)
		}
	}
	if n == 0 || bytes.IndexByte(b[i:i+n], '\n') >= 0 {
		s.pop() // the envelope is broken: what is at i is read as a record again
		return true
	}
	name, at := string(b[i+1:i+n-1]), i+n
	for at < len(b) && (blank(b[at:at+1]) || b[at] == ':') {
		at++
	}
	if at == len(b) {
		if s.last {
			s.pop()
			return true
		}
		return s.needMore(i)
	}
	kind := container(s.encoding, name, b[at])
	table := ""
	if s.p.at.open.kind == inTables && b[at] == '[' {
		kind, table = inArray, name
	}
	if kind != "" && s.p.at.open.depth() < framesMax {
		s.advance(at)
		s.push(kind, table)
		return true
	}
	end, whole := valueLen(b[at:])
	if !whole {
		if s.last {
			s.pop()
			return true
		}
		return s.needMore(i)
	}
	s.advance(at + end)
	return true
}

// needMore reports that more bytes are needed from i on, unless there are more than a record
// may have.
func (s *recordScanner) needMore(i int) bool {
	s.p.tooLong = len(s.b)-i > s.max
	return false
}

// unwrap adds the records of the value from i to end, which is an object.
func (s *recordScanner) unwrap(i, end int) {
	value := s.b[i:end]
	texts, asIs := s.recordsIn(value)
	if asIs {
		s.emit(i, i, end)
		s.p.at.emitted = 0
		return
	}
	emitted := s.p.at.emitted
	for k, text := range texts {
		if k < emitted {
			continue
		}
		s.p.at.emitted = k
		from := len(s.b) + len(s.extra)
		s.extra = append(s.extra, text...)
		s.emit(i, from, from+len(text))
	}
	s.p.at.emitted = 0
}

// recordsIn returns the records that a value holds; asIs = the value is a record itself.
func (s *recordScanner) recordsIn(value []byte) (texts [][]byte, asIs bool) {
	switch s.encoding {
	case pipeline.DynamoDBCDC:
		return s.carriedRecords(value)
	case pipeline.DynamoDBExport:
		return s.item(value)
	}
	if !s.p.at.open.within(inEnvelope) || !isItem(value) {
		return nil, true
	}
	v := decode.Value{Kind: decode.Map, End: uint32(len(value))}
	text, err := decode.AppendJSON(nil, value, v, true)
	if err != nil {
		return nil, true // the decoder says what is wrong
	}
	return [][]byte{text}, false
}

// item returns an item or a request as the decoder reads it: an item as a member Item, and
// either with the name of its table. asIs is that of recordsIn.
func (s *recordScanner) item(value []byte) ([][]byte, bool) {
	table := ""
	for f := s.p.at.open; f != nil && table == ""; f = f.below {
		table = f.table
	}
	head := "{"
	if table != "" {
		head = `{"tableName":"` + table + `",`
	}
	switch {
	case isItem(value) || isBrokenItem(s.encoding, value):
		text := append([]byte(head+`"Item":`), value...)
		return [][]byte{append(text, '}')}, false
	case table != "" && len(bytes.TrimLeft(value[1:], " \t\r\n")) > 1:
		return [][]byte{append([]byte(head), value[1:]...)}, false
	}
	return nil, true
}

// carriedRecords returns the change records that a record of another service, as Kinesis or
// EventBridge, carries. asIs is that of recordsIn.
func (s *recordScanner) carriedRecords(value []byte) (texts [][]byte, asIs bool) {
	var data, result []byte
	asIs = true
	eachMember(value, func(name, v []byte) bool {
		n, _ := valueLen(v)
		v = v[:n]
		switch string(name) {
		case "dynamodb", "Dynamodb", "dynamoDb", "DynamoDB":
			data = nil
			return false
		case "kinesis":
			eachMember(v, func(name, v []byte) bool {
				if n, _ := valueLen(v); string(name) == "data" {
					data = v[:n]
				}
				return true
			})
		case "data", "Data":
			data = v
		case "result":
			result = v
		case "detail":
			if v[0] == '{' && isChange(v) {
				texts, asIs = [][]byte{v}, false
			}
		}
		return true
	})
	if len(data) == 0 || data[0] != '"' {
		return texts, asIs
	}
	if string(result) == `"Dropped"` {
		return nil, false // a transformation dropped it: Firehose does not deliver it
	}
	if texts = s.encodedRecords(data); texts == nil {
		return nil, true
	}
	return texts, false
}

// isChange reports whether an object is a change record.
func isChange(object []byte) bool {
	found := false
	eachMember(object, func(name, _ []byte) bool {
		found = found || strings.EqualFold(string(name), "dynamodb")
		return !found
	})
	return found
}

// encodedRecords returns the records in a text of base64; nil if it holds no whole ones.
func (s *recordScanner) encodedRecords(quoted []byte) [][]byte {
	text := bytes.ReplaceAll(bytes.Trim(quoted, `"`), []byte(`\/`), []byte{'/'})
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil || len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	inner := splitter{encoding: s.encoding, at: position{line: 1}, max: max(s.max, len(raw)), last: true, exact: true}
	p := inner.split(raw, nil)
	if p.at.open != nil || p.unended {
		return nil
	}
	var texts [][]byte
	for _, span := range p.spans {
		texts = append(texts, p.data[span.Start:span.End])
	}
	return texts
}
