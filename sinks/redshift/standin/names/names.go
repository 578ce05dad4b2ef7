// Package names carries Redshift's identifiers through PostgreSQL.
//
// Redshift keeps 127 bytes of a name, PostgreSQL 63. A name that PostgreSQL can keep stands
// for itself; a longer one has a short form there, made of its beginning and a hash of all
// of it, from which nobody gets back without having kept the full name.
package names

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Max is how many bytes of an identifier Redshift keeps: it cuts off the rest, without a
// word, at a character's boundary (CREATE TABLE, "table_name").
const Max = 127

// kept is how many bytes PostgreSQL keeps, and digits how many of a short form's are its hash.
const (
	kept   = 63
	digits = 16
	mark   = '~'
)

// Truncate returns what Redshift keeps of a name.
func Truncate(name string) string { return cut(name, Max) }

// Short returns the name that stands for this one in PostgreSQL: itself where it fits.
func Short(name string) string {
	if len(name) <= kept {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	start := cut(name, kept-digits-1)
	// The hash begins at the same place always, so that a short form is known by its shape.
	start += strings.Repeat("_", kept-digits-1-len(start))
	return start + string(mark) + hex.EncodeToString(sum[:digits/2])
}

// IsShort says whether a name of PostgreSQL may be the short form of a longer one. What
// looks so need not be one.
func IsShort(name string) bool {
	return len(name) == kept && name[kept-digits-1] == mark && isHash(name[kept-digits:])
}

// FindShort returns where in a text what may be a short form begins, and its length; -1 =
// nowhere.
func FindShort(text string) (start, length int) {
	const before = kept - digits - 1
	for i := before; i+1+digits <= len(text); i++ {
		if text[i] == mark && isHash(text[i+1:i+1+digits]) {
			return i - before, kept
		}
	}
	return -1, 0
}

func isHash(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// cut returns the first n bytes of a text, or fewer, so that no character is torn.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
