package expression

import (
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Kind is a kind of values, or a set of kinds.
type Kind uint16

// The kinds of values.
const (
	Null   Kind = 1 << iota
	Bool        // true or false
	Number      // an exact rational number
	Double      // of 64 bits
	String
	Date      // days since 1970
	Timestamp // µs since 1970, in UTC
	List
	Map

	anything = document | Double | Date | Timestamp
	document = Bool | Number | String | List | Map // what JSON has, and items
	numeric  = Number | Double
	temporal = Date | Timestamp
)

var kindNames = []struct {
	kind Kind
	name string
}{
	{Null, "null"}, {Bool, "bool"}, {Number, "number"}, {Double, "double"}, {String, "string"},
	{Date, "date"}, {Timestamp, "timestamp"}, {List, "list"}, {Map, "map"},
}

// String names the kinds.
func (k Kind) String() string {
	switch {
	case k == anything:
		return "any value"
	case k&document == document:
		return "plain value"
	}
	var names []string
	for _, n := range kindNames {
		if k&n.kind != 0 && (n.kind != Null || k == Null) {
			names = append(names, n.name)
		}
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return strings.Join(names, "")
}

// Value is a value that expressions compute with. The zero Value is null. It may
// share memory with what it was made of.
type Value struct {
	kind Kind  // 0 = null
	n, d int64 // of lists and maps, n is how deep they nest
	s    string
	ref  any // *big.Rat of a number that n / d does not hold, []Value of a list, object of a map
}

// object is a map: its members, sorted by name.
type object []member

type member struct {
	name  string
	value Value
}

func (o object) get(name string) (Value, bool) {
	i := sort.Search(len(o), func(i int) bool { return o[i].name >= name })
	if i < len(o) && o[i].name == name {
		return o[i].value, true
	}
	return Value{}, false
}

// newObject sorts members; of two with one name, the later counts.
func newObject(members []member) object {
	sort.SliceStable(members, func(i, j int) bool { return members[i].name < members[j].name })
	kept := members[:0]
	for _, m := range members {
		if n := len(kept); n > 0 && kept[n-1].name == m.name {
			kept = kept[:n-1]
		}
		kept = append(kept, m)
	}
	return object(kept)
}

// Kind returns the value's kind.
func (v Value) Kind() Kind {
	if v.kind == 0 {
		return Null
	}
	return v.kind
}

// Text returns the value as a column of strings has it. It may share memory with
// what the value was made of.
func (v Value) Text() string {
	if v.kind == String {
		return v.s
	}
	return string(v.appendText(nil))
}

func (v Value) isNull() bool { return v.kind == 0 || v.kind == Null }

// BoolOf returns a bool.
func BoolOf(b bool) Value {
	if b {
		return Value{kind: Bool, n: 1}
	}
	return Value{kind: Bool}
}

// IntOf returns a whole number.
func IntOf(n int64) Value { return Value{kind: Number, n: n, d: 1} }

// StringOf returns a string, which is valid UTF-8.
func StringOf(s string) Value { return Value{kind: String, s: s} }

// TextOf returns a string that shares the memory of bytes, which are valid UTF-8.
func TextOf(b []byte) Value { return StringOf(textOf(b)) }

// DateOf returns a date of days since 1970.
func DateOf(days int32) Value { return Value{kind: Date, n: int64(days)} }

// TimestampOf returns a timestamp of µs since 1970, in UTC.
func TimestampOf(micros int64) Value { return Value{kind: Timestamp, n: micros} }

func doubleOf(f float64) Value { return Value{kind: Double, n: int64(math.Float64bits(f))} }

func listOf(all []Value) Value {
	v := Value{kind: List, n: 1, ref: all}
	for i := range all {
		v.n = max(v.n, all[i].depth()+1)
	}
	return v
}

func mapOf(o object) Value {
	v := Value{kind: Map, n: 1, ref: o}
	for i := range o {
		v.n = max(v.n, o[i].value.depth()+1)
	}
	return v
}

// slice returns a piece of a list.
func (v Value) slice(from, to int) Value {
	return Value{kind: List, n: v.n, ref: v.list()[from:to]}
}

// depth returns how deep lists and maps nest in the value.
func (v *Value) depth() int64 {
	if v.kind&(List|Map) == 0 {
		return 0
	}
	return v.n
}

func (v Value) bool() bool { return v.n != 0 }

func (v Value) double() float64 { return math.Float64frombits(uint64(v.n)) }

func (v Value) list() []Value {
	all, _ := v.ref.([]Value)
	return all
}

// Elements returns the elements of a list. They are not to be changed.
func (v Value) Elements() []Value { return v.list() }

func (v Value) object() object {
	o, _ := v.ref.(object)
	return o
}

// time returns a date or timestamp as package time has it.
func (v Value) time() time.Time {
	if v.kind == Date {
		return time.Unix(v.n*secondsPerDay, 0).UTC()
	}
	return time.UnixMicro(v.n).UTC()
}

// plainDecimals is how many decimals are written of a number that has no end.
const plainDecimals = 38

// appendText appends a value as text: what string gives, and a column of text gets.
func (v Value) appendText(dst []byte) []byte {
	switch v.Kind() {
	case Null:
		return append(dst, "null"...)
	case Bool:
		return strconv.AppendBool(dst, v.bool())
	case Number:
		return v.appendNumber(dst)
	case Double:
		return appendDouble(dst, v.double())
	case String:
		return append(dst, v.s...)
	case Date:
		return v.time().AppendFormat(dst, time.DateOnly)
	case Timestamp:
		return v.time().AppendFormat(dst, "2006-01-02T15:04:05.999999Z07:00")
	default:
		return appendJSON(dst, v)
	}
}

// appendNumber appends a number: all its decimals where they have an end.
func (v Value) appendNumber(dst []byte) []byte {
	if v.ref == nil && v.d == 1 {
		return strconv.AppendInt(dst, v.n, 10)
	}
	r := v.rat()
	decimals, ends := r.FloatPrec()
	if !ends {
		decimals = plainDecimals
	}
	return append(dst, r.FloatString(decimals)...)
}

// appendDouble appends the shortest digits that read as the same double, plain
// where JSON has them plain.
func appendDouble(dst []byte, f float64) []byte {
	if a := math.Abs(f); a == 0 || a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64)
}

// rat returns a number; it is not to be changed.
func (v Value) rat() *big.Rat {
	if r, ok := v.ref.(*big.Rat); ok {
		return r
	}
	return big.NewRat(v.n, v.d)
}

// At returns a character of a string or an element of a list; null = there is none.
func (v Value) At(i int) Value {
	found, _ := at(&machine{}, v, IntOf(int64(i)))
	return found
}
