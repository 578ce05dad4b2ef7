package pgconn

import (
	"net/url"
	"os"
	"strings"
	"time"
)

// Defaults are what holds where neither the connection string nor libpq's variables say
// anything, for servers with other habits than PostgreSQL's. The zero value is libpq's.
type Defaults struct {
	Port    string // empty = 5432
	SSLMode string // empty = prefer
	// ConnectTimeout is for all that it takes to be let in; 0 = 10 seconds.
	ConnectTimeout time.Duration
}

// apply adds the defaults to a connection string that is a correct one. A service file is
// taken to say everything.
func (d Defaults) apply(dsn string) string {
	given := keysOf(dsn)
	if given["service"] || os.Getenv("PGSERVICE") != "" {
		return dsn
	}
	add := func(key, variable, value string) {
		_, afterUser, isURL := splitURL(dsn)
		switch {
		case value == "" || given[key] || os.Getenv(variable) != "":
		case !isURL:
			dsn = key + "=" + value + " " + dsn
		case strings.Contains(afterUser, "?"):
			dsn += "&" + key + "=" + value
		default:
			dsn += "?" + key + "=" + value
		}
	}
	add("port", "PGPORT", d.Port)
	add("sslmode", "PGSSLMODE", d.SSLMode)
	return dsn
}

// keysOf returns which of port, sslmode, password and other keywords a correct connection
// string sets.
func keysOf(dsn string) map[string]bool {
	user, rest, isURL := splitURL(dsn)
	if !isURL {
		return keywordsOf(dsn)
	}
	keys := map[string]bool{}
	if _, password, _ := strings.Cut(user, ":"); password != "" {
		keys["password"] = true
	}
	place, query, _ := strings.Cut(rest, "?")
	hosts, _, _ := strings.Cut(place, "/")
	for host := range strings.SplitSeq(hosts, ",") {
		_, port, _ := strings.Cut(host[strings.LastIndexByte(host, ']')+1:], ":")
		keys["port"] = keys["port"] || port != ""
	}
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(key); err == nil {
			key = plain
		}
		if key == "ssl" { // an alias of JDBC's
			key = "sslmode"
		}
		keys[key] = true
	}
	return keys
}

// splitURL takes the user and the password off a URL, as libpq does: an @ ends them wherever it
// stands before the path. ok = false where it is none.
func splitURL(dsn string) (user, rest string, ok bool) {
	if rest, ok = strings.CutPrefix(dsn, "postgresql://"); !ok {
		if rest, ok = strings.CutPrefix(dsn, "postgres://"); !ok {
			return "", "", false
		}
	}
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		user, rest = rest[:i], rest[i+1:]
	}
	return user, rest, true
}

// keywordsOf returns the keywords of a string of keywords and values.
func keywordsOf(dsn string) map[string]bool {
	const spaces = " \t\n\r\v\f"
	keys := map[string]bool{}
	for dsn = strings.TrimLeft(dsn, spaces); dsn != ""; dsn = strings.TrimLeft(dsn, spaces) {
		key, value, _ := strings.Cut(dsn, "=")
		value = strings.TrimLeft(value, spaces)
		ends := spaces
		if strings.HasPrefix(value, "'") {
			value, ends = value[1:], "'"
		}
		end := 0
		for end < len(value) && strings.IndexByte(ends, value[end]) < 0 {
			if value[end] == '\\' {
				end++
			}
			end++
		}
		keys[strings.Trim(key, spaces)] = true
		dsn = value[min(end+1, len(value)):]
	}
	return keys
}
