package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// stringFunctions are of String_functions_header and the pages below it.
var stringFunctions = map[string]function{
	"ascii":              {min: 1, max: 1, takes: "t", gives: givesInteger},
	"bpcharcmp":          {min: 2, max: 2, takes: "t", to: "rs.bpcharcmp", gives: givesInteger},
	"btrim":              {min: 1, max: 2, takes: "t", gives: givesText},
	"bttext_pattern_cmp": {min: 2, max: 2, takes: "t", to: "rs.bttext_pattern_cmp", gives: givesInteger},
	"char_length":        {min: 1, max: 1, takes: "t", to: "rs.len", gives: givesInteger},
	"character_length":   {min: 1, max: 1, takes: "t", to: "rs.len", gives: givesInteger},
	"charindex":          {min: 2, max: 2, takes: "t", to: "rs.charindex", gives: givesInteger},
	"chr":                {min: 1, max: 1, takes: "n", gives: givesText},
	"collate":            {min: 2, max: 2, takes: "t", build: buildCollate},
	"concat":             {min: 2, max: 2, build: func(t *translator, _ *scope, _ *syntax.Call, a []value) value { return t.concat(a[0], a[1]) }},
	"crc32":              {min: 1, max: 1, takes: "t", to: "rs.crc32", gives: givesText},
	"difference":         {min: 2, max: 2, takes: "t", to: "rs.difference", gives: givesInteger},
	"initcap":            {min: 1, max: 1, takes: "t", gives: givesSameText},
	"left":               {min: 2, max: 2, takes: "tn", gives: givesSameText},
	"len":                {min: 1, max: 1, takes: "t", to: "rs.len", gives: givesInteger},
	"length":             {min: 1, max: 1, takes: "t", to: "rs.len", gives: givesInteger},
	"lower":              {min: 1, max: 1, takes: "t", gives: givesSameText},
	"lpad":               {min: 2, max: 3, takes: "tnt", gives: givesText},
	"ltrim":              {min: 1, max: 2, takes: "t", gives: givesSameText},
	"octet_length":       {min: 1, max: 1, takes: "t", build: buildOctetLength},
	"octetindex":         {min: 2, max: 2, takes: "t", to: "rs.octetindex", gives: givesInteger},
	"position":           {min: 2, max: 2, takes: "t", build: buildPosition},
	"quote_ident":        {min: 1, max: 1, takes: "t", gives: givesText},
	"quote_literal":      {min: 1, max: 1, takes: "t", gives: givesText},
	"regexp_count":       {min: 2, max: 4, takes: "ttnt", to: "rs.regexp_count", gives: givesInteger},
	"regexp_instr":       {min: 2, max: 6, takes: "ttnnnt", to: "rs.regexp_instr", gives: givesInteger},
	"regexp_replace":     {min: 2, max: 5, takes: "tttnt", to: "rs.regexp_replace", gives: givesText},
	"regexp_substr":      {min: 2, max: 5, takes: "ttnnt", to: "rs.regexp_substr", gives: givesText},
	"repeat":             {min: 2, max: 2, takes: "tn", gives: givesText},
	"replace":            {min: 3, max: 3, takes: "t", gives: givesText},
	"replicate":          {min: 2, max: 2, takes: "tn", to: "pg_catalog.repeat", gives: givesText},
	"reverse":            {min: 1, max: 1, takes: "t", gives: givesSameText},
	"right":              {min: 2, max: 2, takes: "tn", gives: givesSameText},
	"rpad":               {min: 2, max: 3, takes: "tnt", gives: givesText},
	"rtrim":              {min: 1, max: 2, takes: "t", gives: givesSameText},
	"soundex":            {min: 1, max: 1, takes: "t", to: "rs.soundex", gives: givesText},
	"split_part":         {min: 3, max: 3, takes: "ttn", to: "rs.split_part", gives: givesText},
	"split_to_array":     {min: 1, max: 2, takes: "t", to: "rs.split_to_array", gives: givesSuper},
	"strpos":             {min: 2, max: 2, takes: "t", gives: givesInteger},
	"strtol":             {min: 2, max: 2, takes: "tn", to: "rs.strtol", gives: givesBigint},
	"substr":             {min: 2, max: 3, takes: "tn", build: buildSubstring},
	"substring":          {min: 2, max: 3, takes: "tn", build: buildSubstring},
	"textlen":            {min: 1, max: 1, takes: "t", to: "rs.len", gives: givesInteger},
	"translate":          {min: 3, max: 3, takes: "t", gives: givesText},
	"trim":               {min: 1, max: 2, takes: "t", to: "pg_catalog.btrim", gives: givesSameText},
	"upper":              {min: 1, max: 1, takes: "t", gives: givesSameText},

	// Hash functions (hash-functions.html).
	"fnv_hash":  {min: 1, max: 2, to: "rs.fnv_hash", gives: givesBigint},
	"func_sha1": {min: 1, max: 1, takes: "t", to: "rs.func_sha1", gives: givesText},
	"md5":       {min: 1, max: 1, takes: "t", to: "rs.md5", gives: givesText},
	"sha":       {min: 1, max: 1, takes: "t", to: "rs.sha1", gives: givesText},
	"sha1":      {min: 1, max: 1, takes: "t", to: "rs.sha1", gives: givesText},
	"sha2":      {min: 2, max: 2, takes: "tn", to: "rs.sha2", gives: givesText},

	// Formatting (r_Data_type_formatting).
	"to_char":   {min: 2, max: 2, build: buildToChar},
	"to_number": {min: 2, max: 2, takes: "t", gives: gives(Type{Name: typeNumeric})},
}

