package decode

import (
	"bytes"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// The fields of the envelope that may occur once.
const (
	fieldEventID = 1 << iota
	fieldEventName
	fieldIdentity
	fieldIdentityType
	fieldPrincipal
	fieldTable
	fieldDynamoDB
	fieldTime
	fieldPrecision
	fieldKeys
	fieldNew
	fieldOld
	fieldSequence
	fieldItem
	fieldMetadata
	fieldSourceARN
)

// cdcRecord holds the fields of the body that DynamoDB delivers through
// Kinesis, or of a DynamoDB Streams record, until all are read: they come in
// any order.
type cdcRecord struct {
	seen                uint32
	name                Value // of the event
	time                Value
	precision, sequence Value
	arn                 Value // of the stream, which names the table
	ttl                 bool
	newHash, oldHash    uint64
	keys                int // where they are
}

func (d *Decoder) decodeCDC(r *Record) int {
	s := &d.s
	var c cdcRecord
	i, name := s.firstField(0)
	for ; name != nil; i, name = s.nextField(i) {
		switch string(name) {
		case "eventID", "EventID", "eventId", "EventId":
			i = s.textField(s.claimField(&c.seen, fieldEventID, i), &r.EventID)
		case "eventName", "EventName":
			i = s.textField(s.claimField(&c.seen, fieldEventName, i), &c.name)
		case "tableName", "TableName":
			i = s.textField(s.claimField(&c.seen, fieldTable, i), &r.Table)
		case "userIdentity", "UserIdentity":
			if i = s.claimField(&c.seen, fieldIdentity, i); i >= 0 {
				i = d.scanIdentity(i, &c)
			}
		case "eventSourceARN", "EventSourceARN", "eventSourceArn", "EventSourceArn":
			i = s.textField(s.claimField(&c.seen, fieldSourceARN, i), &c.arn)
		case "dynamodb", "Dynamodb", "dynamoDb", "DynamoDB":
			if i = s.claimField(&c.seen, fieldDynamoDB, i); i >= 0 {
				i = d.body(i, &c, r)
			}
		default:
			i = s.skip(i, 1)
		}
	}
	if i = s.end(i); i < 0 {
		return -1
	}
	return d.finishCDC(i, &c, r)
}

// scanIdentity reads userIdentity; both spellings of its members occur.
func (d *Decoder) scanIdentity(i int, c *cdcRecord) int {
	s := &d.s
	if s.peek(i) == 'n' {
		return s.literal(i, "null")
	}
	var kind, principal Value
	i, name := s.firstField(i)
	for ; name != nil; i, name = s.nextField(i) {
		switch string(name) {
		case "type", "Type":
			i = s.textField(s.claimField(&c.seen, fieldIdentityType, i), &kind)
		case "principalId", "PrincipalId":
			i = s.textField(s.claimField(&c.seen, fieldPrincipal, i), &principal)
		default:
			i = s.skip(i, 2)
		}
	}
	c.ttl = i >= 0 && s.is(kind, "Service") && s.is(principal, "dynamodb.amazonaws.com")
	return i
}

// body reads the field dynamodb.
func (d *Decoder) body(i int, c *cdcRecord, r *Record) int {
	s := &d.s
	i, name := s.firstField(i)
	for ; name != nil; i, name = s.nextField(i) {
		switch string(name) {
		case "ApproximateCreationDateTime", "approximateCreationDateTime":
			if i = s.claimField(&c.seen, fieldTime, i); i >= 0 {
				i = s.timeField(i, &c.time)
			}
		case "ApproximateCreationDateTimePrecision", "approximateCreationDateTimePrecision":
			i = s.textField(s.claimField(&c.seen, fieldPrecision, i), &c.precision)
		case "SequenceNumber", "sequenceNumber":
			i = s.textField(s.claimField(&c.seen, fieldSequence, i), &c.sequence)
		case "Keys", "keys":
			if i = s.claimField(&c.seen, fieldKeys, i); i >= 0 {
				c.keys = i
				i = d.key.scan(s, i)
			}
		case "NewImage", "newImage":
			if i = s.claimField(&c.seen, fieldNew, i); i >= 0 {
				i = d.image(i, &d.newImage, &c.newHash, &r.HasNew)
			}
		case "OldImage", "oldImage":
			if i = s.claimField(&c.seen, fieldOld, i); i >= 0 {
				i = d.scanOldImage(i, c, r)
			}
		default:
			i = s.skip(i, 2)
		}
	}
	return i
}

// streamTable takes the table's name from the ARN of its stream, where the record
// has no other: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/TIME.
func (d *Decoder) streamTable(arn Value, r *Record) {
	const before = ":table"
	raw := arn.Raw(d.s.b)
	at := bytes.Index(raw, []byte(before))
	if r.Table.Kind != Missing || at < 0 {
		return
	}
	start := at + len(before)
	for start < len(raw) && (raw[start] == '/' || raw[start] == '\\') { // a slash may be escaped
		start++
	}
	end := start
	for end < len(raw) && raw[end] != '/' && raw[end] != '\\' {
		end++
	}
	if end > start {
		r.Table = Value{Kind: String, Start: arn.Start + uint32(start), End: arn.Start + uint32(end)}
	}
}

// scanOldImage reads the old image. SDKs print one that is not there as an empty one,
// which no item is.
func (d *Decoder) scanOldImage(i int, c *cdcRecord, r *Record) int {
	if s := &d.s; s.peek(i) == '{' {
		if end := s.space(i + 1); s.peek(end) == '}' {
			return end + 1
		}
	}
	return d.image(i, &d.oldImage, &c.oldHash, &r.HasOld)
}

// finishCDC checks what the event needs, and fills the record.
func (d *Decoder) finishCDC(i int, c *cdcRecord, r *Record) int {
	s := &d.s
	if c.arn.Kind == String {
		d.streamTable(c.arn, r)
	}
	switch {
	case c.name.Kind == Missing:
		return s.fail(0, "change record without eventName"+foreign(s.b, "dynamodb_cdc"))
	case s.is(c.name, "INSERT"):
		r.Event = Insert
	case s.is(c.name, "MODIFY"):
		r.Event = Modify
	case s.is(c.name, "REMOVE"):
		r.Event = Remove
		r.TTL = c.ttl
		// Some emulators send an empty new image with a removal.
		r.HasNew, c.newHash = false, 0
		clear(d.newImage.slots)
	default:
		return s.fail(int(c.name.Start), fmt.Sprintf("unknown eventName %q: want INSERT, MODIFY or REMOVE", c.name.Raw(s.b))+foreign(s.b, "dynamodb_cdc"))
	}
	switch {
	case c.seen&fieldDynamoDB == 0:
		return s.fail(0, "change record without dynamodb"+foreign(s.b, "dynamodb_cdc"))
	case c.time.Kind == Missing:
		return s.fail(0, "change record without ApproximateCreationDateTime")
	case d.needNew && !r.HasNew && r.Event != Remove:
		return s.fail(0, r.Event.String()+" without NewImage: the stream's view type must include new images (NEW_IMAGE or NEW_AND_OLD_IMAGES)")
	}
	if r.Created = s.creation(c.time, c.precision); r.Created < 0 {
		return -1
	}
	r.Version.Time, r.Unit, r.ByDigits = r.Created, s.unit, s.byDigits
	r.TTL = r.TTL || r.Event == Remove && r.HasOld && d.expired(r.Created)
	if r.Event == Remove && c.seen&fieldKeys != 0 {
		r.KeyNames = d.key.names[:d.key.n]
		if !r.HasOld {
			d.keysAsOld(c.keys, r)
		}
	}
	if c.sequence.Kind == String && !d.sequence(c.sequence, r) {
		return -1
	}
	if !d.needIdentity {
		return i
	}
	r.Version.New, r.Version.Old = c.newHash, c.oldHash
	r.Version.HasOld = r.HasOld || r.Event == Insert
	r.Version.Existed = !r.Version.HasOld
	if r.Version.Seq == "" && r.EventID.Kind == String {
		r.Version.Event = s.eventHash(r.EventID)
	}
	switch {
	case c.seen&fieldKeys == 0:
		return s.fail(0, "change record without Keys")
	case len(d.f.Table) == 0 && r.Table.Kind == Missing:
		return s.fail(0, "change record without tableName: set `table:` on the source")
	case !d.identifyByKeys(r):
		return -1
	}
	return i
}

// expiredMax is how long after its time an item is still removed by time to live (DynamoDB's developer guide).
const expiredMax = 5 * 365 * 24 * 3600

// expired reports whether the item of the old image was to go by its time to live at a time in µs.
func (d *Decoder) expired(removed int64) bool {
	m := &d.oldImage
	if d.f.TTLAttribute == "" {
		return false
	}
	v := m.slots[m.callerCount]
	if v.Kind != Number {
		return false
	}
	at, ok := decimal.Cut(v.Raw(d.s.b), 0)
	now := removed / 1_000_000
	return ok && at <= now && at >= now-expiredMax
}

// sequenceDigitsMax is the number of digits of a sequence number that versions hold.
const sequenceDigitsMax = 40

// sequence fills the version's sequence number.
func (d *Decoder) sequence(v Value, r *Record) bool {
	digits := v.Raw(d.s.b)
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	for _, c := range digits {
		if c-'0' > 9 {
			d.s.fail(int(v.Start), "SequenceNumber is not a number")
			return false
		}
	}
	if len(digits) > sequenceDigitsMax {
		d.s.fail(int(v.Start), "SequenceNumber has more than 40 digits")
		return false
	}
	r.Version.Seq = string(digits)
	return true
}
