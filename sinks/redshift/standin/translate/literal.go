package translate

import (
	"strconv"
	"strings"
)

// literal writes a string for PostgreSQL, whose standard_conforming_strings is on: a
// backslash is a backslash, and a quote is doubled.
func literal(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// optionalLiteral is literal, or NULL for the empty string.
func optionalLiteral(s string) string {
	if s == "" {
		return "NULL"
	}
	return literal(s)
}

// numberType is the type of a literal: the smallest of integer and bigint that holds it, or
// a numeric of its digits. One with an exponent is double precision.
func numberType(text string) Type {
	if strings.ContainsAny(text, "eE") {
		return Type{Name: typeDouble}
	}
	whole, fraction, point := strings.Cut(text, ".")
	if !point {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			if int64(int32(n)) == n {
				return Type{Name: typeInteger}
			}
			return Type{Name: typeBigint}
		}
	}
	whole = strings.TrimLeft(whole, "0")
	return Type{Name: typeNumeric, Precision: max(len(whole)+len(fraction), 1), Scale: len(fraction)}
}
