package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Parameter is a configuration parameter.
type Parameter struct {
	Name    string // in lower case
	Default string
	// Backend is its name in PostgreSQL if it changes what PostgreSQL answers.
	Backend string
	// Wire is its name in a ParameterStatus message, if clients are told of it.
	Wire string
	// Listed tells that SHOW ALL has it.
	Listed bool

	kind     kind
	min, max int
	values   []string
}

type kind int

const (
	text kind = iota
	boolean
	integer
	milliseconds
	enumeration
	dateStyle
	encoding
	path
	fraction // between 0 and 1
	readOnly
)

// parameters are in the order of their names.
var parameters = []Parameter{
	{Name: "analyze_threshold_percent", Default: "10", Listed: true, kind: integer, max: 100},
	{Name: "application_name", Wire: "application_name"},
	{Name: "auto_mv", Default: "on", kind: boolean},
	{Name: "case_sensitive", Default: "on", Wire: "case_sensitive", kind: readOnly},
	{Name: "cast_super_null_on_error", Default: "on", kind: boolean},
	{Name: "client_encoding", Default: "UNICODE", Wire: "client_encoding", kind: encoding},
	{Name: "client_min_messages", Default: "notice", kind: enumeration, values: []string{"debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error", "fatal", "panic"}},
	{Name: "datashare_break_glass_session_var"},
	{Name: "datashare_enabled", Default: "off", Wire: "datashare_enabled", kind: readOnly},
	{Name: "datestyle", Default: "ISO, MDY", Backend: "datestyle", Wire: "datestyle", Listed: true, kind: dateStyle},
	{Name: "default_geometry_encoding", Default: "1", kind: integer, min: 1, max: 2},
	{Name: "default_transaction_isolation", Default: "serializable", kind: enumeration, values: []string{"serializable", "repeatable read", "read committed", "read uncommitted"}},
	{Name: "default_transaction_read_only", Default: "off", kind: boolean},
	{Name: "describe_field_name_in_uppercase", Default: "off", kind: boolean},
	{Name: "downcase_delimited_identifier", Default: "on", kind: boolean},
	{Name: "enable_case_sensitive_identifier", Default: "off", kind: boolean},
	{Name: "enable_case_sensitive_super_attribute", Default: "off", kind: boolean},
	{Name: "enable_numeric_rounding", Default: "on", kind: boolean},
	{Name: "enable_result_cache_for_session", Default: "on", kind: boolean},
	{Name: "enable_spectrum_oid", Default: "on", kind: boolean},
	{Name: "enable_user_activity_logging", Default: "off", kind: readOnly},
	{Name: "enable_vacuum_boost", Default: "off", kind: boolean},
	{Name: "error_on_nondeterministic_update", Default: "off", kind: boolean},
	{Name: "extra_float_digits", Default: "0", Backend: "extra_float_digits", Listed: true, kind: integer, min: -15, max: 2},
	{Name: "integer_datetimes", Default: "on", Wire: "integer_datetimes", kind: readOnly},
	{Name: "interval_forbid_composite_literals", Default: "off", kind: boolean},
	{Name: "is_superuser", Default: "on", Wire: "is_superuser", kind: readOnly},
	{Name: "json_parse_dedup_attributes", Default: "off", kind: boolean},
	{Name: "json_parse_truncate_strings", Default: "off", kind: boolean},
	{Name: "json_serialization_enable", Default: "off", kind: boolean},
	{Name: "json_serialization_parse_nested_strings", Default: "off", kind: boolean},
	{Name: "max_concurrency_scaling_clusters", Default: "1", kind: integer, max: 10},
	{Name: "max_cursor_result_set_size", Default: "0", kind: integer, max: 14400000},
	{Name: "max_numeric_precision", Default: "38", Wire: "max_numeric_precision", kind: readOnly},
	{Name: "max_varchar_size", Default: "65535", Wire: "max_varchar_size", kind: readOnly},
	{Name: "mv_enable_aqmv_for_session", Default: "on", kind: boolean},
	{Name: "navigate_super_null_on_error", Default: "on", kind: boolean},
	{Name: "padb_revision", Default: "Unversioned directory", Wire: "padb_revision", kind: readOnly},
	{Name: "padb_version", Default: "1.0.63269", Wire: "padb_version", kind: readOnly},
	{Name: "parse_super_null_on_error", Default: "off", kind: boolean},
	{Name: "pg_federation_repeatable_read", Default: "on", kind: boolean},
	{Name: "query_group", Default: "default", Listed: true},
	{Name: "require_ssl", Default: "off", kind: readOnly},
	{Name: "search_path", Default: "$user, public", Backend: "search_path", Listed: true, kind: path},
	{Name: "seed", Default: "unavailable", kind: fraction},
	{Name: "selective_merge_into", Default: "off", kind: boolean},
	{Name: "server_encoding", Default: "UNICODE", Wire: "server_encoding", kind: readOnly},
	{Name: "server_version", Default: "8.0.2", Wire: "server_version", kind: readOnly},
	{Name: "session_authorization", Wire: "session_authorization", kind: readOnly},
	{Name: "spectrum_enable_pseudo_columns", Default: "on", kind: boolean},
	{Name: "spectrum_query_maxerror", Default: "-1", kind: integer, min: -1, max: math.MaxInt32},
	{Name: "statement_timeout", Default: "0", Listed: true, kind: milliseconds, max: math.MaxInt32},
	{Name: "stored_proc_log_min_messages", Default: "log", kind: enumeration, values: []string{"debug5", "debug4", "debug3", "debug2", "debug1", "log", "info", "notice", "warning", "exception"}},
	{Name: "timezone", Default: "UTC", Backend: "timezone", Wire: "TimeZone", Listed: true},
	{Name: "timezone_abbreviations", Default: "Default", Wire: "timezone_abbreviations", kind: readOnly},
	{Name: "transaction_isolation", Default: "serializable", kind: readOnly},
	{Name: "transaction_read_only", Default: "off", kind: readOnly},
	{Name: "use_fips_ssl", Default: "off", kind: boolean},
	{Name: "wlm_query_slot_count", Default: "1", Listed: true, kind: integer, min: 1, max: 50},
}

