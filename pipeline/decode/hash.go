package decode

import (
	"bytes"
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// The hash of a value. State keeps hashes of images, so none of this may change.
//
//   - A string, number or binary is the xxh3 of its text (without escapes,
//     normalised, without padding), xor a constant of its type.
//   - A map is made from the sum of its members, each name mixed with its value;
//     a set from the sum of its elements: a sum has no order.
//   - A list mixes its elements one after the other.
const (
	stringSeed = 0x9ae16a3b2f90404f
	numberSeed = 0xc3a5c85c97cb3127
	binarySeed = 0xb492b66fbe98f273
	mapSeed    = 0xd6e8feb86659fd93
	listSeed   = 0xa0761d6478bd642f
	setSeed    = 0xe7037ed1a0b428db
	trueHash   = 0x8ebc6af09c88c6e3
	falseHash  = 0x589965cc75374cc3
	nullHash   = 0x1d8e4e27c47d124f
)

// mix combines two words, in this order.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x2d358dccaa6c78a5, bits.RotateLeft64(b, 32)^0x8bb84b93962eacc9)
	return hi ^ lo
}

func nameHash(name []byte) uint64 { return xxh3.Hash(name) }

func mapHash(sum uint64) uint64 { return mix(sum, mapSeed) }

func setHash(kind Kind, sum uint64) uint64 { return mix(sum, setSeed+uint64(kind)) }

// imageHash keeps 0 for "no image".
func imageHash(h uint64) uint64 {
	if h == 0 {
		return 1
	}
	return h
}

// eventHash returns what stands for an eventID in a version; it keeps 0 for "no
// eventID". It is in the state, and need only differ among changes of one item and
// time with the same images.
func (s *scanner) eventHash(v Value) uint32 {
	return max(1, uint32(s.stringHash(v)))
}

// stringHash returns the hash of a String or Binary.
func (s *scanner) stringHash(v Value) uint64 {
	text := s.b[v.Start:v.End]
	if v.Escaped {
		s.text, _ = appendUnescaped(s.text[:0], text)
		text = s.text
	}
	if v.Kind == Binary {
		return xxh3.Hash(bytes.TrimRight(text, "=")) ^ binarySeed
	}
	return xxh3.Hash(text) ^ stringSeed
}

// numberHash returns the hash of a number; plain as number returns it.
func (s *scanner) numberHash(text []byte, plain bool) uint64 {
	if !plain {
		s.text = decimal.Append(s.text[:0], text)
		text = s.text
	}
	return xxh3.Hash(text) ^ numberSeed
}
