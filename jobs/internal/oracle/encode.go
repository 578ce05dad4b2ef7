package oracle

import (
	"encoding/json"
	"fmt"
)

// TableName is the logical name of the table that all items are in.
const TableName = "app"

// CDC returns the change as DynamoDB delivers it through Kinesis, or, with a unit of a second, through
// its Streams. unit is that of its times where two inputs bring the writes of a table, in µs; 0 = only one does.
func (c *Change) CDC(unit int64) []byte {
	event := "MODIFY"
	switch {
	case c.New == nil:
		event = "REMOVE"
	case c.HasOld && c.Old == nil:
		event = "INSERT"
	}
	body := map[string]any{"ApproximateCreationDateTime": c.Time / 1000, "Keys": typed(c.Key)}
	if c.Time%1000 != 0 {
		body["ApproximateCreationDateTime"], body["ApproximateCreationDateTimePrecision"] = c.Time, "MICROSECOND"
	}
	record := map[string]any{"eventName": event, "tableName": TableName, "dynamodb": body}
	if unit != 0 {
		record["eventID"] = fmt.Sprintf("%d-%s-%d", unit, text(c.Key), c.Seq)
		body["ApproximateCreationDateTime"] = (c.Time + c.Finer) / unit
	}
	if unit == 1 {
		body["ApproximateCreationDateTimePrecision"] = "MICROSECOND"
	}
	if c.Seq != 0 && (unit == 0 || unit == second) {
		body["SequenceNumber"] = fmt.Sprintf("%03d", c.Seq)
	}
	c.images(body)
	if c.TTL {
		record["userIdentity"] = map[string]any{"type": "Service", "principalId": "dynamodb.amazonaws.com"}
	}
	return line(record)
}

// Increment returns the change as a line of an incremental export, with a time that
// is finer by some µs.
func (c *Change) Increment(finer int64) []byte {
	l := map[string]any{"Metadata": map[string]any{"WriteTimestampMicros": map[string]any{"N": fmt.Sprint(c.Time + c.Finer + finer)}}, "Keys": typed(c.Key)}
	c.images(l)
	return line(l)
}

// Item returns the new image as a line of a full export.
func (c *Change) Item() []byte { return line(map[string]any{"Item": typed(c.New)}) }

func (c *Change) images(into map[string]any) {
	if c.New != nil {
		into["NewImage"] = typed(c.New)
	}
	if c.HasOld && c.Old != nil {
		into["OldImage"] = typed(c.Old)
	}
}

func line(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
}

// typed writes the attributes as DynamoDB JSON.
func typed(m map[string]any) map[string]any {
	all := map[string]any{}
	for name, v := range m {
		all[name] = typedValue(v)
	}
	return all
}

func typedValue(v any) map[string]any {
	switch v := v.(type) {
	case nil:
		return map[string]any{"NULL": true}
	case string:
		return map[string]any{"S": v}
	case json.Number:
		return map[string]any{"N": v.String()}
	case bool:
		return map[string]any{"BOOL": v}
	case Set:
		return map[string]any{"SS": v}
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, typedValue(e))
		}
		return map[string]any{"L": list}
	case map[string]any:
		return map[string]any{"M": typed(v)}
	default:
		panic(fmt.Sprintf("no DynamoDB type for a %T", v))
	}
}
