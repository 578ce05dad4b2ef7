package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs of a text that can't be read.
const (
	stateSyntax       = "42601"
	stateNotText      = "22021"
	stateTooDeep      = "54001"
	stateNotSupported = "0A000"
)

func failure(state, message string) *pgconn.PgError {
	return &pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: state, Message: message}
}

func syntaxError(message string) *pgconn.PgError { return failure(stateSyntax, message) }

// notText is the error for bytes that are not UTF-8, or are NUL.
func notText(bytes string) *pgconn.PgError {
	return failure(stateNotText, fmt.Sprintf("invalid byte sequence for encoding \"UTF8\": 0x%02x", bytes[0]))
}

// invalidPart returns s from its first byte on that is not UTF-8.
func invalidPart(s string) string {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
			return s[i:]
		}
	}
	return s
}

// checkText refuses a text that no database of encoding UTF8 takes.
func checkText(sql string) *pgconn.PgError {
	if i := strings.IndexByte(sql, 0); i >= 0 {
		return notText(sql[i:])
	}
	if !utf8.ValidString(sql) {
		return notText(invalidPart(sql))
	}
	return nil
}

// Position turns the offset of a byte into the position that an error reports: in
// characters, from 1.
func Position(sql string, offset int) int32 {
	return int32(utf8.RuneCountInString(sql[:offset])) + 1
}
