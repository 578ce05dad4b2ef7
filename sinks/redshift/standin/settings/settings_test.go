package settings

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestParametersAreSorted(t *testing.T) {
	if !slices.IsSortedFunc(parameters, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("parameters are found by binary search, and are not in order")
	}
}

func TestSet(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"query_group", "starlift", "starlift"},
		{"Query_Group", "x", "x"},
		{"statement_timeout", "30s", "30000"},
		{"statement_timeout", "5 min", "300000"},
		{"statement_timeout", "100", "100"},
		{"enable_case_sensitive_identifier", "TRUE", "on"},
		{"enable_case_sensitive_identifier", "0", "off"},
		{"extra_float_digits", "2", "2"},
		{"extra_float_digits", "-15", "-15"},
		{"datestyle", "ISO", "ISO, MDY"},
		{"DateStyle", "SQL,DMY", "SQL, DMY"},
		{"datestyle", "european", "ISO, DMY"},
		{"client_encoding", "utf-8", "UTF8"},
		{"client_encoding", "UNICODE", "UNICODE"},
		{"time zone", "Europe/Berlin", "Europe/Berlin"},
		{"wlm_query_slot_count", "50", "50"},
		{"seed", ".25", ".25"},
	} {
		v := NewValues(nil)
		if _, err := v.Set(c.name, c.value, false); err != nil {
			t.Errorf("set %s to %s: %v", c.name, c.value, err)
			continue
		}
		if got, err := v.Get(c.name); err != nil || got != c.want {
			t.Errorf("set %s to %s: it is %q, %v, want %q", c.name, c.value, got, err, c.want)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	for _, c := range []struct{ name, value, code, message string }{
		{"IntervalStyle", "iso_8601", "42704", `unrecognized configuration parameter "IntervalStyle"`},
		{"lock_timeout", "1", "42704", `unrecognized configuration parameter "lock_timeout"`},
		{"standard_conforming_strings", "on", "42704", `unrecognized configuration parameter "standard_conforming_strings"`},
		{"extra_float_digits", "3", "22023", `3 is outside the valid range for parameter "extra_float_digits" (-15 .. 2)`},
		{"extra_float_digits", "many", "22023", `parameter "extra_float_digits" requires an integer value`},
		{"statement_timeout", "-1", "22023", `-1 is outside the valid range for parameter "statement_timeout" (0 .. 2147483647)`},
		{"statement_timeout", "3 weeks", "22023", `parameter "statement_timeout" requires an integer value`},
		{"wlm_query_slot_count", "51", "22023", `51 is outside the valid range for parameter "wlm_query_slot_count" (1 .. 50)`},
		{"json_parse_truncate_strings", "maybe", "22023", `parameter "json_parse_truncate_strings" requires a Boolean value`},
		{"datestyle", "ISO, XYZ", "22023", `invalid value for parameter "datestyle": "ISO, XYZ"`},
		{"client_encoding", "LATIN1", "22023", `invalid value for parameter "client_encoding": "LATIN1"`},
		{"seed", "1.5", "22023", `invalid value for parameter "seed": "1.5"`},
		{"server_version", "9", "55P02", `parameter "server_version" cannot be changed`},
	} {
		_, err := NewValues(nil).Set(c.name, c.value, false)
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != c.code || e.Message != c.message {
			t.Errorf("set %s to %s: %v", c.name, c.value, err)
		}
	}
}

// TestTransactions: a value that is set in a transaction lives as long as PostgreSQL's do.
func TestTransactions(t *testing.T) {
	v := NewValues(map[string]string{"query_group": "mine"})
	get := func(want string) {
		t.Helper()
		if got, err := v.Get("query_group"); err != nil || got != want {
			t.Fatalf("query_group is %q, %v, want %q", got, err, want)
		}
	}
	set := func(value string, local bool) {
		t.Helper()
		if _, err := v.Set("query_group", value, local); err != nil {
			t.Fatal(err)
		}
	}
	get("mine")
	set("nothing", true) // not in a transaction
	get("mine")

	v.Begin()
	set("a", false)
	set("b", true)
	get("b")
	v.End(true)
	get("a")

	v.Begin()
	set("c", false)
	get("c")
	v.End(false)
	get("a")

	v.Begin()
	set("d", true)
	set("e", false)
	get("e")
	v.End(true)
	get("e")

	if err := v.Reset("query_group"); err != nil {
		t.Fatal(err)
	}
	get("mine")
}

func TestBackend(t *testing.T) {
	v := NewValues(nil)
	if got := v.Backend(); got != nil {
		t.Errorf("defaults need %q", got)
	}
	for name, value := range map[string]string{
		"search_path": `$user, My "schema", x`, "timezone": "o'clock", "extra_float_digits": "2", "query_group": "x",
	} {
		if _, err := v.Set(name, value, false); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"SET LOCAL extra_float_digits TO '2'",
		`SET LOCAL search_path TO "$user", "My ""schema""", "x"`,
		"SET LOCAL timezone TO 'o''clock'",
	}
	if got := v.Backend(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTimeout(t *testing.T) {
	v := NewValues(nil)
	if v.Timeout() != 0 {
		t.Error("there is a timeout by default")
	}
	if _, err := v.Set("statement_timeout", "1500", false); err != nil {
		t.Fatal(err)
	}
	if v.Timeout() != 1500*time.Millisecond {
		t.Error(v.Timeout())
	}
}
