package decode

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// insuranceLines makes change records with a list of dependents.
func insuranceLines(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	lines := make([][]byte, n)
	for i := range lines {
		pk, at := fmt.Sprintf("CUSTOMER#CUST_%d", r.IntN(300000)), fmt.Sprintf("2022-07-08T%02d:%02d:%02dZ", r.IntN(24), r.IntN(60), r.IntN(60))
		sk := fmt.Sprintf("TRANSACTION#%s#CUST_%d", at, r.IntN(900000))
		var deps []byte
		for d := range r.IntN(4) {
			if d > 0 {
				deps = append(deps, ',')
			}
			deps = fmt.Appendf(deps, `{"M":{"sk":{"S":"CUSTOMER#%s#CUST_%d"},"pk":{"S":"%s"}}}`, at, r.IntN(900000), pk)
		}
		image := fmt.Sprintf(`{"completionDateTime":{"S":"%s"},"OutofPockPercent":{"N":"%d.%d"},"calculationRequirements":{"M":{"dependentIds":{"L":[%s]}}},"Event":{"S":"SAMPLE"},"Provider":{"S":"PV-%d"},"OutofPockAmount":{"N":"%d"},"lastCalculationDateTime":{"S":"2022-07-08T00:00:00Z"},"OutofPockMax":{"N":"9500"},"pk":{"S":"%s"},"sk":{"S":"%s"}}`,
			at, r.IntN(100), 1+r.IntN(9), deps, r.IntN(2000), r.IntN(9000), pk, sk)
		lines[i] = cdcLine("INSERT", "sample-dynamoDB", 1657238404999+i, fmt.Sprintf(`{"pk":{"S":"%s"},"sk":{"S":"%s"}}`, pk, sk), image, "")
	}
	return lines
}

// orderLines makes change records of an order's lines, half of them with an old image.
func orderLines(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	lines := make([][]byte, n)
	for i := range lines {
		pk, sk := fmt.Sprintf("ORD#%016x-%016x", r.Uint64(), r.Uint64()), fmt.Sprintf("PROD#%016x-%016x", r.Uint64(), r.Uint64())
		image := func() string {
			return fmt.Sprintf(`{"PK":{"S":"%s"},"SK":{"S":"%s"},"GSIPK":{"S":"%s"},"GSISK":{"S":"%s"},"type":{"S":"product"},"orderid":{"S":"%s"},"productid":{"S":"%s"},"productname":{"S":"Awesome Concrete Watch"},"category":{"S":"Sports"},"price":{"N":"%d.54"},"color":{"S":"navy"},"createdat":{"S":"2021-11-30T00:06:55Z"},"currency":{"S":"USD"}}`,
				pk, sk, pk, sk, pk[4:], sk[5:], r.IntN(500))
		}
		event, old := "INSERT", ""
		if i%2 == 0 {
			event, old = "MODIFY", image()
		}
		lines[i] = cdcLine(event, "ecommerce", 1709251200012+i, fmt.Sprintf(`{"PK":{"S":"%s"},"SK":{"S":"%s"}}`, pk, sk), image(), old)
	}
	return lines
}

func cdcLine(event, table string, time int, keys, newImage, oldImage string) []byte {
	if newImage != "" {
		newImage = `,"NewImage":` + newImage
	}
	if oldImage != "" {
		oldImage = `,"OldImage":` + oldImage
	}
	return fmt.Appendf(nil, `{"awsRegion":"us-east-1","eventID":"18852944-93a9-4ec6-a475-ea227bee8d5c","eventName":"%s","userIdentity":null,"recordFormat":"application/json","tableName":"%s","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":%s%s%s,"SizeBytes":440},"eventSource":"aws:dynamodb"}`,
		event, table, time, keys, newImage, oldImage)
}

func paths(names ...string) []Path {
	out := make([]Path, len(names))
	for i, n := range names {
		p, err := ParsePath(n)
		if err != nil {
			panic(err)
		}
		out[i] = p
	}
	return out
}

var (
	insurancePaths = paths("pk", "sk", "OutofPockPercent", "OutofPockAmount", "OutofPockMax", "Provider", "completionDateTime", "Event", "lastCalculationDateTime", "calculationRequirements.dependentIds")
	orderPaths     = paths("PK", "SK", "type", "orderid", "productid", "productname", "category", "price", "currency", "address.country")
)

func benchmark(b *testing.B, lines [][]byte, want []Path, old, settled bool) {
	o := Options{New: NewProjection(want, true), Identity: settled}
	if old {
		o.Old = o.New
	}
	d := NewDecoder(&pipeline.Format{Encoding: pipeline.DynamoDBCDC}, o)
	size := 0
	for _, l := range lines {
		size += len(l)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var r Record
	for b.Loop() {
		for _, l := range lines {
			if err := d.Decode(l, &r); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(lines)), "ns/record")
}

// lines returns generated lines, or those of the file that the variable names.
func lines(b *testing.B, variable string, generate func(int) [][]byte) [][]byte {
	name := os.Getenv(variable)
	if name == "" {
		return generate(2000)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(data, []byte{'\n'}), []byte{'\n'})
}

// The benchmarks take a file of real records in DECODE_INSURANCE and DECODE_ORDERS.
func BenchmarkInsurance(b *testing.B) {
	l := lines(b, "DECODE_INSURANCE", insuranceLines)
	b.Run("append", func(b *testing.B) { benchmark(b, l, insurancePaths, false, false) })
	b.Run("changes", func(b *testing.B) { benchmark(b, l, insurancePaths, true, false) })
	b.Run("settled", func(b *testing.B) { benchmark(b, l, insurancePaths, false, true) })
}

func BenchmarkOrders(b *testing.B) {
	l := lines(b, "DECODE_ORDERS", orderLines)
	b.Run("append", func(b *testing.B) { benchmark(b, l, orderPaths, false, false) })
	b.Run("changes", func(b *testing.B) { benchmark(b, l, orderPaths, true, false) })
	b.Run("settled", func(b *testing.B) { benchmark(b, l, orderPaths, true, true) })
}

func BenchmarkScanList(b *testing.B) {
	l := insuranceLines(1000)
	p := NewProjection(paths("calculationRequirements.dependentIds"), true)
	d := NewDecoder(&pipeline.Format{Encoding: pipeline.DynamoDBCDC}, Options{New: p})
	e := NewProjection(paths("sk", "pk"), true)
	var lists []Value
	size := 0
	for _, rec := range l {
		var r Record
		if err := d.Decode(rec, &r); err != nil {
			b.Fatal(err)
		}
		lists = append(lists, r.New[0])
		size += int(r.New[0].End - r.New[0].Start)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for i, v := range lists {
			if err := e.ScanList(l[i], v, func(int, []Value) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	}
}
