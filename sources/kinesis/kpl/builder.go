package kpl

import (
	"crypto/md5"

	"google.golang.org/protobuf/encoding/protowire"
)

// DefaultSize is the size in bytes up to which the producer library fills an aggregate by default.
const DefaultSize = 51_200

// Builder makes aggregates. The zero value is ready for use. Records of one aggregate have to
// belong to one shard, as KCL leaves out the whole otherwise.
type Builder struct {
	keys, hashKeys table
	records        []byte // their fields of the message
	count          int
	hashKey        HashKey // of the first record
}

// table is a table of texts, each of which it holds once.
type table struct {
	index   map[string]uint64
	message []byte // its fields of the message
}

// cost returns the index that a text has or would have, and the bytes it would add.
func (t *table) cost(text string, field protowire.Number) (uint64, int) {
	if i, ok := t.index[text]; ok {
		return i, 0
	}
	return uint64(len(t.index)), protowire.SizeTag(field) + protowire.SizeBytes(len(text))
}

// add returns the index of a text.
func (t *table) add(text string, field protowire.Number) uint64 {
	i, bytes := t.cost(text, field)
	if bytes > 0 {
		if t.index == nil {
			t.index = map[string]uint64{}
		}
		t.index[text] = i
		t.message = protowire.AppendString(protowire.AppendTag(t.message, field, protowire.BytesType), text)
	}
	return i
}

func (t *table) reset() {
	clear(t.index)
	t.message = t.message[:0]
}

// Len returns the number of records in the aggregate.
func (b *Builder) Len() int { return b.count }

// SizeWith returns how many bytes the aggregate would have with one record more; an empty explicit
// hash key = none.
func (b *Builder) SizeWith(partitionKey, explicitHashKey string, data []byte) int {
	key, size := b.keys.cost(partitionKey, fieldPartitionKeys)
	record := protowire.SizeTag(fieldKey) + protowire.SizeVarint(key) + protowire.SizeTag(fieldData) + protowire.SizeBytes(len(data))
	if explicitHashKey != "" {
		hashKey, bytes := b.hashKeys.cost(explicitHashKey, fieldHashKeys)
		size += bytes
		record += protowire.SizeTag(fieldHashKey) + protowire.SizeVarint(hashKey)
	}
	size += len(magic) + len(b.keys.message) + len(b.hashKeys.message) + len(b.records) + md5.Size
	return size + protowire.SizeTag(fieldRecords) + protowire.SizeBytes(record)
}

// Add adds a record, whose data is copied. An explicit hash key is a decimal number; empty
// = none: the record belongs to the hash key of its partition key.
func (b *Builder) Add(partitionKey, explicitHashKey string, data []byte) error {
	hashKey := HashKeyOf([]byte(partitionKey))
	if explicitHashKey != "" {
		var err error
		if hashKey, err = ParseHashKey([]byte(explicitHashKey)); err != nil {
			return err
		}
	}
	if b.count == 0 {
		b.hashKey = hashKey
	}
	b.count++
	key := b.keys.add(partitionKey, fieldPartitionKeys)
	size := protowire.SizeTag(fieldKey) + protowire.SizeVarint(key) + protowire.SizeTag(fieldData) + protowire.SizeBytes(len(data))
	var index uint64
	if explicitHashKey != "" {
		index = b.hashKeys.add(explicitHashKey, fieldHashKeys)
		size += protowire.SizeTag(fieldHashKey) + protowire.SizeVarint(index)
	}
	r := protowire.AppendVarint(protowire.AppendTag(b.records, fieldRecords, protowire.BytesType), uint64(size))
	r = protowire.AppendVarint(protowire.AppendTag(r, fieldKey, protowire.VarintType), key)
	if explicitHashKey != "" {
		r = protowire.AppendVarint(protowire.AppendTag(r, fieldHashKey, protowire.VarintType), index)
	}
	b.records = protowire.AppendBytes(protowire.AppendTag(r, fieldData, protowire.BytesType), data)
	return nil
}

// Finish returns the aggregate and the explicit hash key to put it under, that of its first
// record, and begins the next. Its partition key does not matter; the producer library
// takes "a".
func (b *Builder) Finish() (data []byte, hashKey HashKey) {
	data = make([]byte, 0, len(magic)+len(b.keys.message)+len(b.hashKeys.message)+len(b.records)+md5.Size)
	data = append(data, magic...)
	data = append(data, b.keys.message...)
	data = append(data, b.hashKeys.message...)
	data = append(data, b.records...)
	sum := md5.Sum(data[len(magic):])
	data = append(data, sum[:]...)
	hashKey = b.hashKey
	b.keys.reset()
	b.hashKeys.reset()
	b.records, b.count = b.records[:0], 0
	return data, hashKey
}
