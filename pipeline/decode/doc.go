// Package decode reads change records in one pass over their bytes.
//
// A [Projection] is a trie of the document paths that somebody wants. A scan
// walks a record once, checks every byte of it, follows the trie where a name
// leads into it, and notes in slots where the values found are, one for
// each path: no value is copied and nothing is allocated. A [Decoder] knows the
// envelope of a format around the images; its scanner goes from the envelope
// into the image and out again without reading a byte twice.
//
// [NewDecoder] and [Decoder.Decode] are where to begin. Decoder.decodeCDC,
// Decoder.decodeExport and Decoder.decodeJSON read one encoding each, and decide a record's
// version: Decoder.finishCDC (with scanner.creation for its time), Decoder.finishItem and
// Decoder.finishIncrement, and Decoder.plainVersion.
//
// # Strictness
//
// A record is taken only if it is one JSON value in valid UTF-8 (RFC 8259:
// escapes, numbers, no control characters in strings, no lone surrogates,
// nothing behind it), and an image no deeper than 64 levels of objects and
// lists. Images of
// the DynamoDB formats are checked to be DynamoDB JSON as well, whether their
// values are wanted or not: every value is an object with one member, whose
// name is a type; those wrappers do not count as levels. The same wanted name
// twice in one object is an error, since neither value can be preferred; so is
// a field of the envelope that is used and occurs twice. What a record is taken
// or refused for does not depend on who reads it, except that a repeated name
// is seen by those who want it, and a missing part by those who need it.
//
// # Numbers and strings
//
// Numbers stay text and never go through floating point. N may be a JSON
// string, with an optional plus sign, or a bare number. Strings stay escaped in
// the record; [AppendText] gives their text.
//
// # Envelopes
//
// A plain JSON record may be an envelope that has an item after a change and,
// below another path, before it (Debezium, AWS DMS). The image is the record as a
// whole; a path below the first has its counterpart below the second. A removal
// reads either, an old image the second; of a change that gives the item another
// key, the record says which item is gone (Record.Moved). What a record lacks to
// take effect, its key or version, is no mistake of the record as such
// (Record.Lacks): whom its item does not concern passes it over.
//
// # Items and versions
//
// [Decoder.Decode] decides a record's version: the time and the sequence number that its
// envelope has, or a column that the pipeline file names, and the hashes of its images
// (Record.Version).
//
// An item's key is written as canonical JSON: members sorted by name, strings
// with the fewest escapes, numbers normalised (1, 1.0 and 1e0 are 1), binaries
// as padded base64. The item's hash is taken from the logical table name and
// that text, so it is the same for one item in a stream, a full export and an
// incremental one. An image's hash depends neither on the order of attributes
// and set elements nor on spelling; it is kept in state, so its definition in
// hash.go may not change.
package decode
