package jsonscan

import (
	"fmt"
	"math"
	"strconv"
)

// NoTime stands for a time that is null.
const NoTime int64 = -1 << 63

// Seconds reads a time in seconds since 1970 as µs, or NoTime for null. The service writes
// it as Java does, as in 1.516049873421E9, others as 1516049873.421: both are read as what
// they say, in whole numbers, since a float64 may be off by a millisecond when it is
// multiplied.
func (s *Scanner) Seconds(i int) (int64, int) {
	if s.Peek(i) == 'n' {
		return NoTime, s.Literal(i, "null")
	}
	end := s.Number(i)
	if end < 0 {
		return 0, -1
	}
	us, ok := micros(s.Body[i:end])
	if !ok {
		return 0, s.Fail(i, fmt.Sprintf("%s is no time in seconds", s.Body[i:end]))
	}
	return us, end
}

// micros returns a number in millionths. What is finer is cut off.
func micros(number []byte) (int64, bool) {
	var digits int64
	scale, point := 6, false
number:
	for i, c := range number {
		switch {
		case c == '.':
			point = true
		case c >= '0' && c <= '9':
			switch room := digits < math.MaxInt64/10-1; {
			case room && point:
				scale--
				fallthrough
			case room:
				digits = 10*digits + int64(c-'0')
			case !point:
				scale++
			}
		case c|0x20 == 'e' && i+1 < len(number):
			exponent, err := strconv.Atoi(string(number[i+1:]))
			if err != nil || exponent < -30 || exponent > 30 {
				return 0, false
			}
			scale += exponent
			break number
		default:
			return 0, false // before 1970
		}
	}
	for ; scale > 0; scale-- {
		if digits > math.MaxInt64/10 {
			return 0, false
		}
		digits *= 10
	}
	for ; scale < 0; scale++ {
		digits /= 10
	}
	return digits, true
}
