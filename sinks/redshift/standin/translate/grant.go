package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// codeInvalidGrant is of grants that contradict themselves.
const codeInvalidGrant = "0LP01"

// carriedRights are those that PostgreSQL has for each kind of object (r_GRANT). Of the
// other ones of the same kind, keptRights, it is only kept that they were granted.
var (
	carriedRights = map[string]map[string]bool{
		"table":                    optionSet("select insert update delete references truncate all"),
		"all tables in schema":     optionSet("select insert update delete references truncate all"),
		"schema":                   optionSet("create usage all"),
		"database":                 optionSet("create temporary all"),
		"all functions in schema":  optionSet("execute all"),
		"all procedures in schema": optionSet("execute all"),
	}
	keptRights = map[string]map[string]bool{
		"table":      optionSet("drop alter"),
		"schema":     optionSet("drop alter"),
		"database":   optionSet("usage alter drop"),
		"language":   optionSet("usage"),
		"assumerole": optionSet("assumerole"),
	}
)

// postgresObjects are PostgreSQL's words for kinds of objects.
var postgresObjects = map[string]string{
	"table": "TABLE", "all tables in schema": "ALL TABLES IN SCHEMA", "schema": "SCHEMA",
	"all functions in schema": "ALL FUNCTIONS IN SCHEMA", "all procedures in schema": "ALL PROCEDURES IN SCHEMA",
}

// grant is GRANT and REVOKE (r_GRANT, r_REVOKE).
func (t *translator) grant(st *syntax.Grant) {
	t.plan.Tag = "GRANT"
	if st.Revoke {
		t.plan.Tag = "REVOKE"
	}
	t.checkGrantOption(st)
	if len(st.To) > 0 && st.To[0].Kind == "rls policy" {
		t.grantToPolicy(st)
		return
	}
	switch st.Kind {
	case "role":
		t.grantRoles(st)
	case "system":
		t.grantSystem(st)
	case "function", "procedure":
		t.grantRoutines(st)
	case "language", "assumerole":
		t.grantKept(st)
	case "tables in schema", "functions in schema", "procedures in schema", "schemas in database", "tables in database",
		"functions in database", "procedures in database", "languages in database":
		t.grantScoped(st)
	default:
		if carriedRights[st.Kind] == nil {
			t.fail(unknownToStandin("GRANT ON " + strings.ToUpper(st.Kind)))
			return
		}
		t.grantCarried(st)
	}
}

// grantToPolicy is GRANT SELECT ON tables TO RLS POLICY: what the queries of a policy may
// read. It is kept; PostgreSQL asks for the rights of the one who reads.
func (t *translator) grantToPolicy(st *syntax.Grant) {
	if st.Kind != "table" || len(st.Privileges) != 1 || st.Privileges[0].Name != "select" {
		t.refuse(codeInvalidGrant, "only SELECT on tables can be granted to a policy")
		return
	}
	for _, g := range st.To {
		if g.Kind != "rls policy" {
			t.refuse(codeSyntax, "a grant to policies is to nobody else")
			return
		}
		t.findPolicy(&syntax.Policy{Kind: "rls", Name: g.Name})
	}
	for _, object := range st.Objects {
		if r := t.relation(object); r != nil {
			t.keepRights(st, st.Privileges, r.Schema+"."+r.Name, "rls policy")
		}
	}
}

// checkGrantOption refuses WITH GRANT OPTION and WITH ADMIN OPTION of all but users.
func (t *translator) checkGrantOption(st *syntax.Grant) {
	for _, g := range st.To {
		if st.GrantOption && !st.Revoke && g.Kind != "" {
			t.refuse(codeInvalidGrant, "grant options can only be granted to individual users")
		}
	}
}

// grantees are those who are granted something, as PostgreSQL has them.
func (t *translator) grantees(list []syntax.Grantee) []string {
	out := make([]string, len(list))
	for i, g := range list {
		switch g.Kind {
		case "public":
			out[i] = "PUBLIC"
		case "":
			out[i] = t.quote(t.needPrincipal("user", principalName(g.Name)))
		case "group", "role":
			out[i] = t.quote(t.needPrincipal(g.Kind, principalName(g.Name)))
		default:
			t.fail(unknownToStandin("A grant to " + strings.ToUpper(g.Kind)))
		}
	}
	return out
}

