package translate

import (
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// superFunctions are of super-functions and json-functions.
var superFunctions = map[string]function{
	"array":            {min: 0, max: -1, takes: "s", build: buildArray},
	"array_concat":     {min: 2, max: 2, takes: "s", to: "rs.array_concat", gives: givesSuper},
	"array_flatten":    {min: 1, max: 1, takes: "s", to: "rs.array_flatten", gives: givesSuper},
	"get_array_length": {min: 1, max: 1, takes: "s", to: "rs.get_array_length", gives: givesInteger},
	"split_to_array":   {min: 1, max: 2, takes: "t", to: "rs.split_to_array", gives: givesSuper},
	"subarray":         {min: 2, max: 3, takes: "sn", to: "rs.subarray", gives: givesSuper},
	"object":           {min: 0, max: -1, build: buildObject},

	"array_contains":        {min: 2, max: 3, takes: "ss.", to: "rs.array_contains", gives: givesBoolean},
	"array_distinct":        {min: 1, max: 1, takes: "s", to: "rs.array_distinct", gives: givesSuper},
	"array_except":          {min: 2, max: 2, takes: "s", to: "rs.array_except", gives: givesSuper},
	"array_intersection":    {min: 2, max: 2, takes: "s", to: "rs.array_intersection", gives: givesSuper},
	"array_position":        {min: 2, max: 2, takes: "s", to: "rs.array_position", gives: givesInteger},
	"array_positions":       {min: 2, max: 2, takes: "s", to: "rs.array_positions", gives: givesSuper},
	"array_sort":            {min: 1, max: 3, takes: "s.", to: "rs.array_sort", gives: givesSuper},
	"array_union":           {min: 2, max: 2, takes: "s", to: "rs.array_union", gives: givesSuper},
	"get_number_attributes": {min: 1, max: 1, takes: "s", to: "rs.get_number_attributes", gives: givesInteger},
	"lower_attribute_names": {min: 1, max: 1, takes: "s", to: "rs.lower_attribute_names", gives: givesSuper},
	"upper_attribute_names": {min: 1, max: 1, takes: "s", to: "rs.upper_attribute_names", gives: givesSuper},

	"decimal_precision": {min: 1, max: 1, takes: "s", to: "rs.decimal_precision", gives: givesInteger},
	"decimal_scale":     {min: 1, max: 1, takes: "s", to: "rs.decimal_scale", gives: givesInteger},
	"is_array":          {min: 1, max: 1, takes: "s", to: "rs.is_array", gives: givesBoolean},
	"is_bigint":         {min: 1, max: 1, takes: "s", to: "rs.is_bigint", gives: givesBoolean},
	"is_boolean":        {min: 1, max: 1, takes: "s", to: "rs.is_boolean", gives: givesBoolean},
	"is_char":           {min: 1, max: 1, takes: "s", to: "rs.is_char", gives: givesBoolean},
	"is_decimal":        {min: 1, max: 1, takes: "s", to: "rs.is_decimal", gives: givesBoolean},
	"is_float":          {min: 1, max: 1, takes: "s", to: "rs.is_float", gives: givesBoolean},
	"is_integer":        {min: 1, max: 1, takes: "s", to: "rs.is_integer", gives: givesBoolean},
	"is_object":         {min: 1, max: 1, takes: "s", to: "rs.is_object", gives: givesBoolean},
	"is_scalar":         {min: 1, max: 1, takes: "s", to: "rs.is_scalar", gives: givesBoolean},
	"is_smallint":       {min: 1, max: 1, takes: "s", to: "rs.is_smallint", gives: givesBoolean},
	"is_varchar":        {min: 1, max: 1, takes: "s", to: "rs.is_varchar", gives: givesBoolean},
	"json_size":         {min: 1, max: 1, takes: "s", build: buildJSONSize},
	"json_typeof":       {min: 1, max: 1, takes: "s", to: "rs.json_typeof", gives: givesText},

	"can_json_parse":                  {min: 1, max: 1, takes: "t", to: "rs.can_json_parse", gives: givesBoolean},
	"is_valid_json":                   {min: 1, max: 1, takes: "j", to: "rs.is_valid_json", gives: givesBoolean},
	"is_valid_json_array":             {min: 1, max: 1, takes: "j", to: "rs.is_valid_json_array", gives: givesBoolean},
	"json_array_length":               {min: 1, max: 2, takes: "j.", to: "rs.json_array_length", gives: givesInteger},
	"json_extract_array_element_text": {min: 2, max: 3, takes: "jn.", to: "rs.json_extract_array_element_text", gives: givesText},
	"json_extract_path_text":          {min: 2, max: 7, build: buildJSONPath},
	"json_parse":                      {min: 1, max: 1, takes: "t", to: "rs.json_parse", gives: givesSuper},
	"json_serialize":                  {min: 1, max: 1, takes: "s", to: "rs.json_serialize", gives: givesText},
}

// binaryFunctions are of varbyte-functions.
var binaryFunctions = map[string]function{
	"from_hex":     {min: 1, max: 1, takes: "t", to: "rs.from_hex", gives: givesVarbyte},
	"from_varbyte": {min: 2, max: 2, takes: ".t", to: "rs.from_varbyte", gives: givesText},
	"getbit":       {min: 2, max: 2, to: "rs.getbit", gives: givesInteger},
	"to_varbyte":   {min: 2, max: 2, takes: "t", to: "rs.to_varbyte", gives: givesVarbyte},
}

func buildJSONSize(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	return value{sql: "CAST(rs.json_size(" + args[0].sql + ") AS integer)", typ: Type{Name: typeInteger}}
}

// buildArray is ARRAY(…), of any values (r_array.html).
func buildArray(_ *translator, _ *scope, _ *syntax.Call, args []value) value {
	return value{sql: "rs.array(" + join(args) + ")", typ: Type{Name: typeSuper}, label: "array"}
}

// buildObject is OBJECT(key, value, …) (r_object_function.html).
func buildObject(t *translator, _ *scope, _ *syntax.Call, args []value) value {
	if len(args)%2 != 0 {
		t.refuseCall("object", args)
		return value{}
	}
	for i := range args {
		args[i] = toSuper(args[i])
	}
	return value{sql: "rs.object(" + join(args) + ")", typ: Type{Name: typeSuper}, label: "object"}
}

// buildJSONPath is JSON_EXTRACT_PATH_TEXT(json, key, … [, null_if_invalid]): up to five keys
// (JSON_EXTRACT_PATH_TEXT.html).
func buildJSONPath(t *translator, _ *scope, _ *syntax.Call, args []value) value {
	keys := args[1:]
	if last := len(keys) - 1; keys[last].typ.Name == typeBoolean {
		keys = keys[:last]
	}
	if len(keys) < 1 || len(keys) > 5 {
		t.refuseCall("json_extract_path_text", args)
		return value{}
	}
	if args[0].typ.Name == typeSuper {
		t.refuseCall("json_extract_path_text", args)
		return value{}
	}
	args[0] = t.accept('t', args[0])
	for i := range keys {
		keys[i] = t.accept('t', keys[i])
	}
	return value{sql: "rs.json_extract_path_text(" + join(args) + ")", typ: Type{Name: typeVarchar}, label: "json_extract_path_text"}
}
