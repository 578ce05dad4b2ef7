package decode

import "testing"

// TestUnit: how fine a time is, and whether only its digits say so.
func TestUnit(t *testing.T) {
	for _, c := range []struct {
		time, precision string
		unit            int64
		byDigits        bool
	}{
		{"1657238404999", "", 1000, false},
		{"1657238404000", "", 1000, false},
		{"1657238404000000", "", 1, false},
		{"1657238404000000", "MICROSECOND", 1, false},
		{"1657238404", "", 1_000_000, true},
		{"1657238404.0", "", 1_000_000, true},
		{"1657238404.25", "", 1000, true},
		{"1657238404.250001", "", 1, true},
		{`"1657238404000"`, "", 1000, false},
		{`"2022-07-08T00:00:04Z"`, "", 1_000_000, true},
		{`"2022-07-08T00:00:04Z"`, "MILLISECOND", 1000, false},
		{`"2022-07-08T00:00:04Z"`, "MICROSECOND", 1, false},
		{`"2022-07-08T00:00:04.1Z"`, "", 1000, true},
		{`"2022-07-08T00:00:04,123Z"`, "", 1000, true},
		{`"2022-07-08T00:00:04.000Z"`, "", 1000, true},
		{`"2022-07-08T00:00:04.123000Z"`, "", 1, true},
		{`"2022-07-08T00:00:04.000000+00:00"`, "", 1, true},
		{`"2022-07-08 00:00:04.5 +0000 UTC"`, "", 1000, true},
		{`"Fri, 08 Jul 2022 00:00:04 GMT"`, "", 1_000_000, true},
		{`"/Date(1657238404000)/"`, "", 1000, false},
		{`{"epochSecond":1657238404,"nano":0}`, "", 1_000_000, true},
		{`{"epochSecond":1657238404,"nano":999000000}`, "", 1000, true},
		{`{"epochSecond":1657238404,"nano":999123456}`, "", 1, true},
	} {
		record := `{"eventName":"INSERT","dynamodb":{"ApproximateCreationDateTime":` + c.time
		if c.precision != "" {
			record += `,"ApproximateCreationDateTimePrecision":"` + c.precision + `"`
		}
		var r Record
		if e := decodeOne(t, cdcFormat, Options{}, record+"}}", &r); e != "" || r.Unit != c.unit || r.ByDigits != c.byDigits {
			t.Errorf("%s %s: unit %d, by digits %v, %s", c.time, c.precision, r.Unit, r.ByDigits, e)
		}
	}
}
