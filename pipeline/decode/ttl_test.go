package decode

import (
	"fmt"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestTTLAttribute: a removal counts as one by time to live when the item's time was past, as in a replica Region, whose
// records do not say so.
func TestTTLAttribute(t *testing.T) {
	const made = 1_714_564_800
	for _, c := range []struct {
		name, event, identity, old string
		want                       bool
	}{
		{"the service's", "REMOVE", `{"principalId":"dynamodb.amazonaws.com","type":"Service"}`, `{"id":{"S":"1"}}`, true},
		{"past", "REMOVE", `null`, `{"id":{"S":"1"},"expires":{"N":"1714564799"}}`, true},
		{"now", "REMOVE", `null`, `{"expires":{"N":"1714564800"},"id":{"S":"1"}}`, true},
		{"now, in digits of its own", "REMOVE", `null`, `{"id":{"S":"1"},"expires":{"N":"1.7145648E9"}}`, true},
		{"not yet", "REMOVE", `null`, `{"id":{"S":"1"},"expires":{"N":"1714564801"}}`, false},
		{"long past", "REMOVE", `null`, `{"id":{"S":"1"},"expires":{"N":"1"}}`, false},
		{"milliseconds", "REMOVE", `null`, `{"id":{"S":"1"},"expires":{"N":"1714564799000"}}`, false},
		{"too large", "REMOVE", `null`, `{"id":{"S":"1"},"expires":{"N":"1E100"}}`, false},
		{"a text", "REMOVE", `null`, `{"id":{"S":"1"},"expires":{"S":"1714564799"}}`, false},
		{"none", "REMOVE", `null`, `{"id":{"S":"1"}}`, false},
		{"no old image", "REMOVE", `null`, `null`, false},
		{"another event", "MODIFY", `null`, `{"id":{"S":"1"},"expires":{"N":"1714564799"}}`, false},
	} {
		record := fmt.Appendf(nil, `{"eventName":%q,"userIdentity":%s,"dynamodb":{"ApproximateCreationDateTime":1.7145648E9,"Keys":{"id":{"S":"1"}},"NewImage":{"id":{"S":"1"}},"OldImage":%s,"SequenceNumber":"1"}}`, c.event, c.identity, c.old)
		for _, attribute := range []string{"", "expires"} {
			// Whoever reads the attribute too has it as ever.
			for _, old := range []*Projection{nil, NewProjection([]Path{{{Name: "expires"}}}, true)} {
				d := NewDecoder(&pipeline.Format{Encoding: pipeline.DynamoDBCDC, Table: "t", TTLAttribute: attribute}, Options{Old: old, Identity: true})
				var r Record
				if err := d.Decode(record, &r); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				if want := c.want && (attribute != "" || c.name == "the service's"); r.TTL != want || r.Created != made*1_000_000 || old != nil && len(r.Old) != 1 {
					t.Errorf("%s, with attribute %q: TTL %v at %d, %d values", c.name, attribute, r.TTL, r.Created, len(r.Old))
				}
			}
		}
	}
}
