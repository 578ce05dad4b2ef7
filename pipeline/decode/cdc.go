package decode

import (
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
)

// cdcRecord holds the fields of the body that DynamoDB delivers through
// Kinesis, or of a DynamoDB Streams record, until all are read: they come in
// any order.
type cdcRecord struct {
	seen                uint32
	name                Value // of the event
	time                Value
	precision, sequence Value
	ttl                 bool
	newHash, oldHash    uint64
}

func (d *Decoder) decodeCDC(r *Record) int {
	s := &d.s
	var c cdcRecord
	i, name := s.firstField(0)
	for ; name != nil; i, name = s.nextField(i) {
		switch string(name) {
		case "eventID":
			i = s.textField(s.once(&c.seen, fieldEventID, i), &r.EventID)
		case "eventName":
			i = s.textField(s.once(&c.seen, fieldEventName, i), &c.name)
		case "tableName":
			i = s.textField(s.once(&c.seen, fieldTable, i), &r.Table)
		case "userIdentity":
			if i = s.once(&c.seen, fieldIdentity, i); i >= 0 {
				i = d.identity(i, &c)
			}
		case "dynamodb":
			if i = s.once(&c.seen, fieldDynamoDB, i); i >= 0 {
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

// identity reads userIdentity; both spellings of its members occur.
func (d *Decoder) identity(i int, c *cdcRecord) int {
	s := &d.s
	if s.peek(i) == 'n' {
		return s.literal(i, "null")
	}
	var kind, principal Value
	i, name := s.firstField(i)
	for ; name != nil; i, name = s.nextField(i) {
		switch string(name) {
		case "type", "Type":
			i = s.textField(s.once(&c.seen, fieldIdentityType, i), &kind)
		case "principalId", "PrincipalId":
			i = s.textField(s.once(&c.seen, fieldPrincipal, i), &principal)
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
		case "ApproximateCreationDateTime":
			if i = s.once(&c.seen, fieldTime, i); i >= 0 {
				i = s.numberField(i, &c.time)
			}
		case "ApproximateCreationDateTimePrecision":
			i = s.textField(s.once(&c.seen, fieldPrecision, i), &c.precision)
		case "SequenceNumber":
			i = s.textField(s.once(&c.seen, fieldSequence, i), &c.sequence)
		case "Keys":
			if i = s.once(&c.seen, fieldKeys, i); i >= 0 {
				i = d.key.scan(s, i)
			}
		case "NewImage":
			if i = s.once(&c.seen, fieldNew, i); i >= 0 {
				i = d.image(i, &d.news, &c.newHash, &r.HasNew)
			}
		case "OldImage":
			if i = s.once(&c.seen, fieldOld, i); i >= 0 {
				i = d.image(i, &d.olds, &c.oldHash, &r.HasOld)
			}
		default:
			i = s.skip(i, 2)
		}
	}
	return i
}

// numberField reads a field that is a bare number.
func (s *scanner) numberField(i int, v *Value) int {
	end, _ := s.number(i)
	if end >= 0 {
		*v = Value{Kind: Number, Start: uint32(i), End: uint32(end)}
	}
	return end
}

// finishCDC checks what the event needs, and fills the record.
func (d *Decoder) finishCDC(i int, c *cdcRecord, r *Record) int {
	s := &d.s
	switch {
	case c.name.Kind == Missing:
		return s.fail(0, "change record without eventName")
	case s.is(c.name, "INSERT"):
		r.Event = Insert
	case s.is(c.name, "MODIFY"):
		r.Event = Modify
	case s.is(c.name, "REMOVE"):
		r.Event = Remove
		r.TTL = c.ttl
		// Some emulators send an empty new image with a removal.
		r.HasNew, c.newHash = false, 0
		clear(d.news.slots)
	default:
		return s.fail(int(c.name.Start), fmt.Sprintf("unknown eventName %q: want INSERT, MODIFY or REMOVE", c.name.Raw(s.b)))
	}
	switch {
	case c.seen&fieldDynamoDB == 0:
		return s.fail(0, "change record without dynamodb")
	case c.time.Kind == Missing:
		return s.fail(0, "change record without ApproximateCreationDateTime")
	case d.needNew && !r.HasNew && r.Event != Remove:
		return s.fail(0, r.Event.String()+" without NewImage: the stream's view type must include new images (NEW_IMAGE or NEW_AND_OLD_IMAGES)")
	}
	if r.Created = s.creation(c.time, c.precision); r.Created < 0 {
		return -1
	}
	r.Version.Time = r.Created
	if c.sequence.Kind == String && !d.sequence(c.sequence, r) {
		return -1
	}
	if !d.settled {
		return i
	}
	r.Version.New, r.Version.Old = c.newHash, c.oldHash
	r.Version.HasOld = r.HasOld || r.Event == Insert
	switch {
	case c.seen&fieldKeys == 0:
		return s.fail(0, "change record without Keys")
	case len(d.f.Table) == 0 && r.Table.Kind == Missing:
		return s.fail(0, "change record without tableName: set `table:` on the source")
	case !d.settle(r, true):
		return -1
	}
	return i
}

// maxTime is the end of the year 9999 in µs since 1970.
const maxTime = 253402300799999999

// streamsLimit tells seconds from milliseconds where the record does not: less
// is seconds. It is the year 5138 in seconds, and 1973 in milliseconds.
const streamsLimit = 100_000_000_000

// creation returns ApproximateCreationDateTime in µs. Kinesis delivers
// milliseconds unless the record says otherwise; DynamoDB Streams has seconds,
// with or without a fraction.
func (s *scanner) creation(v, precision Value) int64 {
	text := v.Raw(s.b)
	power := 3
	switch {
	case precision.Kind == Missing:
		if n, ok := decimal.Cut(text, 0); ok && n < streamsLimit {
			power = 6
		}
	case s.is(precision, "MILLISECOND"):
	case s.is(precision, "MICROSECOND"):
		power = 0
	default:
		return int64(s.fail(int(precision.Start), fmt.Sprintf(
			"unknown ApproximateCreationDateTimePrecision %q: want MILLISECOND or MICROSECOND", precision.Raw(s.b))))
	}
	t, ok := decimal.Cut(text, power)
	if !ok || t < 0 || t > maxTime {
		return int64(s.fail(int(v.Start), "ApproximateCreationDateTime is out of range"))
	}
	return t
}

// maxSequence is the number of digits of a sequence number that versions hold.
const maxSequence = 40

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
	if len(digits) > maxSequence {
		d.s.fail(int(v.Start), "SequenceNumber has more than 40 digits")
		return false
	}
	r.Version.Seq = string(digits)
	return true
}
