package kinesistest

import (
	"fmt"
	"strings"
)

// Change returns a change of so many bytes, or as few as there can be, as DynamoDB delivers it: of the
// item i of a customer, to measure with.
func Change(customer, i, size int) []byte {
	const head = `{"awsRegion":"eu-central-1","eventID":"%d-%d","eventName":"INSERT","userIdentity":null,"recordFormat":"application/json","tableName":"shop","dynamodb":` +
		`{"ApproximateCreationDateTime":%d,"Keys":{"PK":{"S":"CUST#%d"},"SK":{"S":"ORDER#%d"}},"NewImage":{"PK":{"S":"CUST#%d"},"SK":{"S":"ORDER#%d"},"type":{"S":"order"},"amount":{"N":"12.50"},"note":{"S":"`
	const tail = `"}},"SizeBytes":120},"eventSource":"aws:dynamodb"}`
	b := fmt.Appendf(nil, head, customer, i, 1700000000000+int64(i), customer, i, customer, i)
	if pad := size - len(b) - len(tail); pad > 0 {
		b = append(b, strings.Repeat("x", pad)...)
	}
	return append(b, tail...)
}
