package pipeline

import (
	"fmt"
	"regexp"
	"strings"
)

// otherTypes are names that other systems have for our types: SQL, programming
// languages, and DynamoDB.
var otherTypes = map[string]string{
	"integer": "int32", "int": "int32", "int4": "int32", "mediumint": "int32", "serial": "int32", "uint16": "int32", "smallint": "int32", "int2": "int32", "int16": "int32",
	"tinyint": "int32", "short": "int32", "byte": "int32", "uint8": "int32",
	"bigint": "int64", "hugeint": "int64", "int8": "int64", "long": "int64", "uint": "int64", "uint32": "int64", "uint64": "int64", "unsigned": "int64", "bigserial": "int64",
	"text": "string", "varchar": "string", "varchar2": "string", "nvarchar": "string", "char": "string", "nchar": "string", "character": "string",
	"character varying": "string", "bpchar": "string", "str": "string", "utf8": "string", "clob": "string", "citext": "string", "enum": "string", "s": "string",
	"guid": "uuid", "uniqueidentifier": "uuid", "interval": "string", "inet": "string", "xml": "string",
	"time without time zone": "time", "timetz": "time", "time with time zone": "time",
	"float": "double", "float4": "double", "float8": "double", "float32": "double", "float64": "double", "real": "double", "double precision": "double",
	"boolean": "bool", "bit": "bool", "logical": "bool",
	"datetime": "timestamp", "datetime2": "timestamp", "timestamp_tz": "timestamptz", "timestamp_ntz": "timestamp", "timestamp_ms": "timestamp", "timestamp_us": "timestamp",
	"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp", "instant": "timestamptz", "day": "date", "date32": "date",
	"bytes": "binary", "bytea": "binary", "blob": "binary", "varbinary": "binary", "b": "binary",
	"jsonb": "json", "variant": "json", "super": "json", "object": "json", "struct": "json", "record": "json", "map": "json",
	"m": "json", "l": "json", "ss": "list(string)", "bs": "json",
}

// lengthTypes are the names that other systems have for types with a length.
var lengthTypes = map[string]string{"varchar": "varchar", "varchar2": "varchar", "nvarchar": "varchar", "character varying": "varchar", "string": "varchar",
	"char": "char", "nchar": "char", "character": "char", "bpchar": "char"}

// anyNumber are names of numbers whose kind they do not say, and exactNumber of
// decimals.
var (
	anyNumber   = regexp.MustCompile(`^(number|num|n)$`)
	exactNumber = regexp.MustCompile(`^(decimal|numeric|number|dec|money|smallmoney|bignumeric|bigdecimal)$`)
)

// listTypes are types of lists as others write them, with the type of the elements.
var listTypes = regexp.MustCompile(`^(?:(?:array|list|set|sequence|repeated)\s*[<(\[]\s*(.+?)\s*[>)\]]|(.+?)\s*\[\d*\]|\[\](.+))$`)

// bareList are names of lists that say nothing of their elements, and bareNumbers of lists of numbers.
var (
	bareList    = regexp.MustCompile(`^(array|list|set|sequence)$`)
	bareNumbers = regexp.MustCompile(`^ns$`)
)

// unbounded are lengths that say there is none.
var unbounded = regexp.MustCompile(`^\s*(max|-1)\s*$`)

// typeArguments takes the name of a type and what stands in brackets behind it
// apart.
var typeArguments = regexp.MustCompile(`^([a-z0-9_ ]+?)\s*(?:\(([^)]*)\)|<.*>)?$`)

// TypeAdvice says what somebody may mean by a type that ParseType refuses; "" =
// nobody knows.
func TypeAdvice(text string) string {
	folded := strings.ToLower(strings.TrimSpace(text))
	if list := listTypes.FindStringSubmatch(folded); list != nil {
		return listAdvice(text, strings.Join(list[1:], ""))
	}
	parts := typeArguments.FindStringSubmatch(folded)
	if parts == nil {
		return ""
	}
	name, arguments := parts[1], parts[2]
	if withLength, ok := lengthTypes[name]; ok && arguments != "" {
		if unbounded.MatchString(arguments) {
			return didYouMean("string")
		}
		meant := fmt.Sprintf("%s(%s)", withLength, strings.TrimSpace(arguments))
		if _, err := ParseType(meant); err != nil || meant == text {
			return ""
		}
		return didYouMean(meant)
	}
	switch _, ours := kindNames[name]; {
	case bareList.MatchString(name) && arguments == "":
		return "write the type of its elements, as in list(string), or json where they are of several types"
	case bareNumbers.MatchString(name) && arguments == "":
		return "write the type of its elements, as in list(int64), list(decimal(12,2)) or list(double)"
	case ours && (name != text || arguments != ""):
		return didYouMean(name)
	case anyNumber.MatchString(name) && arguments == "":
		return "write int64 for whole numbers, decimal(12,2) for exact ones with a fraction, with their digits and those behind the point, or double for approximate ones"
	case exactNumber.MatchString(name) && arguments == "":
		return "write its digits and those behind the point, as in decimal(12,2)"
	case exactNumber.MatchString(name):
		meant := fmt.Sprintf("decimal(%s)", strings.ReplaceAll(arguments, " ", ""))
		if _, err := ParseType(meant); err != nil || meant == text {
			return ""
		}
		return didYouMean(meant)
	case otherTypes[name] != "":
		return didYouMean(otherTypes[name])
	}
	return ""
}

// listAdvice says what somebody may mean by a list of elements.
func listAdvice(text, element string) string {
	advice := TypeAdvice(element)
	if strings.HasPrefix(advice, didYouMeanPrefix) {
		element = advice[len(didYouMeanPrefix) : len(advice)-len(`"?`)]
	}
	parsed, err := ParseType(element)
	if err != nil {
		return advice
	}
	meant := fmt.Sprintf("list(%s)", parsed)
	if _, err := ParseType(meant); err != nil {
		meant = "json"
	}
	if meant == text {
		return ""
	}
	return didYouMean(meant)
}

// didYouMeanPrefix begins an advice that names a type.
const didYouMeanPrefix = `did you mean "`

func didYouMean(name string) string { return fmt.Sprintf("did you mean %q?", name) }
