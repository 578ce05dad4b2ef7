package decode

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
)

// Event is what happened to an item.
type Event uint8

// The events.
const (
	Insert Event = iota + 1
	Modify
	Remove
)

// String returns the name that DynamoDB gives the event.
func (e Event) String() string { return [...]string{"", "INSERT", "MODIFY", "REMOVE"}[e] }

// Kind is the kind of a decoded value.
type Kind uint8

// The kinds. DynamoDB's NULL, an absent attribute, "" and [] are four different things.
const (
	Missing Kind = iota
	Null
	String
	Number
	Bool
	Binary
	Map
	List
	StringSet
	NumberSet
	BinarySet
)

var kindNames = [...]string{
	"missing", "null", "string", "number", "bool", "binary", "map", "list",
	"string set", "number set", "binary set",
}

// String returns the kind's name, for messages.
func (k Kind) String() string { return kindNames[k] }

// Value says where a value is in the record it was decoded from. The bytes
// are, by kind: String, Binary: what stands between the quotes, still escaped;
// Number: its digits, without quotes or plus sign; Bool: true or false; Map: a
// JSON object with braces, its values still typed in DynamoDB JSON; List and
// sets: a JSON array with brackets.
type Value struct {
	Kind       Kind
	Escaped    bool // a String has a backslash in it
	Start, End uint32
}

// Raw returns the value's bytes in rec.
func (v Value) Raw(rec []byte) []byte { return rec[v.Start:v.End] }

// Options say what a Decoder takes from a record. What is not asked for is
// checked to be well-formed and skipped.
type Options struct {
	New, Old *Projection // wanted paths of the images; nil = none
	Identity bool        // fill Item, Key and Version's hashes
}

// Record is a decoded change record. Its slices share the record's bytes or
// belong to the Decoder; they are valid until the next Decode.
type Record struct {
	Event          Event
	EventID, Table Value
	Unit           int64 // how fine Created is, in µs; 0 = it is no time of a clock
	ByDigits       bool  // only the digits of Created told Unit: other times of the source may have more
	Created        int64 // µs since 1970; pipeline.NoTime = unknown
	TTL            bool  // a deletion by time to live
	HasNew, HasOld bool
	// KeyOnly says of a removal that nothing of the item is known but its key: Old
	// holds what that gives. DynamoDB's are so without an old image; HasOld tells.
	KeyOnly  bool
	KeyNames [][]byte // of a removal: the attributes of the key; in plain JSON, document paths
	New, Old []Value  // one for each path of the projections; Missing without an image
	Item     pipeline.Hash
	Key      []byte
	Logical  string // logical name of the table that Item is of
	Version  pipeline.Version
	// Moved says that the change gave the item another key: what had WasKey before
	// is gone.
	Moved  bool
	Was    pipeline.Hash
	WasKey []byte
	// Lacks is why a record that is read can take no effect: its key or version is
	// missing, or of a kind that can't be one; nil = it has both. Whom its item does
	// not concern need not care.
	Lacks *Error
}

// Error is a mistake in a record.
type Error struct {
	Path    string // the attribute, as NewImage.address.zip; empty = it is in the record as such
	Offset  int    // byte in the record, from 0
	Message string
}

// Error returns the message with its offset.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s at byte %d", e.Message, e.Offset)
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	return text
}