// grantCarried is a grant that PostgreSQL knows, but for single rights in it.
func (t *translator) grantCarried(st *syntax.Grant) {
	to := t.grantees(st.To)
	var carried, kept []syntax.Privilege
	for _, p := range st.Privileges {
		switch {
		case carriedRights[st.Kind][p.Name]:
			carried = append(carried, p)
		case keptRights[st.Kind][p.Name] && len(p.Columns) == 0:
			kept = append(kept, p)
		default:
			t.refuse(codeInvalidGrant, "invalid privilege type %s for %s", strings.ToUpper(p.Name), st.Kind)
		}
	}
	for _, object := range st.Objects {
		on, r := t.grantObject(st.Kind, object)
		if t.err != nil {
			return
		}
		if len(carried) > 0 {
			rights := t.rights(carried, r)
			if st.Kind == "database" {
				t.metadata("on_database", literal(t.grantWord(st)+rights), literal(t.grantEnd(st, to)))
			} else {
				t.run(t.grantWord(st) + rights + " ON " + postgresObjects[st.Kind] + " " + on + t.grantEnd(st, to))
			}
		}
		t.keepRights(st, kept, strings.Join(t.names(object), "."), st.Kind)
	}
}

func (t *translator) grantWord(st *syntax.Grant) string {
	switch {
	case st.Revoke && st.OptionOnly:
		return "REVOKE GRANT OPTION FOR "
	case st.Revoke:
		return "REVOKE "
	}
	return "GRANT "
}

func (t *translator) grantEnd(st *syntax.Grant, to []string) string {
	list := strings.Join(to, ", ")
	switch {
	case st.Revoke:
		return " FROM " + list + cascade(st.Cascade)
	case st.GrantOption:
		return " TO " + list + " WITH GRANT OPTION"
	}
	return " TO " + list
}

// grantObject is an object as PostgreSQL has it; r is set of a table or a view.
func (t *translator) grantObject(kind string, n syntax.Name) (sql string, r *Relation) {
	switch kind {
	case "table":
		schema, name := t.tableName(n)
		if _, _, ok := t.systemRelation(schema, name); ok {
			t.fail(unknownToStandin("A grant on system table " + name))
			return "", nil
		}
		if r = t.relation(n); r == nil {
			return "", nil
		}
		return t.table(r), r
	case "database":
		if name := t.name(n.Last()); name != foldASCII(t.env.Database) && name != t.env.Database {
			t.fail(unknownToStandin("A grant on another database"))
		}
		return "", nil
	}
	name := t.name(n.Last())
	t.checkSchema(name)
	return t.quote(name), nil
}

// rights writes privileges, with the columns of a table that they are on: SELECT, UPDATE and
// ALL may be on columns.
func (t *translator) rights(list []syntax.Privilege, r *Relation) string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = strings.ToUpper(p.Name)
		if len(p.Columns) == 0 {
			continue
		}
		if r == nil || p.Name != "select" && p.Name != "update" && p.Name != "all" {
			t.refuse(codeInvalidGrant, "privilege %s cannot be granted on columns", strings.ToUpper(p.Name))
			continue
		}
		columns := t.names(p.Columns)
		for _, c := range columns {
			t.ownColumn(r, c)
		}
		if p.Name == "all" {
			list := t.quoteAll(columns)
			out[i] = "SELECT (" + list + "), UPDATE (" + list + ")"
			continue
		}
		out[i] += " (" + t.quoteAll(columns) + ")"
	}
	return strings.Join(out, ", ")
}

// keepRights keeps what PostgreSQL has no word for.
func (t *translator) keepRights(st *syntax.Grant, rights []syntax.Privilege, object, kind string) {
	for _, p := range rights {
		for _, g := range st.To {
			grantee := "public"
			if g.Kind != "public" {
				grantee = rolePrefix[granteeKind(g)] + principalName(g.Name)
			}
			args := []string{literal(kind), literal(object), literal(p.Name), literal(t.shortName(grantee))}
			if st.Revoke {
				t.metadata("revoke_right", append(args, boolSQL(st.OptionOnly))...)
			} else {
				t.metadata("grant_right", append(args, boolSQL(st.GrantOption))...)
			}
		}
	}
}

func granteeKind(g syntax.Grantee) string {
	if g.Kind == "" {
		return "user"
	}
	return g.Kind
}

// grantRoles is GRANT ROLE. A role is granted to users and to other roles.
func (t *translator) grantRoles(st *syntax.Grant) {
	for _, g := range st.To {
		if g.Kind != "" && g.Kind != "role" {
			t.refuse(codeInvalidGrant, "a role can only be granted to users and roles")
			return
		}
	}
	roles := make([]string, len(st.Privileges))
	for i, p := range st.Privileges {
		roles[i] = t.quote(t.needPrincipal("role", p.Name))
	}
	to := strings.Join(t.grantees(st.To), ", ")
	list := strings.Join(roles, ", ")
	switch {
	case st.Revoke && st.OptionOnly:
		t.run("REVOKE ADMIN OPTION FOR " + list + " FROM " + to)
	case st.Revoke:
		t.run("REVOKE " + list + " FROM " + to)
	case st.GrantOption:
		t.run("GRANT " + list + " TO " + to + " WITH ADMIN OPTION")
	default:
		t.run("GRANT " + list + " TO " + to)
	}
}

