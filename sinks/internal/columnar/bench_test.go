package columnar

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// insuranceColumns are those of a transaction's dependents.
var insuranceColumns = []pipeline.Column{
	{Name: "customer_id", Type: pipeline.Type{Kind: pipeline.String}},
	{Name: "transaction_id", Type: pipeline.Type{Kind: pipeline.String}},
	{Name: "dependent_id", Type: pipeline.Type{Kind: pipeline.String}},
	{Name: "outofpocket_max", Type: pipeline.Type{Kind: pipeline.Int64}},
	{Name: "outofpocket_percent", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 5, Scale: 2}},
	{Name: "outofpock_amount", Type: pipeline.Type{Kind: pipeline.Int64}},
	{Name: "provider", Type: pipeline.Type{Kind: pipeline.String}},
	{Name: "completion", Type: pipeline.Type{Kind: pipeline.Timestamp}},
	{Name: "event_name", Type: pipeline.Type{Kind: pipeline.String}},
}

// insurance returns rows like those of the insurance job, in batches.
func insurance(rows, batch int) []arrow.Record {
	rng := rand.New(rand.NewPCG(1, 2))
	var out []arrow.Record
	b := array.NewRecordBuilder(memory.DefaultAllocator, SchemaOf(insuranceColumns))
	defer b.Release()
	var customer, transaction string
	for i := range rows {
		if i%2 == 0 {
			second := 1657238400 + rng.Int64N(86400)
			customer = fmt.Sprintf("CUST_%d", rng.IntN(120000))
			transaction = fmt.Sprintf("TRANSACTION#2022-07-08T%02d:%02d:%02dZ#CUST_%d", second/3600%24, second/60%60, second%60, rng.IntN(900000))
		}
		b.Field(0).(*array.StringBuilder).Append(customer)
		b.Field(1).(*array.StringBuilder).Append(transaction)
		if rng.IntN(10) == 0 {
			b.Field(2).AppendNull()
		} else {
			b.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("CUSTOMER#2022-07-08T23:40:49Z#CUST_%d", rng.IntN(900000)))
		}
		b.Field(3).(*array.Int64Builder).Append(int64(1+rng.IntN(4)) * 5000)
		b.Field(4).(*array.Decimal128Builder).Append(decimal128.FromI64(int64(rng.IntN(10000))))
		b.Field(5).(*array.Int64Builder).Append(int64(rng.IntN(5000)))
		b.Field(6).(*array.StringBuilder).Append(fmt.Sprintf("PV-%d", rng.IntN(500)))
		b.Field(7).(*array.TimestampBuilder).Append(arrow.Timestamp((1657238400 + rng.Int64N(86400)) * 1e6))
		b.Field(8).(*array.StringBuilder).Append([]string{"INSERT", "MODIFY", "REMOVE"}[rng.IntN(3)])
		if (i+1)%batch == 0 || i == rows-1 {
			out = append(out, b.NewRecord())
		}
	}
	return out
}

// BenchmarkFile writes a million rows of nine columns.
func BenchmarkFile(b *testing.B) {
	records := insurance(1_010_000, 8192)
	for _, codec := range []Codec{Uncompressed, Snappy, Zstd} {
		b.Run([]string{"uncompressed", "snappy", "zstd"}[codec], func(b *testing.B) {
			enc, err := NewEncoder(insuranceColumns, Lake, codec)
			if err != nil {
				b.Fatal(err)
			}
			path := filepath.Join(b.TempDir(), "f.parquet")
			for b.Loop() {
				f, err := createFile(path, enc)
				if err != nil {
					b.Fatal(err)
				}
				for _, r := range records {
					if err := f.Write(r); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := f.Close(); err != nil {
					b.Fatal(err)
				}
			}
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(info.Size())/1e6, "MB")
			b.ReportMetric(1.01e6*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkBlock writes and reads the same rows as Arrow IPC.
func BenchmarkBlock(b *testing.B) {
	records := insurance(1_010_000, 8192)
	var buf []byte
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			var err error
			if buf, err = AppendBlock(buf[:0], SchemaOf(insuranceColumns), records); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(buf))/1e6, "MB")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if err := ReadBlock(buf, func(arrow.Record) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
