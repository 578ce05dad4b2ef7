package generate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// attributes are those of an item.
type attributes map[string]types.AttributeValue

// reader reads the lines of a form for those who send them.
type reader struct {
	changes bool     // lines are changes; else plain items
	keys    []string // the attributes of an item's primary key
}

// write is what a line does to an item.
type write struct {
	key  attributes // may hold more than the key
	item attributes // nil = it is deleted
}

// read reads a line.
func (r *reader) read(line []byte) (write, error) {
	if !r.changes {
		item, err := plainItem(line)
		return write{key: item, item: item}, err
	}
	var c struct {
		Dynamodb struct {
			Keys     map[string]json.RawMessage
			NewImage map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return write{}, fmt.Errorf("change: %w", err)
	}
	key, err := typedItem(c.Dynamodb.Keys)
	if err != nil || c.Dynamodb.NewImage == nil {
		return write{key: key}, err
	}
	item, err := typedItem(c.Dynamodb.NewImage)
	return write{key, item}, err
}

// partitionKeyMax is the length of partition keys in characters
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html).
const partitionKeyMax = 256

// partitionKey returns one text for each item, as DynamoDB has a partition key for each when it
// writes to Kinesis; which, it does not say.
func partitionKey(item attributes, keys []string) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = keyText(item[k])
	}
	text := strings.Join(parts, "|")
	if len(text) > partitionKeyMax {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	return text
}

// keyText returns the text of a key's attribute.
func keyText(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberB:
		return hex.EncodeToString(v.Value)
	}
	return ""
}

// plainItem reads an item of plain JSON.
func plainItem(line []byte) (attributes, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var plain map[string]any
	if err := d.Decode(&plain); err != nil {
		return nil, fmt.Errorf("item: %w", err)
	}
	item := attributes{}
	for name, v := range plain {
		item[name] = plainValue(v)
	}
	return item, nil
}

func plainValue(v any) types.AttributeValue {
	switch v := v.(type) {
	case string:
		return &types.AttributeValueMemberS{Value: v}
	case json.Number:
		return &types.AttributeValueMemberN{Value: v.String()}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case []any:
		list := &types.AttributeValueMemberL{Value: []types.AttributeValue{}}
		for _, e := range v {
			list.Value = append(list.Value, plainValue(e))
		}
		return list
	case map[string]any:
		m := &types.AttributeValueMemberM{Value: attributes{}}
		for name, e := range v {
			m.Value[name] = plainValue(e)
		}
		return m
	}
	return &types.AttributeValueMemberNULL{Value: true}
}

// typedItem reads an item of DynamoDB's JSON.
func typedItem(raw map[string]json.RawMessage) (attributes, error) {
	item := attributes{}
	for name, value := range raw {
		v, err := typedValue(value)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		item[name] = v
	}
	return item, nil
}

// typedValue reads a value of DynamoDB's JSON, of the types that sample data has.
func typedValue(raw json.RawMessage) (types.AttributeValue, error) {
	var v struct {
		S    *string
		N    *json.Number // in quotes or without
		BOOL *bool
		NULL *bool
		M    map[string]json.RawMessage
		L    []json.RawMessage
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	switch {
	case v.S != nil:
		return &types.AttributeValueMemberS{Value: *v.S}, nil
	case v.N != nil:
		return &types.AttributeValueMemberN{Value: v.N.String()}, nil
	case v.BOOL != nil:
		return &types.AttributeValueMemberBOOL{Value: *v.BOOL}, nil
	case v.NULL != nil:
		return &types.AttributeValueMemberNULL{Value: true}, nil
	case v.M != nil:
		m, err := typedItem(v.M)
		return &types.AttributeValueMemberM{Value: m}, err
	case v.L != nil:
		list := &types.AttributeValueMemberL{Value: []types.AttributeValue{}}
		for _, e := range v.L {
			one, err := typedValue(e)
			if err != nil {
				return nil, err
			}
			list.Value = append(list.Value, one)
		}
		return list, nil
	}
	return nil, fmt.Errorf("%s is no value of a known type", raw)
}

// missing returns the attributes of a key that an item does not have.
func missing(item attributes, keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return item[k] != nil })
}
