package cookbook

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// A stream has the changes of a table with both images. Each is later than the one before.
type stream struct {
	table Table
	now   time.Time
	items map[string]item // as they are now, by their keys
	out   bytes.Buffer
}

// begin is when the first change is made.
var begin = time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)

func newStream(t Table) *stream {
	return &stream{table: t, now: begin, items: map[string]item{}}
}

// put writes items, new ones or others in place of those that have their keys.
func (s *stream) put(items ...item) {
	for _, i := range items {
		event := "INSERT"
		old, there := s.items[s.key(i)]
		if there {
			event = "MODIFY"
		}
		s.record(event, "", i, i, old)
		s.items[s.key(i)] = i
	}
}

// remove deletes items as a user does.
func (s *stream) remove(items ...item) { s.delete("", items) }

// expire deletes items as time to live does.
func (s *stream) expire(items ...item) {
	s.delete(`"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},`, items)
}

func (s *stream) delete(by string, items []item) {
	for _, i := range items {
		old, there := s.items[s.key(i)]
		if !there {
			panic(fmt.Sprintf("table %s has no item %s to remove", s.table.Name, s.key(i)))
		}
		s.record("REMOVE", by, i, nil, old)
		delete(s.items, s.key(i))
	}
}

// record writes one change, made by someone, of the item i.
func (s *stream) record(event, by string, i, image, old item) {
	b := fmt.Appendf(s.out.AvailableBuffer(), `{"eventName":"%s",%s"tableName":"%s","dynamodb":{"ApproximateCreationDateTime":`, event, by, s.table.Name)
	b = append(strconv.AppendInt(b, s.now.UnixMilli(), 10), `,"Keys":`...)
	b = appendItem(b, i.only(s.table.Keys))
	if image != nil {
		b = appendItem(append(b, `,"NewImage":`...), image)
	}
	if old != nil {
		b = appendItem(append(b, `,"OldImage":`...), old)
	}
	s.out.Write(append(b, "},\"eventSource\":\"aws:dynamodb\"}\n"...))
	s.now = s.now.Add(61*time.Second + 7*time.Millisecond)
}

func (s *stream) key(i item) string { return string(appendItem(nil, i.only(s.table.Keys))) }
