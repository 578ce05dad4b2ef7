package filter

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
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
		marks, refusals := marked(changesFrom(t, where), all, nil)
		if marks != want || len(refusals) > 0 {
			t.Errorf("%s gives\n\t%s, want\n\t%s; %v", where, marks, want, refusals)
		}
	}
}

// marked returns what a filter makes of records in braces, which have marks if some are given.
func marked(c *Changes, records []string, marks []pipeline.Mark) (string, map[int]pipeline.Refusal) {
	r := &pipeline.Records{Source: "s", Format: &pipeline.Format{Encoding: pipeline.DynamoDBCDC, Table: "t"}}
	for _, record := range records {
		from := uint32(len(r.Data))
		r.Data = fmt.Append(r.Data, "{", record, "}")
		r.Spans = append(r.Spans, pipeline.Span{Start: from, End: uint32(len(r.Data))})
	}
	if marks == nil {
		marks = make([]pipeline.Mark, r.Len())
	}
	refusals := c.NewChangeMapper().Mark(r, marks)
	var got []string
	for _, m := range marks {
		got = append(got, [...]string{"passes", "gone", "refused", "left"}[m])
	}
	return strings.Join(got, " "), refusals
}

// TestConditionOfChanges: a change passes where an expression over its item is true. Where it
// can't be computed, on_error says what becomes of the change; a removal passes.
func TestConditionOfChanges(t *testing.T) {
	invoice := func(event, image, attributes string) string {
		return fmt.Sprintf(`"eventName": %q, "dynamodb": {"ApproximateCreationDateTime": 1, "Keys": {"id": {"S": "a"}}, %q: {"id": {"S": "a"}%s}}`, event, image, attributes)
	}
	const (
		open   = `, "total": {"N": "10"}, "paid": {"N": "4"}`
		paid   = `, "total": {"N": "10"}, "paid": {"N": "10.0"}`
		broken = `, "total": {"N": "10"}, "paid": {"S": "all"}`
	)
	all := []string{invoice("INSERT", "NewImage", open), invoice("MODIFY", "NewImage", paid), invoice("INSERT", "NewImage", ""), invoice("INSERT", "NewImage", broken),
		invoice("REMOVE", "OldImage", paid), invoice("REMOVE", "OldImage", broken), `"eventName": "REMOVE", "dynamodb": {"ApproximateCreationDateTime": 1, "Keys": {"id": {"S": "a"}}}`}
	filter := func(onError string) *Changes {
		t.Helper()
		c, err := NewChanges("owed", Config{Where: spec.Any{Value: map[string]any{"$expr": "total > paid"}}, OnError: onError})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const message = `filter owed, where: $expr: total > paid with total = 10, paid = "all": type mismatch: comparison of number and string: make a number of the string by decimal(…), or a string of the number by string(…)`
	for onError, want := range map[string]string{
		"":     "passes gone gone refused gone passes passes",
		"drop": "passes gone gone gone gone passes passes",
		"fail": "passes gone gone refused gone passes passes",
	} {
		marks, refusals := marked(filter(onError), all, nil)
		if marks != want {
			t.Errorf("on_error %q gives\n\t%s, want\n\t%s", onError, marks, want)
		}
		if wanted := (pipeline.Refusal{Node: "owed", Message: message, Fatal: onError == "fail"}); onError != "drop" && refusals[3] != wanted || len(refusals) > 1 {
			t.Errorf("on_error %q refuses %+v, want\n\t%+v", onError, refusals, wanted)
		}
	}
	gone := make([]pipeline.Mark, len(all))
	gone[3] = pipeline.FilteredOut
	if marks, refusals := marked(filter(""), all, gone); marks != "passes gone gone gone gone passes passes" || len(refusals) > 0 {
		t.Errorf("behind another filter: %s, %v", marks, refusals)
	}
	hidden := filter("")
	hidden.Mask([]decode.Path{{{Name: "paid"}}})
	if _, refusals := marked(hidden, all, nil); len(refusals) != 1 || strings.Contains(refusals[3].Message, "all") || strings.Contains(refusals[3].Message, "10") {
		t.Errorf("masked: %v", refusals)
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
