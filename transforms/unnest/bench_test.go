package unnest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

const insuranceTables = `
tables:
	transaction:
		explode: {from: calculationRequirements.dependentIds, as: dep, outer: true, ordinal: position}
		columns:
			customer_id: {from: pk, split: "#", part: 2}
			transaction_id: {from: sk}
			dependent_id: {from: dep.sk}
			position: {}
			outofpocket_max: {from: OutofPockMax, type: int64}
			outofpocket_percent: {from: OutofPockPercent, type: "decimal(5,2)"}
			outofpock_amount: {from: OutofPockAmount, type: int64}
			provider: {from: Provider}
			completion_datetime: {from: completionDateTime, type: timestamp}
			event_name: {from: $meta.event_name}`

const cdcTables = `
tables:
	customer:
		where: {type: [customer]}
		key: [username]
		columns:
			username: {}
			fullname: {}
			email: {}
			buildingnumber: {from: address.buildingnumber}
			street: {from: address.street}
			city: {from: address.city}
			country: {from: address.country}
			postcode: {from: address.postcode}
	order:
		where: {type: [order]}
		key: [orderid]
		columns: {username: {from: PK, after: "CUST#"}, orderid: {}, orderdate: {type: timestamp}, numberofitems: {type: int64}, amount: {type: "decimal(12,2)"}, status: {}}
	order_line:
		where: {type: [product]}
		key: [orderid, productid]
		columns: {orderid: {}, productid: {}, productname: {}, category: {}, price: {type: "decimal(12,2)"}, color: {}}`

// insuranceLine is like a record of an insurer's transactions, of about 960 bytes.
func insuranceLine(i int) string {
	return fmt.Sprintf(`{"awsRegion":"us-east-1","eventID":"9f0d8432-5454-41f8-b197-%012d","eventName":"INSERT","userIdentity":null,"recordFormat":"application/json","tableName":"sample-dynamoDB","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"pk":{"S":"CUSTOMER#CUST_%d"},"sk":{"S":"TRANSACTION#2022-07-08T23:40:49Z#CUST_85249"}},"NewImage":{"completionDateTime":{"S":"2022-07-08T23:40:49Z"},"OutofPockPercent":{"N":"64.62"},"calculationRequirements":{"M":{"dependentIds":{"L":[{"M":{"sk":{"S":"CUSTOMER#2022-07-08T23:40:49Z#CUST_647457"},"pk":{"S":"CUSTOMER#CUST_64837"}}},{"M":{"sk":{"S":"CUSTOMER#2022-07-08T23:40:49Z#CUST_647458"},"pk":{"S":"CUSTOMER#CUST_64837"}}}]}}},"Event":{"S":"SAMPLE"},"Provider":{"S":"PV-%d"},"OutofPockAmount":{"N":"%d"},"lastCalculationDateTime":{"S":"2022-07-08T00:00:00Z"},"OutofPockMax":{"N":"10000"},"pk":{"S":"CUSTOMER#CUST_%d"},"sk":{"S":"TRANSACTION#2022-07-08T23:40:49Z#CUST_85249"}},"SizeBytes":376},"eventSource":"aws:dynamodb"}`,
		i, 1657238400000+i, i%65536, i%2000, i%5000, i%65536)
}

// cdcLine is like a change of a shop's order line, every third with both images.
func cdcLine(i int) string {
	image := func(price int) string {
		id := fmt.Sprintf("c67b171c-eebd-4e91-9c74-%012d", i)
		return strings.ReplaceAll(`{"PK":{"S":"ORD#ID"},"SK":{"S":"PROD#ID"},"GSIPK":{"S":"ORD#ID"},"GSISK":{"S":"PROD#ID"},"type":{"S":"product"},"orderid":{"S":"ID"},"productid":{"S":"ID"},"productname":{"S":"Rustic Frozen Kettle"},"category":{"S":"Electronics"},"price":{"N":"`+
			fmt.Sprintf("%d.36", price)+`"},"color":{"S":"black"},"createdat":{"S":"2021-02-03T05:19:14Z"},"currency":{"S":"USD"}}`, "ID", id)
	}
	event, old := "INSERT", ""
	if i%3 == 0 {
		event, old = "MODIFY", `,"OldImage":`+image(i%100)
	}
	return fmt.Sprintf(`{"awsRegion":"us-east-1","eventID":"49e66e18-93d3-41a0-8211-%012d","eventName":"%s","userIdentity":null,"recordFormat":"application/json","tableName":"ecommerce","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"PK":{"S":"ORD#c67b171c-eebd-4e91-9c74-%012d"},"SK":{"S":"PROD#9c0be747-1284-444b-b2f5-e710b2c0e6fe"}},"NewImage":%s%s,"SizeBytes":470},"eventSource":"aws:dynamodb"}`,
		i, event, 1709251200000+i, i, image(i%1000), old)
}

func benchmark(b *testing.B, tables string, line func(i int) string, needs func(*Unnest) pipeline.Needs) {
	u := compiled(b, tables)
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = line(i)
	}
	r := records(cdcFormat, lines...)
	m := u.NewMapper(needs(u))
	b.SetBytes(int64(len(r.Data)))
	b.ReportAllocs()
	for b.Loop() {
		batch, err := m.Map(context.Background(), r)
		if err != nil || len(batch.DeadLetters) > 0 {
			b.Fatal(err, letters(batch))
		}
		batch.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(lines)), "ns/record")
}

func appends(u *Unnest) pipeline.Needs {
	n := everything(u)
	n.Deletes, n.Settled = nil, false
	return n
}

func logged(u *Unnest) pipeline.Needs {
	n := everything(u)
	n.Settled = false
	return n
}

func BenchmarkInsuranceAppend(b *testing.B) { benchmark(b, insuranceTables, insuranceLine, appends) }
func BenchmarkCDCAppend(b *testing.B)       { benchmark(b, cdcTables, cdcLine, appends) }
func BenchmarkCDCLog(b *testing.B)          { benchmark(b, cdcTables, cdcLine, logged) }
func BenchmarkCDCSettled(b *testing.B)      { benchmark(b, cdcTables, cdcLine, everything) }
