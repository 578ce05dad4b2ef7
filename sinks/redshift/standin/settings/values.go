package settings

import (
	"maps"
	"strings"
	"time"
)

// Values are the parameters of one session. A value that is set in a transaction is taken
// back by the transaction's rollback; one that is set locally ends with the transaction.
// Values are not safe for use by several goroutines.
type Values struct {
	defaults map[string]string // the session's own, of its start-up
	session  map[string]string
	saved    map[string]string // session, as it was when the transaction began
	local    map[string]string
}

// NewValues returns the parameters of a session. Its defaults, by name, are what RESET
// goes back to; they are not checked, since some of them can't be set.
func NewValues(defaults map[string]string) *Values {
	v := &Values{defaults: map[string]string{}, session: map[string]string{}}
	for name, value := range defaults {
		v.defaults[strings.ToLower(name)] = value
	}
	return v
}

// Get returns a parameter's value. The error is a *pgconn.PgError: 42704.
func (v *Values) Get(name string) (string, error) {
	p, err := find(name)
	if err != nil {
		return "", err
	}
	return v.value(p), nil
}

func (v *Values) value(p *Parameter) string {
	for _, m := range []map[string]string{v.local, v.session, v.defaults} {
		if value, ok := m[p.Name]; ok {
			return value
		}
	}
	return p.Default
}

// TakesList tells whether a parameter may be SET to several values with commas between them;
// what is no parameter is refused by Set.
func TakesList(name string) bool {
	p, err := find(name)
	return err != nil || p.kind == path || p.kind == dateStyle
}

// Set sets a parameter: until the end of the transaction if local, else of the session.
// The error is a *pgconn.PgError: 42704, 22023 or 55P02.
func (v *Values) Set(name, value string, local bool) (*Parameter, error) {
	p, err := find(name)
	if err != nil {
		return nil, err
	}
	normal, err := p.normalize(value, v.value(p))
	if err != nil {
		return nil, err
	}
	if local {
		if v.local != nil { // outside of a transaction a local value ends at once
			v.local[p.Name] = normal
		}
		return p, nil
	}
	delete(v.local, p.Name)
	v.session[p.Name] = normal
	return p, nil
}

// Default sets a default of the session that RESET goes back to, checked as Set does.
func (v *Values) Default(name, value string) error {
	p, err := find(name)
	if err != nil {
		return err
	}
	normal, err := p.normalize(value, v.value(p))
	if err != nil {
		return err
	}
	v.defaults[p.Name] = normal
	return nil
}

// Reset sets a parameter to its default, or all if the name is "all".
func (v *Values) Reset(name string) error {
	if strings.EqualFold(name, "all") {
		clear(v.session)
		clear(v.local)
		return nil
	}
	p, err := find(name)
	if err != nil {
		return err
	}
	if p.kind == readOnly {
		return refuse("55P02", "parameter %q cannot be changed", p.Name)
	}
	delete(v.session, p.Name)
	delete(v.local, p.Name)
	return nil
}

// Begin begins a transaction.
func (v *Values) Begin() {
	v.saved = maps.Clone(v.session)
	v.local = map[string]string{}
}

// End ends the transaction, if there is one: what was set in it stays if it was committed.
func (v *Values) End(committed bool) {
	if v.saved != nil && !committed {
		v.session = v.saved
	}
	v.saved, v.local = nil, nil
}

// All returns what SHOW ALL does: names and values.
func (v *Values) All() [][2]string {
	var all [][2]string
	for i := range parameters {
		if p := &parameters[i]; p.Listed {
			all = append(all, [2]string{p.Name, v.value(p)})
		}
	}
	return all
}

// Wire returns what clients are told of: values by their names in ParameterStatus.
func (v *Values) Wire() map[string]string {
	told := map[string]string{}
	for i := range parameters {
		if p := &parameters[i]; p.Wire != "" {
			told[p.Wire] = v.value(p)
		}
	}
	return told
}

// Backend returns the statements that make PostgreSQL's session answer as these values
// say, up to the end of its transaction. Values that are PostgreSQL's own in a new session
// need none.
func (v *Values) Backend() []string {
	var statements []string
	for i := range parameters {
		p := &parameters[i]
		if value := v.value(p); p.Backend != "" && value != p.Default {
			statements = append(statements, "SET LOCAL "+p.Backend+" TO "+p.literal(value))
		}
	}
	return statements
}

// Defaults returns the statements that undo those of Backend in a transaction that runs.
func (v *Values) Defaults() []string {
	var statements []string
	for i := range parameters {
		if p := &parameters[i]; p.Backend != "" {
			statements = append(statements, "SET LOCAL "+p.Backend+" TO "+p.literal(p.Default))
		}
	}
	return statements
}

// SetAuthorization sets the user that the session acts for, and whether it is a superuser.
func (v *Values) SetAuthorization(user string, super, local bool) {
	values := v.session
	if local && v.local != nil {
		values = v.local
	}
	values["session_authorization"], values["is_superuser"] = user, "off"
	if super {
		values["is_superuser"] = "on"
	}
}

// literal writes a value for PostgreSQL's SET.
func (p *Parameter) literal(value string) string {
	if p.kind != path {
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	var names []string
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if inner, ok := strings.CutPrefix(name, `"`); ok {
			name = strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
		}
		names = append(names, `"`+strings.ReplaceAll(name, `"`, `""`)+`"`)
	}
	return strings.Join(names, ", ")
}

// On tells whether a parameter of on and off is on.
func (v *Values) On(name string) bool {
	value, err := v.Get(name)
	return err == nil && value == "on"
}

// Timeout returns statement_timeout; 0 = none.
func (v *Values) Timeout() time.Duration {
	value, err := v.Get("statement_timeout")
	if err != nil {
		return 0
	}
	ms, err := parseMilliseconds(value)
	if err != nil {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}
