// Package pattern compiles event patterns as Amazon EventBridge has them, and
// matches them against undecoded items.
//
// A pattern is a map. Each key names a field by its document path, and holds
// either a list of tests, of which one must pass, or another pattern for the
// fields below. All keys of a map must match; the key $or holds a list of
// patterns of which one must match, the key $and one of patterns that all must.
// "address.country": [x] is the same as address: {country: [x]}. Keys that begin
// with $meta. look at the change instead of the item: event_name, event_id, table,
// created_at and arrived_at (RFC 3339 text in UTC) and ttl (a bool). The key $expr
// holds an expression over the item that must be true (see [Condition]); null is
// not. It is computed after the fields beside it, and only if they match.
//
// # Tests
//
//   - a string, a number, true, false or null: the value equals it. Numbers are
//     compared as decimals of any length: 1 matches 1.0 and 1e0;
//   - {prefix: x}, {suffix: x}: of a string; x may be {equals-ignore-case: y};
//   - {equals-ignore-case: x};
//   - {wildcard: x}: * stands for any text, \* for an asterisk;
//   - {anything-but: x}: the field is there with a plain value, and that value
//     does not match x: a value, a list of values, or one of the tests above,
//     whose operand may be a list here;
//   - {numeric: [">", 0, "<=", 5]}: a number within all bounds; = is allowed;
//   - {cidr: x}: a text that is an IP address of the network x, as 10.0.0.0/8 or
//     2001:db8::/32. What x has behind the mask does not count;
//   - {exists: true}, {exists: false}: the field is there, whatever its value;
//     NULL is there, and so are an empty list and a map.
//
// Of a test with several operators, {prefix: x, anything-but: y}, all must pass for
// one value, and so must all tests of {$and: [{wildcard: x}, {wildcard: y}]}. A list of
// tests that no value can fail, such as [{prefix: x}, {anything-but: xy}], is a mistake,
// and so are tests that no value can pass.
//
// # Values
//
// A list or set matches if one of its elements does, elements of lists in it
// included; the fields of a nested pattern must match within one element, and so must
// those of one map whose paths begin alike, lines.sku and lines.qty. An empty list has
// no element: only exists passes. A map is no plain value and only exists looks at it.
// A binary is its base64 text.
//
// So $and: [{lines: p}, {lines: q}] asks for an element like p and for one like q, and
// lines: {$and: [p, q]} for one that is like both.
//
// # Differences to EventBridge
//
// What EventBridge takes means the same here, but for these: exists looks at maps and
// empty lists too; a name of an item that has a dot in it is written in quotes;
// numbers are compared exactly at any size; texts are compared byte by byte, IP
// addresses too, unless cidr tests them; cidr does not look behind the mask of its
// network, and takes /32 and /128; a $or beside a nested pattern may be about another
// element than that, one in it is about the same; a $or of another shape is refused, and
// so is a key that stands twice; case is folded as Unicode does; patterns nest 64 deep.
// A number of an item is a number: numeric tests it, as it does not in a filter of a
// Lambda function, which sees DynamoDB's {"N": "42"}.
//
// What EventBridge refuses is taken where it has a meaning: numeric with any bounds,
// anything-but with each of the tests of text and with bools, null and values of
// several kinds, a $or of one pattern, wildcards of any number of asterisks. $and,
// $expr, $meta, indexes, and several operators in one test are not in EventBridge.
//
// # Cost
//
// A [Pattern] is compiled once. Its [Pattern.Paths] become slots of one pass
// over the record (package decode); a [Matcher] compares the bytes of the slots
// where they lie. Only strings with escapes are decoded, into a buffer that is
// used again. Lists are read element by element when a test asks for one.
package pattern

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline/decode"
)

// Pattern is a compiled event pattern. It is read-only and may be shared.
type Pattern struct {
	root       *conjunction
	paths      []decode.Path
	lists      [][]decode.Path // what is read of a list's elements, by field.list
	conditions []boundCondition
	text       string // as a pipeline file has it
}

// conjunction matches if all of its fields and conditions and one alternative of each
// choice do.
type conjunction struct {
	fields     []field
	choices    [][]*conjunction
	conditions []int // indexes into Pattern.conditions
}

// field tests one value, or, with below, the values below it.
type field struct {
	meta  metaField
	slot  int    // index into Pattern.paths
	tests []test // one must pass
	below *conjunction
	uses  []int // the slots an element of a list fills when the value is one
	list  int   // index into Pattern.lists: the path of each of uses within the element
}

// Paths returns the paths of the values that the pattern looks at, without
// repetitions. The caller must not change them.
func (p *Pattern) Paths() []decode.Path { return p.paths }

// Required reports, by path, whether nothing matches the pattern in which the path
// leads to nothing, in elements of lists on its way either: it is looked at in all
// cases, and not for being absent.
func (p *Pattern) Required() []bool {
	required := make([]bool, len(p.paths))
	p.root.markRequired(required)
	for _, i := range p.root.conditions {
		c := &p.conditions[i]
		for k, wanted := range c.Required() {
			required[c.slots[k]] = required[c.slots[k]] || wanted
		}
	}
	return required
}

func (c *conjunction) markRequired(required []bool) {
	for i := range c.fields {
		f := &c.fields[i]
		switch {
		case f.below != nil:
			f.below.markRequired(required)
		case f.meta == metaNone && !slices.ContainsFunc(f.tests, func(t test) bool { return t.passes(operand{kind: decode.Missing}, nil) }):
			required[f.slot] = true
		}
	}
}

// UsesMeta reports whether the pattern looks at the change's metadata.
func (p *Pattern) UsesMeta() bool {
	return p.root.usesMeta() || slices.ContainsFunc(p.conditions, func(c boundCondition) bool { return len(c.Meta()) > 0 })
}

func (c *conjunction) usesMeta() bool {
	for i := range c.fields {
		if f := &c.fields[i]; f.meta != metaNone || f.below != nil && f.below.usesMeta() {
			return true
		}
	}
	for _, choice := range c.choices {
		for _, alternative := range choice {
			if alternative.usesMeta() {
				return true
			}
		}
	}
	return false
}

// Meta is what a pattern can see of a change besides its item.
type Meta struct {
	EventName, EventID, Table []byte // nil = unknown
	Created, Arrived          int64  // µs since 1970; pipeline.NoTime = unknown
	TTL                       bool
}

type metaField uint8

const (
	metaNone metaField = iota
	metaEventName
	metaEventID
	metaTable
	metaCreated
	metaArrived
	metaTTL
)

// MetaPrefix begins the names of a change's metadata.
const MetaPrefix = "$meta."

var metaFields = map[string]metaField{
	"event_name": metaEventName, "event_id": metaEventID, "table": metaTable,
	"created_at": metaCreated, "arrived_at": metaArrived, "ttl": metaTTL,
}

// MetaNames lists the names of a change's metadata, for messages.
func MetaNames() []string {
	return []string{
		MetaPrefix + "event_name", MetaPrefix + "created_at", MetaPrefix + "arrived_at",
		MetaPrefix + "event_id", MetaPrefix + "table", MetaPrefix + "ttl",
	}
}
