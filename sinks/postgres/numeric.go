package postgres

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow/go/v14/arrow/decimal128"
)

// A numeric is digits to base 10,000, aligned to the decimal point: how many,
// the power of the first, the sign, the decimals to show, and the digits.
const (
	numericBase     = 10_000
	numericDigits   = 4 // decimal ones in a digit
	numericNegative = 0x4000
)

var powers = [...]uint64{1, 10, 100, 1000, numericBase}

// appendNumeric appends a decimal as COPY's numeric, with its length.
func appendNumeric(dst []byte, v decimal128.Num, scale int) []byte {
	sign := uint16(0)
	if v.Sign() < 0 {
		sign, v = numericNegative, v.Negate()
	}
	hi, lo := uint64(v.HighBits()), v.LowBits()
	// Digits come from the last to the first. 38 decimal ones, cut once at the
	// point, are at most 11.
	var digits [12]uint16
	at := len(digits)
	fraction := (scale + numericDigits - 1) / numericDigits
	if odd := scale % numericDigits; odd > 0 {
		var rest uint64
		hi, lo, rest = divide(hi, lo, powers[odd])
		at--
		digits[at] = uint16(rest * powers[numericDigits-odd])
	}
	for hi > 0 || lo > 0 {
		var rest uint64
		hi, lo, rest = divide(hi, lo, numericBase)
		at--
		digits[at] = uint16(rest)
	}
	n := len(digits) - at
	weight := n - fraction - 1
	dst = appendLength(dst, 8+2*n)
	dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
	dst = binary.BigEndian.AppendUint16(dst, sign)
	dst = binary.BigEndian.AppendUint16(dst, uint16(scale))
	for _, d := range digits[at:] {
		dst = binary.BigEndian.AppendUint16(dst, d)
	}
	return dst
}

// divide divides 128 bits.
func divide(hi, lo, by uint64) (qhi, qlo, rest uint64) {
	if hi == 0 {
		return 0, lo / by, lo % by
	}
	qhi, rest = hi/by, hi%by
	qlo, rest = bits.Div64(rest, lo, by)
	return qhi, qlo, rest
}