// synonyms are other names of parameters.
var synonyms = map[string]string{
	"time zone":                   "timezone",
	"transaction isolation level": "transaction_isolation",
	"session authorization":       "session_authorization",
}

// find returns the parameter of a name in any case, or error 42704.
func find(name string) (*Parameter, error) {
	folded := strings.ToLower(name)
	if other, ok := synonyms[folded]; ok {
		folded = other
	}
	i, ok := slices.BinarySearchFunc(parameters, folded, func(p Parameter, name string) int {
		return strings.Compare(p.Name, name)
	})
	if !ok {
		return nil, refuse("42704", "unrecognized configuration parameter %q", name)
	}
	return &parameters[i], nil
}

// normalize checks a value and returns it as SHOW prints it. The current value matters to
// those whose new one may say only a part.
func (p *Parameter) normalize(value, current string) (string, error) {
	switch p.kind {
	case readOnly:
		return "", refuse("55P02", "parameter %q cannot be changed", p.Name)
	case boolean:
		b, ok := parseBool(value)
		if !ok {
			return "", refuse("22023", "parameter %q requires a Boolean value", p.Name)
		}
		if b {
			return "on", nil
		}
		return "off", nil
	case integer:
		return p.normalizeInteger(value, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case milliseconds:
		return p.normalizeInteger(value, parseMilliseconds)
	case fraction:
		if f, err := strconv.ParseFloat(value, 64); err != nil || f < 0 || f > 1 {
			return "", p.invalid(value)
		}
		return value, nil
	case enumeration:
		folded := strings.ToLower(value)
		if !slices.Contains(p.values, folded) {
			return "", p.invalid(value)
		}
		return folded, nil
	case dateStyle:
		return p.normalizeDateStyle(value, current)
	case encoding:
		switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToUpper(value)) {
		case "UTF8":
			return "UTF8", nil
		case "UNICODE":
			return "UNICODE", nil
		}
		return "", p.invalid(value)
	}
	return value, nil
}

func (p *Parameter) normalizeInteger(value string, parse func(string) (int64, error)) (string, error) {
	n, err := parse(value)
	if err != nil {
		return "", refuse("22023", "parameter %q requires an integer value", p.Name)
	}
	if n < int64(p.min) || n > int64(p.max) {
		return "", refuse("22023", "%d is outside the valid range for parameter %q (%d .. %d)", n, p.Name, p.min, p.max)
	}
	return strconv.FormatInt(n, 10), nil
}

var (
	dateStyles = map[string]string{"iso": "ISO", "sql": "SQL", "postgres": "Postgres", "german": "German"}
	dateOrders = map[string]string{
		"mdy": "MDY", "us": "MDY", "noneuropean": "MDY", "dmy": "DMY", "european": "DMY", "euro": "DMY", "ymd": "YMD",
	}
)

func (p *Parameter) normalizeDateStyle(value, current string) (string, error) {
	style, order, _ := strings.Cut(current, ", ")
	for word := range strings.SplitSeq(value, ",") {
		folded := strings.ToLower(strings.TrimSpace(word))
		switch {
		case dateStyles[folded] != "":
			style = dateStyles[folded]
		case dateOrders[folded] != "":
			order = dateOrders[folded]
		default:
			return "", p.invalid(value)
		}
	}
	return style + ", " + order, nil
}

func (p *Parameter) invalid(value string) error {
	return refuse("22023", "invalid value for parameter %q: %q", p.Name, value)
}

func parseBool(value string) (b, ok bool) {
	switch strings.ToLower(value) {
	case "on", "true", "yes", "1", "t", "y":
		return true, true
	case "off", "false", "no", "0", "f", "n":
		return false, true
	}
	return false, false
}

// parseMilliseconds reads a number of milliseconds, or one with a unit.
func parseMilliseconds(value string) (int64, error) {
	value = strings.TrimSpace(value)
	digits := strings.TrimRight(value, "abcdefghijklmnopqrstuvwxyz ")
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return 0, err
	}
	unit := map[string]time.Duration{
		"": time.Millisecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}[strings.TrimSpace(value[len(digits):])]
	if unit == 0 {
		return 0, fmt.Errorf("unit of %q", value)
	}
	return n * unit.Milliseconds(), nil
}

func refuse(code, format string, args ...any) error {
	return &pgconn.PgError{Severity: "ERROR", Code: code, Message: fmt.Sprintf(format, args...)}
}
