package translate

import (
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// codeInUse is of a user that others depend on.
const codeInUse = "55006"

// rolePrefix begins the names that groups and roles have in PostgreSQL, where users are
// roles too.
// A policy is no role there: its prefix keeps it apart from them.
var rolePrefix = map[string]string{"user": "", "group": "group:", "role": "role:", "rls policy": "policy:"}

// principalName is the name of a user, a group or a role as it is stored: in quotes it keeps
// its case, whatever the session says of identifiers (r_CREATE_USER).
func principalName(id syntax.Ident) string {
	if id.Quoted {
		return names.Truncate(id.Text)
	}
	return names.Truncate(foldASCII(id.Text))
}

// userName is the name of a user, or of the one who asks: CURRENT_USER and SESSION_USER.
func (t *translator) userName(id syntax.Ident) string {
	name := principalName(id)
	if !id.Quoted && (name == "current_user" || name == "session_user") {
		return t.env.User
	}
	return name
}

func optionPrincipal(o syntax.Option) string {
	return principalName(syntax.Ident{Text: o.Values[0].Text, Quoted: o.Values[0].Quoted})
}

// needPrincipal is PostgreSQL's name of a user, a group or a role, which has to be there
// when the statement runs.
func (t *translator) needPrincipal(kind, name string) string {
	stored := rolePrefix[kind] + name
	if kind == "role" && strings.HasPrefix(name, "sys:") {
		t.metadata("need_system_role", literal(name))
		return stored
	}
	t.check("SELECT WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = "+literal(t.shortName(stored))+
		" AND rolcanlogin = "+boolSQL(kind == "user")+")", codeUndefinedObject, "%s %q does not exist", kind, name)
	return stored
}

// newPrincipal is PostgreSQL's name of one that must not be there.
func (t *translator) newPrincipal(kind, name string) string {
	stored := rolePrefix[kind] + name
	switch {
	case kind == "user" && strings.EqualFold(name, "public"), kind == "role" && strings.HasPrefix(name, "sys:"):
		t.refuse("42939", "%s name %q is reserved", kind, name)
	case kind == "user" && (strings.HasPrefix(name, rolePrefix["group"]) || strings.HasPrefix(name, rolePrefix["role"])):
		t.fail(unknownToStandin("A user whose name begins with " + name[:strings.Index(name, ":")+1]))
	}
	t.check("SELECT FROM pg_catalog.pg_roles WHERE rolname = "+literal(t.shortName(stored)), "42710", "%s %q already exists", kind, name)
	return stored
}

// superuserOnly refuses a statement of anybody else.
func (t *translator) superuserOnly(what string) {
	t.check("SELECT FROM pg_catalog.pg_roles WHERE rolname = current_user AND NOT rolsuper", "42501", "must be superuser to %s", what)
}

// principal is CREATE, ALTER and DROP of users, groups and roles.
func (t *translator) principal(st *syntax.Principal) {
	t.plan.Tag = strings.ToUpper(st.Verb + " " + st.Kind)
	seen := map[string]bool{}
	for _, o := range st.Options {
		name := strings.TrimPrefix(o.Name, "no")
		if seen[name] {
			t.refuseAt(o.Pos, codeSyntax, "conflicting or redundant options")
		}
		seen[name] = true
	}
	switch {
	case st.Verb == "drop":
		t.dropPrincipals(st)
	case st.Kind == "user":
		t.user(st)
	default:
		t.groupOrRole(st)
	}
}

// user is CREATE USER and ALTER USER (r_CREATE_USER, r_ALTER_USER).
func (t *translator) user(st *syntax.Principal) {
	name := principalName(st.Names[0])
	t.checkPassword(st)
	own := st.Verb == "alter" && name == t.env.User && len(st.Options) == 1
	if !own || st.Options[0].Name != "password" && st.Options[0].Name != "set" && st.Options[0].Name != "reset" {
		t.superuserOnly(st.Verb + " users")
	}
	var stored, sql string
	if st.Verb == "create" {
		stored = t.newPrincipal("user", name)
		sql = "CREATE ROLE " + t.quote(stored) + " LOGIN"
	} else {
		stored = t.needPrincipal("user", name)
		sql = "ALTER ROLE " + t.quote(stored) + " LOGIN"
	}
	for _, o := range st.Options {
		sql += t.userOption(st, o)
	}
	t.run(sql)
	t.userSettings(st, stored)
	t.memberships(st, stored)
}

// userOption translates an option that PostgreSQL has too. The others are of passwords and
// of sessions, which the stand-in takes as they come.
func (t *translator) userOption(st *syntax.Principal, o syntax.Option) string {
	switch o.Name {
	case "createdb", "nocreatedb":
		return " " + strings.ToUpper(o.Name)
	case "createuser":
		return " SUPERUSER"
	case "nocreateuser":
		return " NOSUPERUSER"
	case "valid until":
		return " VALID UNTIL " + literal(o.Values[0].Text)
	case "connection limit":
		return " CONNECTION LIMIT " + t.limit(o, 0, 1<<31-1)
	case "session timeout":
		t.limit(o, 60, 1728000)
	case "set", "reset":
		if st.Verb == "create" {
			t.refuseAt(o.Pos, codeSyntax, "syntax error at or near %q", o.Name)
		}
	case "add user", "drop user", "user", "owner to":
		t.refuseAt(o.Pos, codeSyntax, "syntax error at or near %q", strings.Fields(o.Name)[0])
	}
	return ""
}

// settingPrefix begins the names by which PostgreSQL keeps a user's parameters: it has not
// the same ones.
const settingPrefix = "rs."

// userSettings keeps the parameters that a user's sessions begin with (r_ALTER_USER, "SET").
func (t *translator) userSettings(st *syntax.Principal, stored string) {
	for _, o := range st.Options {
		if o.Name != "set" && o.Name != "reset" {
			continue
		}
		name := foldASCII(o.Values[0].Text)
		if t.env.Setting != nil && name != "all" {
			if _, ok := t.env.Setting(name); !ok {
				t.refuseAt(o.Pos, codeUndefinedObject, "unrecognized configuration parameter %q", name)
			}
		}
		var values []string
		for _, v := range o.Values[1:] {
			values = append(values, v.Text)
		}
		sql := "ALTER ROLE " + t.quote(stored)
		switch {
		case name == "all":
			sql += " RESET ALL"
		case o.Name == "reset" || len(values) == 1 && values[0] == "default" && !o.Values[1].Quoted:
			sql += " RESET " + settingPrefix + quoteName(name)
		default:
			sql += " SET " + settingPrefix + quoteName(name) + " TO " + literal(strings.Join(values, ", "))
		}
		t.run(sql)
	}
}

// limit is a number, or UNLIMITED.
func (t *translator) limit(o syntax.Option, least, most int) string {
	text := o.Values[0].Text
	if text == "unlimited" {
		return "-1"
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		t.refuseAt(o.Pos, codeInvalidParameter, "invalid %s %q: it must be between %d and %d", o.Name, text, least, most)
	}
	return text
}

// memberships are what a statement says of groups, and a new name.
func (t *translator) memberships(st *syntax.Principal, stored string) {
	for _, o := range st.Options {
		switch o.Name {
		case "in group":
			for _, v := range o.Values {
				group := t.needPrincipal("group", principalName(syntax.Ident{Text: v.Text, Quoted: v.Quoted}))
				t.run("GRANT " + t.quote(group) + " TO " + t.quote(stored))
			}
		case "rename to":
			t.run("ALTER ROLE " + t.quote(stored) + " RENAME TO " + t.quote(t.newPrincipal(st.Kind, optionPrincipal(o))))
		case "user", "add user", "drop user":
			word, to := "GRANT ", " TO "
			if o.Name == "drop user" {
				word, to = "REVOKE ", " FROM "
			}
			for _, v := range o.Values {
				member := t.needPrincipal("user", principalName(syntax.Ident{Text: v.Text, Quoted: v.Quoted}))
				t.run(word + t.quote(stored) + to + t.quote(member))
			}
		}
	}
}

// groupOrRole is CREATE and ALTER of a group or a role (r_CREATE_GROUP, r_ALTER_GROUP,
// r_CREATE_ROLE, r_ALTER_ROLE).
func (t *translator) groupOrRole(st *syntax.Principal) {
	name := principalName(st.Names[0])
	t.superuserOnly(st.Verb + " " + st.Kind + "s")
	allowed := map[string]bool{"rename to": st.Verb == "alter", "user": st.Kind == "group" && st.Verb == "create",
		"add user": st.Kind == "group" && st.Verb == "alter", "drop user": st.Kind == "group" && st.Verb == "alter",
		"externalid": st.Kind == "role"}
	for _, o := range st.Options {
		if o.Name == "owner to" && st.Kind == "role" && st.Verb == "alter" {
			t.fail(unknownToStandin("ALTER ROLE … OWNER TO"))
		}
		if !allowed[o.Name] {
			t.refuseAt(o.Pos, codeSyntax, "syntax error at or near %q", strings.Fields(o.Name)[0])
		}
	}
	var stored string
	if st.Verb == "create" {
		stored = t.newPrincipal(st.Kind, name)
		t.run("CREATE ROLE " + t.quote(stored) + " NOLOGIN")
	} else {
		stored = t.needPrincipal(st.Kind, name)
	}
	t.memberships(st, stored)
}

// checkPassword refuses a password that the service does not take.
func (t *translator) checkPassword(st *syntax.Principal) {
	var password *syntax.Option
	super := false
	for i, o := range st.Options {
		switch o.Name {
		case "password":
			password = &st.Options[i]
		case "createuser":
			super = true
		}
	}
	if password == nil {
		return
	}
	v := password.Values[0]
	switch {
	case !v.Quoted && super:
		t.refuseAt(password.Pos, codeNotSupported, "cannot disable the password of a superuser")
	case !v.Quoted:
	case strings.HasPrefix(v.Text, "sha256|"), isMD5(v.Text):
	default:
		t.checkClearPassword(password.Pos, v.Text)
	}
}

// isMD5 tells whether a text is md5 and 32 hexadecimal digits.
func isMD5(text string) bool {
	digits, ok := strings.CutPrefix(text, "md5")
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

// checkClearPassword asks for 8 to 64 characters of ASCII, with an upper-case letter, a
// lower-case letter and a digit. The examples of the same page have an @, which its list of
// rules forbids: it is taken.
func (t *translator) checkClearPassword(pos int, text string) {
	const upper, lower, digit = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
	switch {
	case len(text) < 8:
		t.refuseAt(pos, codeInvalidParameter, "Password must be at least 8 characters long.")
	case len(text) > 64:
		t.refuseAt(pos, codeInvalidParameter, "Password must be at most 64 characters long.")
	case !strings.ContainsAny(text, upper):
		t.refuseAt(pos, codeInvalidParameter, "Password must contain at least one upper-case letter.")
	case !strings.ContainsAny(text, lower):
		t.refuseAt(pos, codeInvalidParameter, "Password must contain at least one lower-case letter.")
	case !strings.ContainsAny(text, digit):
		t.refuseAt(pos, codeInvalidParameter, "Password must contain at least one number.")
	case strings.ContainsFunc(text, func(c rune) bool { return c < 33 || c > 126 || strings.ContainsRune(`'"\/`, c) }):
		t.refuseAt(pos, codeInvalidParameter, "Password contains a character that is not allowed.")
	}
}

// dropPrincipals is DROP USER, DROP GROUP and DROP ROLE. One that owns something or has a
// right stays (r_DROP_USER, r_DROP_GROUP, r_DROP_ROLE).
func (t *translator) dropPrincipals(st *syntax.Principal) {
	t.superuserOnly("drop " + st.Kind + "s")
	force := len(st.Options) > 0 && st.Options[0].Name == "force"
	for _, id := range st.Names {
		name := principalName(id)
		stored := rolePrefix[st.Kind] + name
		if st.Kind == "role" && strings.HasPrefix(name, "sys:") {
			t.refuse("42501", "cannot drop system-defined role %q", name)
			return
		}
		if !st.IfExists {
			t.needPrincipal(st.Kind, name)
		}
		if !force {
			t.unused(st.Kind, name, stored)
		} else {
			t.run("DROP OWNED BY " + t.quote(stored))
		}
		word := "DROP ROLE "
		if st.IfExists {
			word += "IF EXISTS "
		}
		t.run("DELETE FROM rs.other_right WHERE grantee = " + literal(t.shortName(stored)))
		t.run(word + t.quote(stored))
	}
}

// unused refuses to drop one that others need.
func (t *translator) unused(kind, name, stored string) {
	of := literal(t.shortName(stored))
	depends := "SELECT FROM pg_catalog.pg_shdepend AS d JOIN pg_catalog.pg_roles AS r ON r.oid = d.refobjid" +
		" WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND r.rolname = " + of + " AND d.deptype = "
	t.check(depends+"'o'", codeInUse, "%s %q can't be dropped because the %s owns some object", kind, name, kind)
	t.check(depends+"'a'", codeInUse, "%s %q can't be dropped because the %s has a privilege on some object", kind, name, kind)
	if kind == "role" {
		members := "SELECT FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS r ON r.oid = m.roleid JOIN pg_catalog.pg_roles AS u ON u.oid = m.member WHERE "
		t.check(members+"u.rolcanlogin AND r.rolname = "+of, codeDependents, "cannot drop this role since it has been granted on a user")
		t.check(members+of+" IN (r.rolname, u.rolname)", codeDependents, "cannot drop this role since it depends on another role")
	}
}
