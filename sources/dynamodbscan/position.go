package dynamodbscan

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// position is a place in a segment, behind an item. As a text it is the cursor of a partition:
//
//	{"items":1200,"after":{"pk":{"S":"c1"},"sk":{"N":"7"}}}
type position struct {
	Items int64           `json:"items"` // that were read before it
	After json.RawMessage `json:"after"` // the key of the last of them; nil = there is none
}

func (p position) encode() []byte {
	b := fmt.Appendf(nil, `{"items":%d,"after":`, p.Items)
	if p.After == nil {
		b = append(b, "null"...)
	}
	return append(append(b, p.After...), '}')
}

// parsePosition reads a cursor. One that can't be read does not get into the error: it has the key of an
// item.
func parsePosition(cursor []byte) (p position, err error) {
	if len(cursor) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(cursor, &p); err != nil || p.Items < 0 {
		return p, errPosition
	}
	if bytes.Equal(p.After, []byte("null")) {
		p.After = nil
	}
	_, err = p.startKey()
	return p, err
}

var errPosition = fmt.Errorf("the cursor is none of a scan: the state folder is damaged, or of a newer version")

// startKey returns the key to go on behind, as a request has it; nil = at the first item.
func (p position) startKey() (map[string]types.AttributeValue, error) {
	if p.After == nil {
		return nil, nil
	}
	var attributes map[string]struct {
		S, N *string
		B    []byte
	}
	if err := json.Unmarshal(p.After, &attributes); err != nil || len(attributes) == 0 {
		return nil, errPosition
	}
	key := map[string]types.AttributeValue{}
	for name, v := range attributes {
		switch {
		case v.S != nil:
			key[name] = &types.AttributeValueMemberS{Value: *v.S}
		case v.N != nil:
			key[name] = &types.AttributeValueMemberN{Value: *v.N}
		case len(v.B) > 0:
			key[name] = &types.AttributeValueMemberB{Value: v.B}
		default:
			return nil, errPosition
		}
	}
	return key, nil
}
