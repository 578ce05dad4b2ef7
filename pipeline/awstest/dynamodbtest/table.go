package dynamodbtest

import (
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// keyAttribute is one of the attributes of a table's key.
type keyAttribute struct{ name, kind string } // kind: S, N or B

// tableState is one table. The server's lock guards it.
type tableState struct {
	name, region, id string
	arn              string
	created          time.Time
	hash             keyAttribute
	sort             *keyAttribute
	billing          string // PROVISIONED or PAY_PER_REQUEST
	readUnits        int64
	writeUnits       int64
	class            string
	items            itemStore
	partitions       []*partition   // in the order of their ranges
	streams          []*streamState // the last one is the latest
	expiry           string         // attribute of the time to live; empty = none
	recovery         recovery
	paid             time.Time // when what was read is paid for
}

// recovery is what is set about point-in-time recovery.
type recovery struct {
	since time.Time // zero = off
	days  int
}

// partition is a range of hashes, whose items share a shard of the stream.
type partition struct {
	first, last uint64
	shard       *shardState // the open one of the enabled stream; nil = there is no stream
}

// Change is a write that changed an item. Writes that change nothing are no changes.
type Change struct {
	Region, Table string
	// Number counts the changes of all tables, from 1.
	Number int
	Time   time.Time // in µs
	Event  string    // INSERT, MODIFY or REMOVE
	Keys   Item
	// Old and New are the item before and after; nil = there was, or is, none.
	Old, New Item
	// Expired says that time to live deleted it.
	Expired bool

	table    *tableState
	id       string // eventID
	old, new *row
	keys     []byte // JSON
}

// latest returns the stream that is enabled or was the last one; nil = there was none, or it is gone.
func (t *tableState) latest() *streamState {
	if len(t.streams) == 0 {
		return nil
	}
	return t.streams[len(t.streams)-1]
}

// enabled returns the stream that records changes; nil = none.
func (t *tableState) enabled() *streamState {
	if s := t.latest(); s != nil && s.open() {
		return s
	}
	return nil
}

// partitionOf returns the partition of a hash.
func (t *tableState) partitionOf(hash uint64) *partition {
	for _, p := range t.partitions {
		if hash <= p.last {
			return p
		}
	}
	return t.partitions[len(t.partitions)-1]
}

// keyOf returns the key of an item, which may have other attributes beside it.
func (t *tableState) keyOf(item Item) (primaryKey, error) {
	hash, err := t.keyText(item, t.hash, maxHashKey)
	if err != nil {
		return primaryKey{}, err
	}
	k := primaryKey{hash: hashOf(hash), text: hash}
	if t.sort != nil {
		k.sort, err = t.keyText(item, *t.sort, maxSortKey)
	}
	return k, err
}

// The bounds of the attributes of a key, in bytes.
const (
	maxHashKey = 2048
	maxSortKey = 1024
)

// keyText returns bytes that are ordered as the values of a key's attribute are.
func (t *tableState) keyText(item Item, a keyAttribute, limit int) (string, error) {
	v, ok := item[a.name]
	switch {
	case !ok:
		return "", invalid("One or more parameter values were invalid: Missing the key %s in the item", a.name)
	case v.Type != a.kind:
		return "", invalid("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", a.name, a.kind, v.Type)
	case v.Type == "N":
		n, err := parseNumber(v.Text)
		return "N" + n.sortable(), err
	case v.Text == "":
		kind := map[string]string{"S": "string", "B": "binary"}[a.kind]
		return "", invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", kind, a.name)
	case len(v.Text) > limit && limit == maxHashKey:
		return "", invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes")
	case len(v.Text) > limit:
		return "", invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return v.Type + v.Text, nil
}

// keyAlone returns the key that a request names, which has nothing beside it.
func (t *tableState) keyAlone(key Item) (primaryKey, error) {
	wanted := 1
	if t.sort != nil {
		wanted = 2
	}
	if len(key) != wanted || key[t.hash.name].Type != t.hash.kind || t.sort != nil && key[t.sort.name].Type != t.sort.kind {
		return primaryKey{}, invalid("The provided key element does not match the schema")
	}
	return t.keyOf(key)
}

// keysOf returns the key's attributes of an item.
func (t *tableState) keysOf(item Item) Item {
	keys := Item{t.hash.name: item[t.hash.name]}
	if t.sort != nil {
		keys[t.sort.name] = item[t.sort.name]
	}
	return keys
}

// maxItem is what an item may count for, in bytes.
const maxItem = 400 << 10

// write makes the item of a key what new says, nil = deleted, and returns what it was. A
// write that changes something is logged, and goes into the stream.
func (s *Server) write(t *tableState, k primaryKey, item Item, expired bool) (old *row, err error) {
	old = t.items.get(k)
	var image *row
	if item != nil {
		image = &row{key: k, item: item, json: item.append(nil), size: item.size(), time: s.now().Truncate(time.Microsecond)}
		if image.size > maxItem {
			return old, invalid("Item size has exceeded the maximum allowed size")
		}
	}
	if old == nil && image == nil || old != nil && image != nil && old.item.Equal(image.item) {
		return old, nil
	}
	t.items.set(k, image)
	s.record(t, old, image, expired)
	return old, nil
}

// record logs a change, and writes it into the table's stream.
func (s *Server) record(t *tableState, old, image *row, expired bool) {
	c := &Change{Region: t.region, Table: t.name, Number: len(s.changes) + 1, Expired: expired, table: t, old: old, new: image}
	switch {
	case old == nil:
		c.Event, c.New, c.Time, c.Keys = "INSERT", image.item, image.time, t.keysOf(image.item)
	case image == nil:
		c.Event, c.Old, c.Time, c.Keys = "REMOVE", old.item, s.now().Truncate(time.Microsecond), t.keysOf(old.item)
	default:
		c.Event, c.Old, c.New, c.Time, c.Keys = "MODIFY", old.item, image.item, image.time, t.keysOf(image.item)
	}
	c.keys = c.Keys.append(nil)
	c.id = eventID(c.Number)
	s.changes = append(s.changes, c)
	if st := t.enabled(); st != nil {
		key := image
		if key == nil {
			key = old
		}
		s.addRecord(st, t.partitionOf(key.key.hash), c)
	}
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// find returns a table by its name or its ARN.
func (s *Server) find(region, name string) (*tableState, error) {
	if t := s.lookup(region, name); t != nil {
		return t, nil
	}
	return nil, awsfake.Errorf("ResourceNotFoundException", "Requested resource not found")
}
