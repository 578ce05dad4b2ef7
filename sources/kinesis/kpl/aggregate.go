package kpl

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

var magic = []byte{0xF3, 0x89, 0x9A, 0xC2}

// The numbers of the fields.
const (
	fieldPartitionKeys = 1 // of the message: the table of partition keys
	fieldHashKeys      = 2 // the table of explicit hash keys
	fieldRecords       = 3

	fieldKey     = 1 // of a record: the index of its partition key
	fieldHashKey = 2 // the index of its explicit hash key
	fieldData    = 3
)

// ErrBroken says of a record that it begins as an aggregate, and is none that can be read. It is
// wrapped with the reason.
var ErrBroken = errors.New("broken KPL aggregate")

// IsAggregate reports whether the data of a Kinesis record begins as an aggregate does.
func IsAggregate(data []byte) bool { return bytes.HasPrefix(data, magic) }

// extent is a piece of the data.
type extent struct{ start, end uint32 }

// none stands for the index of an explicit hash key that a record does not have.
const none = ^uint32(0)

type userRecord struct {
	data         extent
	key, hashKey uint32
}

// Aggregate holds the places of user records within the data of a Kinesis record. It may be used again for
// the next, and allocates nothing then. The zero value is ready for use.
type Aggregate struct {
	data           []byte
	keys, hashKeys []extent
	records        []userRecord
}

// Parse reads an aggregate, of which it keeps the data until it is called again. An error
// wraps ErrBroken; there are no user records then.
func (a *Aggregate) Parse(data []byte) error {
	a.data, a.keys, a.hashKeys, a.records = data, a.keys[:0], a.hashKeys[:0], a.records[:0]
	err := a.parse()
	if err != nil {
		a.records = a.records[:0]
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return nil
}

func (a *Aggregate) parse() error {
	end := len(a.data) - md5.Size
	switch {
	case !IsAggregate(a.data):
		return errors.New("it does not begin with the magic bytes")
	case end < len(magic):
		return fmt.Errorf("it ends after %d bytes, before its MD5", len(a.data))
	case uint64(len(a.data)) >= uint64(none):
		return fmt.Errorf("its %d bytes are too many", len(a.data))
	case md5.Sum(a.data[len(magic):end]) != [md5.Size]byte(a.data[end:]):
		return errors.New("its MD5 does not fit")
	}
	err := a.fields(extent{uint32(len(magic)), uint32(end)}, func(number protowire.Number, value extent) error {
		switch number {
		case fieldPartitionKeys:
			a.keys = append(a.keys, value)
		case fieldHashKeys:
			a.hashKeys = append(a.hashKeys, value)
		case fieldRecords:
			return a.record(value)
		}
		return nil
	}, nil)
	if err != nil {
		return err
	}
	// A table may stand behind the records that use it.
	for i, r := range a.records {
		if int64(r.key) >= int64(len(a.keys)) {
			return fmt.Errorf("user record %d: partition key %d of %d", i, r.key, len(a.keys))
		}
		if r.hashKey != none && int64(r.hashKey) >= int64(len(a.hashKeys)) {
			return fmt.Errorf("user record %d: explicit hash key %d of %d", i, r.hashKey, len(a.hashKeys))
		}
	}
	return nil
}

// record adds a user record.
func (a *Aggregate) record(message extent) error {
	r := userRecord{hashKey: none}
	hasKey, hasData := false, false
	err := a.fields(message, func(number protowire.Number, value extent) error {
		if number == fieldData {
			r.data, hasData = value, true
		}
		return nil
	}, func(number protowire.Number, value uint64) error {
		// Tables are shorter than the data, which is shorter than none.
		index := uint32(min(value, uint64(none-1)))
		switch number {
		case fieldKey:
			r.key, hasKey = index, true
		case fieldHashKey:
			r.hashKey = index
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("user record %d: %w", len(a.records), err)
	case !hasKey:
		return fmt.Errorf("user record %d: it has no partition key", len(a.records))
	case !hasData:
		return fmt.Errorf("user record %d: it has no data", len(a.records))
	}
	a.records = append(a.records, r)
	return nil
}

// fields calls bytes for each field of a message that has bytes, and number, where it is not nil, for
// each that has a variable number. Others are skipped: known fields are of these types, and a field of
// another type is one that is not known.
func (a *Aggregate) fields(message extent, bytes func(protowire.Number, extent) error, number func(protowire.Number, uint64) error) error {
	for at := message.start; at < message.end; {
		rest := a.data[at:message.end]
		field, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return fmt.Errorf("byte %d: field: %w", at, protowire.ParseError(n))
		}
		if field > protowire.MaxValidNumber {
			return fmt.Errorf("byte %d: field %d is none that protobuf allows", at, field)
		}
		rest, at = rest[n:], at+uint32(n)
		var err error
		switch kind {
		case protowire.BytesType:
			var value []byte
			if value, n = protowire.ConsumeBytes(rest); n >= 0 {
				end := at + uint32(n)
				err = bytes(field, extent{end - uint32(len(value)), end})
			}
		case protowire.VarintType:
			var value uint64
			if value, n = protowire.ConsumeVarint(rest); n >= 0 && number != nil {
				err = number(field, value)
			}
		default:
			n = protowire.ConsumeFieldValue(field, kind, rest)
		}
		if n < 0 {
			return fmt.Errorf("byte %d: field %d: %w", at, field, protowire.ParseError(n))
		}
		if err != nil {
			return err
		}
		at += uint32(n)
	}
	return nil
}

// Len returns the number of user records. Their sub-sequence numbers are 0 … Len-1.
func (a *Aggregate) Len() int { return len(a.records) }

// Extent returns where the data of a user record lies within the data of the aggregate.
func (a *Aggregate) Extent(i int) (start, end uint32) {
	return a.records[i].data.start, a.records[i].data.end
}

// Data returns the data of a user record: a slice of the aggregate's.
func (a *Aggregate) Data(i int) []byte { return a.slice(a.records[i].data) }

// PartitionKey returns the partition key of a user record, as bytes of the aggregate's
// data.
func (a *Aggregate) PartitionKey(i int) []byte { return a.slice(a.keys[a.records[i].key]) }

// ExplicitHashKey returns the explicit hash key of a user record, as bytes of the aggregate's
// data; nil = it has none.
func (a *Aggregate) ExplicitHashKey(i int) []byte {
	if a.records[i].hashKey == none {
		return nil
	}
	return a.slice(a.hashKeys[a.records[i].hashKey])
}

func (a *Aggregate) slice(e extent) []byte { return a.data[e.start:e.end:e.end] }
