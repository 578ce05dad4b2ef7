package generate

import "strconv"

// change is one change record, as DynamoDB delivers it through Kinesis.
type change struct {
	id                 uuid
	event              string
	table              string
	micros             bool
	created            int64 // in the unit that micros says
	keys               *item
	newImage, oldImage *item   // nil = there is none
	order              *source // of the images' attributes; nil = as made
}

func (c *change) appendTo(b []byte) []byte {
	b = append(b, `{"awsRegion":"us-east-1","eventID":"`...)
	b = append(b, c.id[:]...)
	b = append(b, `","eventName":"`...)
	b = append(b, c.event...)
	b = append(b, `","userIdentity":null,"recordFormat":"application/json","tableName":`...)
	b = appendQuoted(b, c.table)
	b = append(b, `,"dynamodb":{"ApproximateCreationDateTime":`...)
	b = strconv.AppendInt(b, c.created, 10)
	if c.micros {
		b = append(b, `,"ApproximateCreationDateTimePrecision":"MICROSECOND"`...)
	}
	b = append(b, `,"Keys":`...)
	b = c.keys.appendTo(b, nil)
	size := c.keys.size
	if c.newImage != nil {
		b = append(b, `,"NewImage":`...)
		b = c.newImage.appendTo(b, c.order)
		size += c.newImage.size
	}
	if c.oldImage != nil {
		b = append(b, `,"OldImage":`...)
		b = c.oldImage.appendTo(b, c.order)
		size += c.oldImage.size
	}
	b = append(b, `,"SizeBytes":`...)
	b = strconv.AppendInt(b, int64(size), 10)
	return append(b, "},\"eventSource\":\"aws:dynamodb\"}\n"...)
}

// The names of events.
const (
	insert = "INSERT"
	modify = "MODIFY"
	remove = "REMOVE"
)
