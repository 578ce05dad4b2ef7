package reference

import (
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestParquetTexts: UUIDs and times of the day are read as their texts, from what files store.
func TestParquetTexts(t *testing.T) {
	id := []byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0}
	for _, c := range []struct {
		node  parquet.Node
		value parquet.Value
		want  string
	}{
		{parquet.UUID(), parquet.FixedLenByteArrayValue(id), "123e4567-e89b-12d3-a456-426614174000"},
		{parquet.Time(parquet.Microsecond), parquet.Int64Value(86_399_999_999), "23:59:59.999999"},
		{parquet.Time(parquet.Millisecond), parquet.Int32Value(34_200_500), "09:30:00.5"},
		{parquet.Time(parquet.Nanosecond), parquet.Int64Value(0), "00:00:00"},
	} {
		f := fieldOf(c.node)
		if f == nil {
			t.Errorf("%s is no field", c.node)
		} else if got := string(f.text(c.value)); got != c.want {
			t.Errorf("%s is read as %s, want %s", c.node, got, c.want)
		}
	}
}