// givesSameText is a text no longer than the first argument.
func givesSameText(args []value) Type { return Type{Name: typeVarchar, Length: args[0].typ.Length} }

// buildCollate is COLLATE(text, 'case_insensitive' | 'case_sensitive') (r_COLLATE): what is
// compared without case is compared in lower case.
func buildCollate(t *translator, _ *scope, c *syntax.Call, args []value) value {
	name, ok := c.Args[1].(*syntax.String)
	if !ok {
		t.refuseCall("collate", args)
		return value{}
	}
	switch foldASCII(name.Value) {
	case "case_insensitive", "ci":
		args[0].sql = "pg_catalog.lower(" + args[0].sql + ")"
	case "case_sensitive", "cs":
	default:
		t.refuse(codeInvalidParameter, "invalid collation name %q", name.Value)
	}
	return args[0]
}

// buildPosition is POSITION(a IN b): the parser gives a first.
func buildPosition(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	return value{sql: "pg_catalog.strpos(" + args[1].sql + ", " + args[0].sql + ")", typ: Type{Name: typeInteger}, label: "position"}
}

func buildSubstring(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	if args[0].typ.Name == typeVarbyte {
		return value{sql: "rs.substring(" + join(args) + ")", typ: args[0].typ, label: "substring"}
	}
	return value{sql: "pg_catalog.substr(" + join(args) + ")", typ: givesSameText(args), label: "substring"}
}

func buildOctetLength(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	to := "pg_catalog.octet_length("
	if args[0].typ.Name == typeVarbyte {
		to = "rs.octet_length("
	}
	return value{sql: to + args[0].sql + ")", typ: Type{Name: typeInteger}}
}

// buildToChar is TO_CHAR of a time, an interval or a number (r_TO_CHAR).
func buildToChar(t *translator, _ *scope, _ *syntax.Call, args []value) value {
	x := args[0]
	switch {
	case x.typ.Name == typeDate, x.typ.isText(), x.typ.Name == "" && strings.HasPrefix(x.sql, "'"):
		x.sql = "CAST(" + x.sql + " AS timestamp)"
	case x.typ.Name == typeSuper:
		x = superNumber(x)
	}
	return value{sql: "rs.to_char(" + x.sql + ", " + t.textOf(args[1]).sql + ")", typ: Type{Name: typeVarchar}, label: "to_char"}
}
