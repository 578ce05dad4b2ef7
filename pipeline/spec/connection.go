package spec

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// connectionName is what a connection string is called.
var connectionName = regexp.MustCompile(`(?i)^(.*[_.-])?(dsn|conn(ection)?_?(info|str(ing)?|ur[il])|(database|db)_?ur[il])$`)

// hideConnection hides a text as a whole that stands under a key for connection
// strings and can't be taken apart: nobody knows where in it the password is.
func (n *Node) hideConnection(pathToo bool) {
	if n.kind == Text && n.text != "" && (pathToo || !isPath(n.text)) && !isConnection(n.text) {
		n.doc.hide(secret{value: n.text, shown: stars, written: n.text == n.source && n.set == ""})
	}
}

// namesConnection reports whether the key of a value says that it is a connection
// string.
func (n *Node) namesConnection() bool {
	return n.key != nil && connectionName.MatchString(n.key.text)
}

// hideNamed hides what stands under keys for secrets in a mapping whose keys
// nobody knows.
func (n *Node) hideNamed() {
	for _, e := range n.entries {
		if secretPart.MatchString(e.key.text) || connectionName.MatchString(e.key.text) {
			e.value.hideAll() // it was meant to be one
		}
	}
}

// What is a path and no connection string, as far as a text tells: no word is put
// to another one by a sign.
var (
	drive     = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
	connected = regexp.MustCompile(`[:;{}"'@]|\s=|=.*\s`)
)

func isPath(text string) bool { return !connected.MatchString(drive.ReplaceAllString(text, "")) }

// parameters are those of a connection string that may be shown, and the
// passwords, which are found by their names.
var parameters = strings.Fields(`host hostaddr port dbname database user password passfile service servicefile options application_name
	fallback_application_name client_encoding connect_timeout keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout
	replication gssencmode sslmode requiressl sslcompression sslnegotiation sslcert sslkey sslpassword sslrootcert sslcrl sslcrldir sslsni sslinline
	requirepeer channel_binding ssl_min_protocol_version ssl_max_protocol_version krbsrvname krbspn gsslib target_session_attrs load_balance_hosts
	search_path timezone statement_timeout lock_timeout`)

var keywordValue = regexp.MustCompile(`^\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s'"=;][^\s'";]*)?)(?:\s|$)`)

// isConnection reports whether a text is a connection string that has its password,
// if any, where passwords finds it: a URL, or libpq's keywords and values.
func isConnection(text string) bool {
	if strings.Contains(text, "://") {
		return isConnectionURL(text)
	}
	for strings.TrimSpace(text) != "" {
		m := keywordValue.FindStringSubmatch(text)
		if m == nil || !slices.Contains(parameters, strings.ToLower(m[1])) {
			return false
		}
		text = text[len(m[0]):]
	}
	return true
}

func isConnectionURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Fragment != "" || strings.ContainsAny(u.Path, "@:") {
		return false
	}
	if u.User != nil && strings.ContainsAny(u.User.Username(), ":;/") {
		return false
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return false
	}
	for name := range query {
		if !slices.Contains(parameters, strings.ToLower(name)) {
			return false
		}
	}
	return true
}

// connectionLine is where a line of a file, which may be one that is not YAML, has
// a key and a text: to its closing quote, the next key, or the end.
var connectionLine = regexp.MustCompile(`(?i)(?:^|[\s{,"'])([a-z0-9_.-]+)["']?\s*:\s*` +
	`(?:"((?:[^"\\]|\\.)*)|'((?:[^']|'')*)|([^\s"'].*?)(?:,\s*[a-z0-9_.-]+:\s.*|[\s,}\]]*)$)`)

// connections finds the connection strings in a line that are not to be shown.
func connections(line string) []secret {
	var found []secret
	for from := 0; from < len(line); {
		m := connectionLine.FindStringSubmatchIndex(line[from:])
		if m == nil {
			break
		}
		next := from + m[3]
		if connectionName.MatchString(line[from+m[2] : next]) {
			for _, at := range [][]int{m[4:6], m[6:8], m[8:10]} {
				if at[0] < 0 {
					continue
				}
				text := line[from+at[0] : from+at[1]]
				if !isPath(text) && !isConnection(text) && !strings.HasPrefix(text, "${") {
					found = append(found, secret{value: text})
				}
			}
		}
		from = next
	}
	return found
}
