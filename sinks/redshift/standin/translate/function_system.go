package translate

import (
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// systemFunctions are of r_System_administration_functions and r_System_information_functions.
var systemFunctions = map[string]function{
	"current_database":     {build: buildDatabase},
	"current_user_id":      {build: buildUserID},
	"current_user":         {build: buildWord("CURRENT_USER")},
	"session_user":         {build: buildWord("SESSION_USER")},
	"user":                 {build: buildWord("CURRENT_USER")},
	"current_setting":      {min: 1, max: 1, build: buildSetting},
	"set_config":           {min: 3, max: 3, takes: "tt.", to: "rs.set_config", gives: givesText},
	"version":              {build: buildSession(Type{Name: typeVarchar})},
	"db_collation":         {build: buildCollation},
	"pg_last_copy_count":   {build: buildSession(Type{Name: typeBigint})},
	"pg_last_copy_id":      {build: buildSession(Type{Name: typeInteger})},
	"pg_last_query_id":     {build: buildSession(Type{Name: typeBigint})},
	"pg_last_unload_count": {build: buildSession(Type{Name: typeBigint})},
	"pg_last_unload_id":    {build: buildSession(Type{Name: typeInteger})},
	"pg_backend_pid":       {gives: givesInteger},
	"pg_cancel_backend":    {min: 1, max: 1, to: "rs.pg_cancel_backend", gives: givesInteger},
	"pg_terminate_backend": {min: 1, max: 1, to: "rs.pg_terminate_backend", gives: givesInteger},
	"slice_num":            {build: buildZero},
}

// leaderFunctions run on the leader node only, on PostgreSQL 8.0: beside a user's table they
// are refused (c_SQL_functions_leader_node_only, c_unsupported-postgresql-functions). Those
// of newer versions, and those that no node runs, have noNode.
var leaderFunctions = mergeLeader(map[string]function{
	"current_schema":         {build: buildSchema},
	"current_schemas":        {min: 1, max: 1, to: "pg_catalog.current_schemas", gives: gives(Type{Name: "name" + arraySuffix})},
	"has_database_privilege": {min: 2, max: 3, build: buildDatabasePrivilege},
	"has_schema_privilege":   {min: 2, max: 3, gives: givesBoolean},
	"has_table_privilege":    {min: 2, max: 3, to: "rs.has_table_privilege", gives: givesBoolean},
	"age":                    {min: 1, max: 2, gives: gives(Type{Name: typeInterval})},
	"current_time":           {max: 1, build: buildWord("CURRENT_TIME")},
	"current_timestamp":      {max: 1, build: buildWord("CURRENT_TIMESTAMP")},
	"localtime":              {max: 1, build: buildWord("LOCALTIME")},
	"localtimestamp":         {max: 1, build: buildWord("LOCALTIMESTAMP")},
	"now":                    {gives: givesZoned},
	"isfinite":               {min: 1, max: 1, takes: "d", gives: givesBoolean},
	"statement_timestamp":    {gives: givesZoned},
	"transaction_timestamp":  {gives: givesZoned},
	"clock_timestamp":        {gives: givesZoned},
	"justify_days":           {min: 1, max: 1, gives: givesFirst},
	"justify_hours":          {min: 1, max: 1, gives: givesFirst},
	"justify_interval":       {min: 1, max: 1, gives: givesFirst},
	"bit_length":             {min: 1, max: 1, takes: "t", gives: givesInteger},
	"overlay":                {min: 3, max: 4, takes: "ttn", gives: givesText},
	"convert":                {min: 2, max: 3, takes: "t", gives: givesText},
	"width_bucket":           {min: 4, max: 4, takes: "n", gives: givesInteger},
	"setseed":                {min: 1, max: 1, takes: "n"},
	"generate_series":        {min: 2, max: 3, takes: "n", gives: givesFirst},

	"col_description":               {min: 2, max: 2, gives: givesText},
	"obj_description":               {min: 1, max: 2, gives: givesText},
	"format_type":                   {min: 2, max: 2, to: "rs.format_type", gives: givesText},
	"format_encoding":               {min: 1, max: 1, to: "rs.format_encoding", gives: givesText},
	"pg_get_constraintdef":          {min: 1, max: 2, to: "rs.pg_get_constraintdef", gives: givesText},
	"pg_get_expr":                   {min: 2, max: 3, build: buildExpr},
	"pg_get_indexdef":               {min: 1, max: 3, gives: givesText},
	"pg_get_userbyid":               {min: 1, max: 1, to: "rs.pg_get_userbyid"},
	"pg_get_viewdef":                {min: 1, max: 2, to: "rs.pg_get_viewdef", gives: givesText},
	"pg_table_is_visible":           {min: 1, max: 1, gives: givesBoolean},
	"pg_type_is_visible":            {min: 1, max: 1, gives: givesBoolean},
	"pg_function_is_visible":        {min: 1, max: 1, gives: givesBoolean},
	"pg_get_late_binding_view_cols": {to: "rs.pg_get_late_binding_view_cols"},
	"pg_client_encoding":            {build: buildClientEncoding},
	"array_to_string":               {min: 2, max: 2, gives: givesText},
	"array_lower":                   {min: 2, max: 2, gives: givesInteger},
	"array_upper":                   {min: 2, max: 2, gives: givesInteger},
	"array_dims":                    {min: 1, max: 1, gives: givesText},
}, []string{
	"string_agg", "array_agg", "every", "xml_agg", "xmlagg", "json_agg", "jsonb_agg", "corr", "covar_pop", "covar_samp",
	"regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy",
	"format", "quote_nullable", "regexp_matches", "regexp_split_to_array", "regexp_split_to_table", "convert_from", "convert_to",
	"div", "generate_subscripts", "unnest", "to_tsvector", "to_tsquery", "pg_relation_size", "pg_total_relation_size",
	"nextval", "currval", "lastval", "setval", "txid_current", "row_to_json", "to_json", "to_jsonb", "make_date", "make_timestamp",
	"concat_ws", "date_bin", "gen_random_uuid", "pg_advisory_lock", "pg_try_advisory_lock", "pg_advisory_unlock",
})

// mergeLeader marks functions as the leader node's, and adds those of no node.
func mergeLeader(list map[string]function, none []string) map[string]function {
	for name, f := range list {
		f.node = leaderNode
		list[name] = f
	}
	for _, name := range none {
		list[name] = function{max: -1, node: noNode}
	}
	return list
}

// buildWord is a function that SQL writes without parentheses.
func buildWord(word string) builder {
	types := map[string]string{
		"CURRENT_TIME": typeTimeTZ, "CURRENT_TIMESTAMP": typeTimestampTZ, "LOCALTIME": typeTime, "LOCALTIMESTAMP": typeTimestamp,
	}
	return func(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
		ty := Type{Name: types[word]}
		if ty.Name == "" {
			return value{sql: "CAST(" + word + " AS text)", typ: Type{Name: typeVarchar}}
		}
		if len(args) == 1 {
			return value{sql: word + "(" + args[0].sql + ")", typ: ty}
		}
		return value{sql: word, typ: ty}
	}
}

func buildDatabase(t *translator, _ *scope, _ *syntax.Call, _ []value) value {
	return value{sql: "CAST(" + literal(t.env.Database) + " AS text)", typ: Type{Name: typeVarchar}}
}

func buildSchema(*translator, *scope, *syntax.Call, []value) value {
	return value{sql: "CAST(pg_catalog.current_schema() AS text)", typ: Type{Name: typeVarchar}}
}

func buildClientEncoding(*translator, *scope, *syntax.Call, []value) value {
	return value{sql: "CAST(pg_catalog.pg_client_encoding() AS text)", typ: Type{Name: typeVarchar}}
}

// buildDatabasePrivilege is HAS_DATABASE_PRIVILEGE, of the session's database only: another's
// name is not PostgreSQL's.
func buildDatabasePrivilege(t *translator, _ *scope, c *syntax.Call, args []value) value {
	at := len(args) - 2
	name, ok := c.Args[at].(*syntax.String)
	if !ok || foldASCII(name.Value) != foldASCII(t.env.Database) {
		t.fail(unknownToStandin("has_database_privilege of another database"))
		return value{}
	}
	args[at].sql = "pg_catalog.current_database()"
	return value{sql: "pg_catalog.has_database_privilege(" + join(args) + ")", typ: Type{Name: typeBoolean}}
}

// buildExpr is PG_GET_EXPR: the catalog's views have the text already.
func buildExpr(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	return value{sql: "CAST(" + args[0].sql + " AS text)", typ: Type{Name: typeVarchar}}
}

// buildCollation is DB_COLLATION: no database is made with another one.
func buildCollation(*translator, *scope, *syntax.Call, []value) value {
	return value{sql: "CAST('case_sensitive' AS text)", typ: Type{Name: typeVarchar}}
}

func buildUserID(*translator, *scope, *syntax.Call, []value) value {
	return value{sql: "(SELECT CAST(u.usesysid AS integer) FROM rs.pg_user AS u WHERE u.usename = CURRENT_USER)", typ: Type{Name: typeInteger}}
}

func buildZero(*translator, *scope, *syntax.Call, []value) value {
	return value{sql: "0", typ: Type{Name: typeInteger}}
}

// buildSession is a function that the server answers.
func buildSession(ty Type) builder {
	return func(t *translator, _ *scope, c *syntax.Call, _ []value) value {
		name := t.name(c.Name.Last())
		if t.env.Session != nil {
			if answer, ok := t.env.Session(name); ok {
				t.volatile = true
				return value{sql: "CAST(" + literal(answer) + " AS " + ty.postgres() + ")", typ: ty}
			}
		}
		t.fail(unknownToStandin("function " + name))
		return value{}
	}
}

// buildSetting is CURRENT_SETTING of a name that is a literal.
func buildSetting(t *translator, _ *scope, c *syntax.Call, _ []value) value {
	name, ok := c.Args[0].(*syntax.String)
	if !ok {
		t.fail(unknownToStandin("current_setting of what is not a literal"))
		return value{}
	}
	answer, ok := "", false
	if t.env.Setting != nil {
		answer, ok = t.env.Setting(foldASCII(name.Value))
		t.volatile = true
	}
	if !ok {
		t.refuse(codeUndefinedObject, "unrecognized configuration parameter %q", name.Value)
	}
	return value{sql: "CAST(" + literal(answer) + " AS text)", typ: Type{Name: typeVarchar}}
}
