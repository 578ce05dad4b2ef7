package pipeline

import (
	"regexp"
	"strings"
	"testing"
)

// TestTypeAdvice: names of other systems lead to the type that holds the same, and
// the advice is a type that there is.
func TestTypeAdvice(t *testing.T) {
	for text, want := range map[string]string{
		"integer": "int32", "INT": "int32", "bigint": "int64", "int(11)": "int32", "int4": "int32", "INT64": "int64", "uint32": "int64",
		"text": "string", "varchar": "string", "char": "string", "varchar( 20 )": "varchar(20)", "VARCHAR (255)": "varchar(255)", "character varying(10)": "varchar(10)", "Char(2)": "char(2)", "UUID": "uuid", "guid": "uuid",
		"String": "string", "string(20)": "varchar(20)", "varchar(max)": "string", "nvarchar(MAX)": "string", "S": "string", "time without time zone": "time",
		"float": "double", "float64": "double", "real": "double", "double precision": "double",
		"boolean": "bool", "Boolean": "bool", "datetime": "timestamp", "TIMESTAMPTZ": "timestamptz", "timestamp(6)": "timestamp", "timestamp with time zone": "timestamptz", "DATE": "date",
		"bytes": "binary", "bytea": "binary", "jsonb": "json", "map": "json", "L": "json",
		"array<string>": "list(string)", "text[]": "list(string)", "int[3]": "list(int32)", "ARRAY<NUMERIC(10, 2)>": "list(decimal(10,2))", "[]string": "list(string)", "list<map>": "json", "array<array<int>>": "json", "list(text)": "list(string)",
		"list(int)": "list(int32)", "List(string)": "list(string)", "set[uuid]": "list(uuid)", "bytea[]": "json", "SS": "list(string)", "varchar(10)[]": "list(varchar(10))",
		"numeric(10,4)": "decimal(10,4)", "NUMBER(12, 2)": "decimal(12,2)", "Decimal(12,2)": "decimal(12,2)", "number(9)": "decimal(9)",
	} {
		if got := TypeAdvice(text); got != didYouMean(want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"number": "write int64 for whole numbers, decimal(12,2)", "N": "write int64", "decimal": "as in decimal(12,2)", "numeric": "as in decimal(12,2)", "Decimal": "as in decimal(12,2)", "money": "as in decimal(12,2)",
		"array": "as in list(string)", "List": "as in list(string)", "NS": "as in list(int64)", "list(number)": "write int64", "decimal[]": "as in decimal(12,2)",
	} {
		if got := TypeAdvice(text); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "strng", "varchar(0)", "char(x)", "decimal(39,2)", "decimal(x)", "number(99)", "foo(1)", "a b c", "decimal(12,2", "list(foo)", "foo[]", "[]"} {
		if got := TypeAdvice(text); got != "" {
			t.Errorf("%s: %s", text, got)
		}
	}
	named := regexp.MustCompile(`"([^"]*)"`)
	for other := range otherTypes {
		if _, err := ParseType(other); err == nil {
			t.Errorf("%s is a type", other)
		}
		if _, err := ParseType(named.FindStringSubmatch(TypeAdvice(other))[1]); err != nil {
			t.Errorf("%s: %v", other, err)
		}
	}
}
