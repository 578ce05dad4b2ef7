package generate

import "math/bits"

// source is a small, fast random source whose numbers are fixed for good: one
// seed names one data set on every platform and Go release.
type source struct{ state uint64 }

// domain keeps the sources of different sorts of entity apart.
type domain uint64

const (
	domainCustomer domain = iota + 1
	domainAddress
	domainOrder
	domainOrderDate
	domainCart
	domainPrice
	domainProduct
	domainActions
	domainDelivery
	domainEvent
	domainExport
	domainShuffle
	domainTransaction
	domainInsurance
	domainSale
)

// derive returns the source of one entity: the same for the same arguments, and
// unrelated for any others.
func derive(seed uint64, d domain, ids ...int) source {
	h := scramble(seed ^ uint64(d)*0x9e3779b97f4a7c15)
	for _, id := range ids {
		h = scramble(h + uint64(id) + 0xd1b54a32d192ed03)
	}
	return source{h}
}

// scramble spreads every bit of x over the whole word; it is a bijection.
func scramble(x uint64) uint64 {
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

func (s *source) next() uint64 {
	s.state += 0xa0761d6478bd642f
	hi, lo := bits.Mul64(s.state, s.state^0xe7037ed1a0b428db)
	return hi ^ lo
}

// below returns a number from 0 to n-1.
func (s *source) below(n int) int {
	hi, _ := bits.Mul64(s.next(), uint64(n))
	return int(hi)
}

// chance is true in the given number of cases out of a million.
func (s *source) chance(perMillion int) bool { return s.below(1_000_000) < perMillion }

func pick[T any](s *source, from []T) T { return from[s.below(len(from))] }

// uuid is the text of a version 4 UUID.
type uuid [36]byte

const hexDigits = "0123456789abcdef"

func (s *source) uuid() (u uuid) {
	words := [2]uint64{
		s.next()&^0xf000 | 0x4000,
		s.next()&^(3<<62) | 2<<62,
	}
	at := 0
	for i := range 32 {
		switch i {
		case 8, 12, 16, 20:
			u[at] = '-'
			at++
		}
		u[at] = hexDigits[words[i/16]>>(60-4*(i%16))&15]
		at++
	}
	return u
}
