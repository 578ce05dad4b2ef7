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
		`UPDATE t SET "it's" = 'secret', b = 'other'`:         `UPDATE t SET "it's" = '…', b = '…'`,
		`SELECT "a""'" = 'secret'`:                            `SELECT "a""'" = '…'`,
		"SELECT a -- it's\nFROM t WHERE b = 'secret'":         `SELECT a FROM t WHERE b = '…'`,
		`SELECT /* isn't */ 'secret' /* cut '`:                `SELECT '…'`,
		`SELECT '--', '/*' /* x */, 'secret'`:                 `SELECT '…', '…' , '…'`,
	} {
		if got := MaskValues(query, false); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for query, want := range map[string]string{
		`SELECT 'it\'s secret', 'c'`:                    `SELECT '…', '…'`,
		`COPY t FROM 's3://b' CREDENTIALS 'k=\'v'`:      `COPY t FROM '…' CREDENTIALS '…'`,
		`SELECT 'a''b\\', 'c`:                           `SELECT '…', '…'`,
		`SELECT "it's", "x\" FROM t WHERE b = 'secret'`: `SELECT "it's", "x\" FROM t WHERE b = '…'`,
	} {
		if got := MaskValues(query, true); got != want {
			t.Errorf("with escapes, %s: %s, want %s", query, got, want)
		}
	}
}
