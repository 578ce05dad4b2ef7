package kpl

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"math/big"
)

// HashKey says to which shard a record belongs: a number of 128 bits, the most
// significant byte first.
type HashKey [16]byte

// HashKeyOf returns the hash key of a partition key: its MD5.
func HashKeyOf(partitionKey []byte) HashKey { return md5.Sum(partitionKey) }

// ParseHashKey reads a hash key as the service writes it: a decimal number without sign, below
// 2^128.
func ParseHashKey(text []byte) (HashKey, error) {
	var k HashKey
	if len(text) == 0 || len(text) > 39 {
		return k, fmt.Errorf("hash key %q: want a decimal number of 1 to 39 digits", text)
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return k, fmt.Errorf("hash key %q: want a decimal number", text)
		}
	}
	n, _ := new(big.Int).SetString(string(text), 10)
	if n.BitLen() > 128 {
		return k, fmt.Errorf("hash key %q: it is above 2^128 - 1", text)
	}
	n.FillBytes(k[:])
	return k, nil
}

// String returns the decimal number.
func (k HashKey) String() string { return new(big.Int).SetBytes(k[:]).String() }

// Range is the hash keys of a shard, from Start to End, both included.
type Range struct{ Start, End HashKey }

// Contains reports whether the hash key of a user record, the explicit one where it has one, is
// in the range. One that is no number is an error.
func (r Range) Contains(a *Aggregate, i int) (bool, error) {
	k := HashKey{}
	if explicit := a.ExplicitHashKey(i); explicit != nil {
		var err error
		if k, err = ParseHashKey(explicit); err != nil {
			return false, fmt.Errorf("user record %d: %w", i, err)
		}
	} else {
		k = HashKeyOf(a.PartitionKey(i))
	}
	return bytes.Compare(r.Start[:], k[:]) <= 0 && bytes.Compare(k[:], r.End[:]) <= 0, nil
}
