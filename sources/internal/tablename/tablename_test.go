package tablename

import (
	"strings"
	"testing"
)

// TestParse: names and ARNs, and what is neither.
func TestParse(t *testing.T) {
	for text, want := range map[string]Table{
		"shop": {Name: "shop"}, "a.b-c_9": {Name: "a.b-c_9"}, strings.Repeat("a", 255): {Name: strings.Repeat("a", 255)},
		"arn:aws:dynamodb:eu-central-1:123456789012:table/shop":     {"shop", "eu-central-1"},
		"arn:aws-cn:dynamodb:cn-north-1:123456789012:table/shop.v2": {"shop.v2", "cn-north-1"},
	} {
		if got, err := Parse(text); got != want || err != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{"": "table is missing", "ab": "3 to 255", "a b c": "3 to 255", strings.Repeat("a", 256): "3 to 255",
		"arn:aws:dynamodb:eu-central-1:123456789012:table/shop/index/by_code":                     "is no table",
		"arn:aws:dynamodb:eu-central-1:123456789012:table/shop/stream/2026-11-30T04:00:00.123":    "is no table",
		"arn:aws:kinesis:eu-central-1:123456789012:stream/shop":                                   "is no table",
		"arn:aws:dynamodb:eu-central-1:123456789012:table/shop/export/01234567890123-abcdef01234": "is no table",
	} {
		if got, err := Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// TestCheck: a region beside an ARN has to be the same.
func TestCheck(t *testing.T) {
	const arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/shop"
	for _, c := range []struct{ table, region, says string }{{"shop", "eu-central-1", ""}, {arn, "", ""}, {arn, "eu-central-1", ""}, {arn, "us-east-1", "eu-central-1: leave it out"}, {"?", "", "is no table"}} {
		if err := Check(c.table, c.region); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
