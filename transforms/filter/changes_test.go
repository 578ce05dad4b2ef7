package filter

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// changesFrom compiles a filter of changes.
func changesFrom(t *testing.T, where string) *Changes {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(where))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	c, err := NewChanges("f", Config{Where: spec.Any{Value: v}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestMarks: an item that does not pass is gone, and a removal is left out only if
// the filter is about who removed the item.
func TestMarks(t *testing.T) {
	const (
		insert     = `"eventName": "INSERT", "dynamodb": {"ApproximateCreationDateTime": 1, "Keys": {"id": {"S": "a"}}, "NewImage": {"id": {"S": "a"}, "type": {"S": "order"}}}`
		modify     = `"eventName": "MODIFY", "dynamodb": {"ApproximateCreationDateTime": 1, "Keys": {"id": {"S": "a"}}, "NewImage": {"id": {"S": "a"}, "type": {"S": "note"}}, "OldImage": {"id": {"S": "a"}, "type": {"S": "order"}}}`
		removed    = `"eventName": "REMOVE", "dynamodb": {"ApproximateCreationDateTime": 1, "Keys": {"id": {"S": "a"}}, "OldImage": {"id": {"S": "a"}, "type": {"S": "order"}}}`
		removedKey = `"eventName": "REMOVE", "dynamodb": {"ApproximateCreationDateTime": 1, "Keys": {"id": {"S": "a"}}}`
		ttl        = `"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}, `
		broken     = `"eventName": "REMOVE", "dynamodb": 1`
	)
	all := []string{insert, modify, removed, removedKey, ttl + removed, ttl + removedKey, broken}
	for where, want := range map[string]string{
		`{"type": ["order"]}`:                                "passes gone passes passes passes passes passes",
		`{"type": ["note"]}`:                                 "gone passes gone passes gone passes passes",
		`{"id": ["b"]}`:                                      "gone gone gone gone gone gone passes",
		`{"$meta.ttl": [false]}`:                             "passes passes passes passes left left passes",
		`{"$meta.ttl": [true]}`:                              "gone gone left left passes passes passes",
		`{"$meta.event_name": ["INSERT"]}`:                   "passes gone gone gone gone gone passes",
		`{"type": ["order"], "$meta": {"ttl": [false]}}`:     "passes gone passes passes left left passes",
		`{"$or": [{"$meta.ttl": [false]}, {"id": ["a"]}]}`:   "passes passes passes passes passes passes passes",
		`{"$or": [{"$meta.ttl": [false]}, {"type": ["x"]}]}`: "passes passes passes passes gone passes passes",
	} {
		r := &pipeline.Records{Source: "s", Format: &pipeline.Format{Encoding: pipeline.DynamoDBCDC, Table: "t"}}
		for _, record := range all {
			from := uint32(len(r.Data))
			r.Data = fmt.Append(r.Data, "{", record, "}")
			r.Spans = append(r.Spans, pipeline.Span{Start: from, End: uint32(len(r.Data))})
		}
		marks := make([]pipeline.Mark, r.Len())
		changesFrom(t, where).NewChangeMapper().Mark(r, marks)
		var got []string
		for _, m := range marks {
			got = append(got, [...]string{"passes", "gone", "left"}[m])
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s gives\n\t%s, want\n\t%s", where, s, want)
		}
	}
}

// TestWarningOfChanges: a filter of one kind of event is most likely not meant.
func TestWarningOfChanges(t *testing.T) {
	for where, want := range map[string]int{
		`{"$meta.event_name": ["INSERT"]}`: 1, `{"$meta.event_name": [{"anything-but": "MODIFY"}]}`: 1,
		`{"$meta.event_name": ["INSERT", "MODIFY"]}`: 0, `{"$meta.ttl": [false]}`: 0, `{"type": ["INSERT"]}`: 0,
	} {
		if got := changesFrom(t, where).Warnings(); len(got) != want {
			t.Errorf("%s: %v", where, got)
		}
	}
}
