package kinesistest

import (
	"fmt"
	"math/big"
	"strings"
	"time"
)

// sequence is what a sequence number of the second version of their format holds, as observed in those of
// the service: numbers of one shard grow with the counter, and those of a child are greater
// than its parents', since it was made in a later second.
type sequence struct {
	created int64  // second in which the shard was made
	counter uint64 // of records
	second  int64  // of the record
	shard   uint32
}

// lastCounter is that of the ending sequence number of a closed shard.
const lastCounter = 1<<63 - 1

const sequenceVersion = 2

// sequenceDigits is the length of the decimal text of a sequence number, the same for
// all times until 2038 and beyond: so their texts compare as they do.
const sequenceDigits = 56

// String returns the decimal text. In hexadecimal it is: 2, the second of creation (9 digits), the last digit
// of the shard's number, the counter (16), two digits that are 0 here, the record's second
// (9), the shard's number (8), the version (1).
func (q sequence) String() string {
	hex := fmt.Sprintf("2%09x%x%016x00%09x%08x%x", q.created, q.shard&0xf, q.counter, q.second, q.shard, sequenceVersion)
	n, _ := new(big.Int).SetString(hex, 16)
	return n.String()
}

// parseSequence reads a decimal sequence number; false = it is none.
func parseSequence(text string) (sequence, bool) {
	if len(text) != sequenceDigits || strings.Trim(text, "0123456789") != "" {
		return sequence{}, false
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return sequence{}, false
	}
	hex := n.Text(16)
	if len(hex) != 47 || hex[0] != '2' || hex[46] != '0'+sequenceVersion {
		return sequence{}, false
	}
	field := func(from, to int) uint64 {
		v, _ := new(big.Int).SetString(hex[from:to], 16)
		return v.Uint64()
	}
	return sequence{created: int64(field(1, 10)), counter: field(11, 27), second: int64(field(29, 38)), shard: uint32(field(38, 46))}, true
}

// maxHashKey is 2^128 - 1.
var maxHashKey = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))

// parseHashKey reads a decimal hash key; false = it is none.
func parseHashKey(text string) (*big.Int, bool) {
	if text == "" || len(text) > 39 || strings.Trim(text, "0123456789") != "" || len(text) > 1 && text[0] == '0' {
		return nil, false
	}
	n, ok := new(big.Int).SetString(text, 10)
	return n, ok && n.Cmp(maxHashKey) <= 0
}

// javaDate is how the service prints times in messages.
func javaDate(t time.Time) string { return t.UTC().Format("Mon Jan 02 15:04:05 UTC 2006") }
