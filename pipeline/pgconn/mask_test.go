package pgconn

import (
	"strings"
	"testing"
)

func TestMaskValues(t *testing.T) {
	for query, want := range map[string]string{
		`UPDATE t1 SET a = 'x''y', b = 12.5`:                  `UPDATE t1 SET a = '…', b = …`,
		`SELECT E'a\'b', 'c'`:                                 `SELECT '…', '…'`,
		"ALTER ROLE \"r\" PASSWORD 'p\nq' VALID UNTIL '2027'": `ALTER ROLE "r" PASSWORD '…' VALID UNTIL '…'`,
		`DO $body$ secret $body$`:                             `DO '…'`,
		`SELECT 'cut off`:                                     `SELECT '…'`,
		"  SELECT\n\t1  ":                                     `SELECT …`,
		strings.Repeat("x", 200):                              strings.Repeat("x", 160) + "…",
		`SELECT 'C:\', 'secret'`:                              `SELECT '…', '…'`,
	} {
		if got := MaskValues(query, false); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for query, want := range map[string]string{
		`SELECT 'it\'s secret', 'c'`:               `SELECT '…', '…'`,
		`COPY t FROM 's3://b' CREDENTIALS 'k=\'v'`: `COPY t FROM '…' CREDENTIALS '…'`,
		`SELECT 'a''b\\', 'c`:                      `SELECT '…', '…'`,
	} {
		if got := MaskValues(query, true); got != want {
			t.Errorf("with escapes, %s: %s, want %s", query, got, want)
		}
	}
}