// grantSystem is a grant of what is on no object, which roles have; a few rights users have too.
func (t *translator) grantSystem(st *syntax.Grant) {
	t.superuserOnly("grant system privileges")
	users := optionSet("explain_rls ignore_rls explain_masking create_model")
	for _, p := range st.Privileges {
		for _, g := range st.To {
			if g.Kind != "role" && !users[strings.ReplaceAll(p.Name, " ", "_")] {
				t.refuse(codeInvalidGrant, "system privilege %s can only be granted to roles", strings.ToUpper(p.Name))
			}
		}
	}
	t.grantees(st.To)
	t.keepRights(st, st.Privileges, "", "system")
}

// grantKept is a grant that is only kept.
func (t *translator) grantKept(st *syntax.Grant) {
	t.grantees(st.To)
	for _, p := range st.Privileges {
		if !keptRights[st.Kind][p.Name] {
			t.refuse(codeInvalidGrant, "invalid privilege type %s for %s", strings.ToUpper(p.Name), st.Kind)
		}
	}
	for _, object := range st.Objects {
		name := object.Last().Text
		if st.Kind == "language" {
			name = t.name(object.Last())
			if !languages[name] {
				t.refuse(codeUndefinedObject, "language %q does not exist", name)
			}
		}
		t.keepRights(st, st.Privileges, name, st.Kind)
	}
}

// scopedRights are those of scoped permissions, by what they are for.
var scopedRights = map[string]map[string]bool{
	"schemas": optionSet("create usage alter drop all"), "tables": optionSet("select insert update delete drop alter references truncate all"),
	"functions": optionSet("execute all"), "procedures": optionSet("execute all"), "languages": optionSet("usage all"),
}

// grantScoped is GRANT … FOR objects IN a schema or a database: for those that are there and
// those to come (r_GRANT, scoped permissions). PostgreSQL is told of a schema's tables, and
// of those to come that the one makes who grants.
func (t *translator) grantScoped(st *syntax.Grant) {
	of, in, _ := strings.Cut(st.Kind, " in ")
	to := t.grantees(st.To)
	var carried []syntax.Privilege
	for _, p := range st.Privileges {
		if !scopedRights[of][p.Name] || len(p.Columns) > 0 {
			t.refuse(codeInvalidGrant, "invalid privilege type %s for %s", strings.ToUpper(p.Name), of)
		}
		if carriedRights["table"][p.Name] {
			carried = append(carried, p)
		}
	}
	n := st.Objects[0]
	if in == "database" || len(n) > 1 {
		t.grantObject("database", n[:1])
	}
	name := t.name(n.Last())
	t.keepRights(st, st.Privileges, name, st.Kind)
	if in == "database" {
		return
	}
	t.checkSchema(name)
	if of != "tables" || len(carried) == 0 || t.err != nil {
		return
	}
	rights := t.rights(carried, nil)
	t.run(t.grantWord(st) + rights + " ON ALL TABLES IN SCHEMA " + t.quote(name) + t.grantEnd(st, to))
	t.run("ALTER DEFAULT PRIVILEGES IN SCHEMA " + t.quote(name) + " " + t.grantWord(st) + rights + " ON TABLES" + t.grantEnd(st, to))
}

// languages are those that functions and procedures are written in.
var languages = optionSet("sql plpgsql plpythonu exfunc mlfunc")

// defaultPrivileges is ALTER DEFAULT PRIVILEGES (r_ALTER_DEFAULT_PRIVILEGES).
func (t *translator) defaultPrivileges(st *syntax.DefaultPrivileges) {
	t.plan.Tag = "ALTER DEFAULT PRIVILEGES"
	g := &st.Grant
	t.checkGrantOption(g)
	rights := carriedRights["table"]
	if g.Kind != "tables" {
		rights = carriedRights["all functions in schema"]
	}
	words := make([]string, len(g.Privileges))
	for i, p := range g.Privileges {
		if !rights[p.Name] || len(p.Columns) > 0 {
			t.refuse(codeInvalidGrant, "invalid privilege type %s for %s", strings.ToUpper(p.Name), g.Kind)
		}
		words[i] = strings.ToUpper(p.Name)
	}
	sql := "ALTER DEFAULT PRIVILEGES"
	for i, id := range st.For {
		sql += map[bool]string{true: " FOR ROLE ", false: ", "}[i == 0] + t.quote(t.needPrincipal("user", principalName(id)))
	}
	for i, name := range t.names(st.Schema) {
		t.checkSchema(name)
		sql += map[bool]string{true: " IN SCHEMA ", false: ", "}[i == 0] + t.quote(name)
	}
	object := map[string]string{"tables": "TABLES", "functions": "FUNCTIONS", "procedures": "ROUTINES"}[g.Kind]
	t.run(sql + " " + t.grantWord(g) + strings.Join(words, ", ") + " ON " + object + t.grantEnd(g, t.grantees(g.To)))
}
