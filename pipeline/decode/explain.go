package decode

import (
	"bytes"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// explain returns the mistake in a record with the attribute that it is in. The
// record is read again for that, so that what is right costs nothing.
func explain(e pipeline.Encoding, rec []byte, offset int, message string) *Error {
	err := &Error{Offset: offset, Message: message}
	elements, inItem := pathTo(rec, offset), true
	if e != pipeline.JSON {
		elements, inItem = attributePath(elements)
	}
	if len(elements) == 0 {
		return err
	}
	name := elements[len(elements)-1].Name
	if inItem {
		name = `"` + name + `"`
	}
	if path := elements.String(); path != elements[len(elements)-1].Name || !strings.Contains(message, name) { // else it is named already
		err.Path = path
	}
	return err
}

// imageNames are the members of records that hold items or keys.
var imageNames = []string{"Item", "Keys", "Key", "NewImage", "OldImage"}

// attributePath leaves out of the way to a place what DynamoDB's envelope and its
// types add: dynamodb.NewImage.address.M.zip.N is NewImage.address.zip. inItem
// says that it leads into an item or a key.
func attributePath(elements Path) (short Path, inItem bool) {
	at := 0
	for ; at < len(elements); at++ {
		if isImage(elements[at].Name) {
			break
		}
	}
	for i, s := range elements {
		switch {
		case i < at && strings.EqualFold(s.Name, "dynamodb"):
		case i > at && (i-at)%2 == 0 && !s.IsIndex: // a type
		case i > at && (i-at)%2 == 0: // an index where a type belongs: broken
			return append(short, s), true
		default:
			short = append(short, s)
		}
	}
	return short, at < len(elements)
}

func isImage(name string) bool {
	for _, image := range imageNames {
		if strings.EqualFold(name, image) {
			return true
		}
	}
	return false
}

// pathTo returns the way to a byte of a record, as far as the text before it
// tells: it may be broken anywhere from there on.
func pathTo(rec []byte, offset int) Path {
	var way Path // of the open objects and lists: the member or index that is read
	var named []bool
	want := false // a name comes next
	rec = rec[:min(offset, len(rec))]
	for i := 0; i < len(rec); i++ {
		top := len(way) - 1
		switch c := rec[i]; c {
		case '{', '[':
			way = append(way, PathElement{IsIndex: c == '['})
			named, want = append(named, c == '['), c == '{'
		case '}', ']':
			if top < 0 {
				return nil
			}
			way, named, want = way[:top], named[:top], false
		case ',':
			if top < 0 {
				return nil
			}
			if way[top].IsIndex {
				way[top].Index++
			} else {
				named[top], want = false, true
			}
		case '"':
			end := i + 1
			for end < len(rec) && rec[end] != '"' {
				if rec[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(rec) {
				end = len(rec)
			} else if want && top >= 0 {
				name, _ := appendUnescaped(nil, rec[i+1:end])
				way[top].Name, named[top], want = string(bytes.ToValidUTF8(name, []byte("?"))), true, false
			}
			i = end
		}
	}
	for len(way) > 0 && !named[len(way)-1] {
		way, named = way[:len(way)-1], named[:len(named)-1]
	}
	return way
}
