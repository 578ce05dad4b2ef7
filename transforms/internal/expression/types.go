package expression

import "github.com/starlift-etl/starlift/pipeline"

// Type is what is known of a value before it is there: its kinds, which leave
// out that any value may be null, and of a list its elements.
type Type struct {
	kinds Kind
	elem  *Type // nil = any
}

// Any is the type of a value of which nothing is known.
var Any = Type{kinds: anything}

// Document is the type of a value of an item, or of JSON.
var Document = Type{kinds: document}

func init() { Document.elem = &Document }

func one(k Kind) Type { return Type{kinds: k} }

func listType(elem Type) Type {
	return Type{kinds: List, elem: &elem}
}

func (t Type) element() Type {
	if t.elem == nil || t.kinds&List == 0 {
		return Any
	}
	return *t.elem
}

// inside returns the type of what stands in a value: under a name, or at an index.
func (t Type) inside() Type {
	switch {
	case t.sure(List) || t.elem == Document.elem:
		return t.element()
	case t.sure(String):
		return one(String)
	}
	return Any
}

// may reports whether a value of the type can be of one of the kinds, or is null.
func (t Type) may(k Kind) bool { return t.kinds&^Null&k != 0 || t.kinds == Null }

// sure reports whether the kinds are all that a value of the type can be of.
func (t Type) sure(k Kind) bool { return t.kinds&^(k|Null) == 0 }

// union returns what is one or the other.
func union(a, b Type) Type {
	u := Type{kinds: a.kinds | b.kinds}
	switch {
	case a.elem == b.elem:
		u.elem = a.elem
	case a.kinds&List == 0:
		u.elem = b.elem
	case b.kinds&List == 0:
		u.elem = a.elem
	case a.elem != nil && b.elem != nil:
		e := union(*a.elem, *b.elem)
		u.elem = &e
	}
	if u.kinds != Null {
		u.kinds &^= Null
	}
	return u
}

// TypeOf returns what the values of a column are.
func TypeOf(t pipeline.Type) Type {
	if t.Kind == pipeline.List {
		return listType(TypeOf(t.Element()))
	}
	switch t.Base() {
	case pipeline.Bool:
		return one(Bool)
	case pipeline.Int64, pipeline.Decimal:
		return one(Number)
	case pipeline.Double:
		return one(Double)
	case pipeline.Date:
		return one(Date)
	case pipeline.Timestamp:
		return one(Timestamp)
	default:
		return one(String)
	}
}

// The types of values that are not those of a column.
var (
	BoolType      = one(Bool)
	NumberType    = one(Number)
	StringType    = one(String)
	TimestampType = one(Timestamp)
)

// result says which kinds an operation gives of which two.
type result struct{ left, right, gives Kind }

var numbers = []result{{Number, Number, Number}, {Double, numeric, Double}, {Number, Double, Double}}

// results are the operators that compute.
var results = map[string][]result{
	"+":  append([]result{{String, String, String}, {Date, Number, Date}, {Number, Date, Date}, {Timestamp, Number, Timestamp}, {Number, Timestamp, Timestamp}}, numbers...),
	"-":  append([]result{{Date, Date, Number}, {Timestamp, Timestamp, Number}, {Date, Number, Date}, {Timestamp, Number, Timestamp}}, numbers...),
	"*":  numbers,
	"/":  numbers,
	"%":  numbers,
	"**": append([]result{{Number, Number, Double}}, numbers...), // of an exponent with a fraction
}

// gives returns the kinds that an operator may give; 0 = it is not for these.
func gives(op string, a, b Type) (kinds Kind) {
	if a.kinds == Null || b.kinds == Null {
		return Null
	}
	for _, r := range results[op] {
		if a.kinds&r.left != 0 && b.kinds&r.right != 0 {
			kinds |= r.gives
		}
	}
	return kinds
}

// comparable kinds can be compared with each other, and with no others.
var comparable = []Kind{numeric, String, Bool, Date, Timestamp, List, Map}

// canCompare reports whether values of two types can be compared: ordered, or
// for equality only.
func canCompare(a, b Type, equality bool) bool {
	if a.kinds == Null || b.kinds == Null {
		return true
	}
	for _, k := range comparable {
		if (equality || k&(List|Map) == 0) && a.kinds&k != 0 && b.kinds&k != 0 {
			return true
		}
	}
	return false
}
