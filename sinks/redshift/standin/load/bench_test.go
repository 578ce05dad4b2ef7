package load_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/parquetfile"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// wide are 12 columns of mixed types.
func wide() []load.Column {
	return []load.Column{
		col("id", schema.Bigint), col("n", schema.Integer), col("small", schema.Smallint), col("price", schema.Numeric, 18, 2), col("total", schema.Numeric, 38, 4),
		col("x", schema.Double), col("ok", schema.Boolean), col("name", schema.Varchar, 100), col("state", schema.Char, 2), col("day", schema.Date),
		col("at", schema.Timestamp), col("seen", schema.TimestampTZ),
	}
}

func wideRow(random *rand.Rand, i int) [][]byte {
	texts := []string{
		fmt.Sprint(i), fmt.Sprint(random.Int32()), fmt.Sprint(i % 1000), fmt.Sprintf("%d.%02d", random.IntN(1e6), random.IntN(100)),
		fmt.Sprintf("%d%018d.%04d", random.IntN(1e6), random.Int64N(1e18), random.IntN(1e4)), fmt.Sprint(random.Float64()), []string{"t", "f"}[i%2],
		fmt.Sprintf("customer %d of the street %d", random.IntN(1e6), random.IntN(1000)), "NY", fmt.Sprintf("20%02d-%02d-%02d", i%100, i%12+1, i%28+1),
		fmt.Sprintf("2024-01-%02d %02d:%02d:%02d.%06d", i%31+1, i%24, i%60, i%60, i%1e6), fmt.Sprintf("2024-01-%02d %02d:00:00+00", i%31+1, i%24),
	}
	row := make([][]byte, len(texts))
	for c, t := range texts {
		if random.IntN(20) > 0 {
			row[c] = []byte(t)
		}
	}
	return row
}

// BenchmarkCopyParquet loads a file of 200,000 rows of 12 columns.
func BenchmarkCopyParquet(b *testing.B) {
	const rows = 200_000
	var file bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2))
	w := parquetfile.NewWriter(&file, wide(), 32<<20)
	for i := range rows {
		if err := w.Append(wideRow(random, i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	c := newCloud(b, load.Options{})
	c.put("x.parquet", file.String())
	benchCopy(b, c, rows, file.Len(), load.CopyOptions{Source: "s3://lake/x", Format: load.Parquet})
}

// BenchmarkCopyCSV loads the same as CSV.
func BenchmarkCopyCSV(b *testing.B) {
	const rows = 200_000
	var file strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		file.Write(bytes.Join(wideRow(random, i), []byte(",")))
		file.WriteByte('\n')
	}
	c := newCloud(b, load.Options{})
	c.put("x.csv", file.String())
	benchCopy(b, c, rows, file.Len(), load.CopyOptions{Source: "s3://lake/x", Format: load.CSV})
}

func benchCopy(b *testing.B, c *cloud, rows, size int, o load.CopyOptions) {
	b.Helper()
	o.Columns = wide()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if result, err := c.loader.Copy(b.Context(), &o, io.Discard); err != nil || result.Rows != int64(rows) {
			b.Fatalf("%d rows, %v", result.Rows, err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
