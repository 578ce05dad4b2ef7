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
	steps, inItem := stepsTo(rec, offset), true
	if e != pipeline.JSON {
		steps, inItem = attribute(steps)
	}
	if len(steps) == 0 {
		return err
	}
	name := steps[len(steps)-1].Name
	if inItem {
		name = `"` + name + `"`
	}
	if path := steps.String(); path != steps[len(steps)-1].Name || !strings.Contains(message, name) { // else it is named already
		err.Path = path
	}
	return err
}

// images are the members of records that hold items or keys.
var images = []string{"Item", "Keys", "Key", "NewImage", "OldImage"}

// attribute leaves out of the way to a place what DynamoDB's envelope and its
// types add: dynamodb.NewImage.address.M.zip.N is NewImage.address.zip. inItem
// says that it leads into an item or a key.
func attribute(steps Path) (short Path, inItem bool) {
	at := 0
	for ; at < len(steps); at++ {
		if isImage(steps[at].Name) {
			break
		}
	}
	for i, s := range steps {
		switch {
		case i < at && strings.EqualFold(s.Name, "dynamodb"):
		case i > at && (i-at)%2 == 0 && !s.IsIndex: // a type
		case i > at && (i-at)%2 == 0: // an index where a type belongs: broken
			return append(short, s), true
		default:
			short = append(short, s)
		}
	}
	return short, at < len(steps)
}

func isImage(name string) bool {
	for _, image := range images {
		if strings.EqualFold(name, image) {
			return true
		}
	}
	return false
}

// stepsTo returns the way to a byte of a record, as far as the text before it
// tells: it may be broken anywhere from there on.
func stepsTo(rec []byte, offset int) Path {
	var way Path // of the open objects and lists: the member or index that is read
	var named []bool
	want := false // a name comes next
	rec = rec[:min(offset, len(rec))]
	for i := 0; i < len(rec); i++ {
		top := len(way) - 1
		switch c := rec[i]; c {
		case '{', '[':
			way = append(way, Step{IsIndex: c == '['})
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
