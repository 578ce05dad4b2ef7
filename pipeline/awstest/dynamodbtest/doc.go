// Package dynamodbtest is a fake of Amazon DynamoDB for tests: what the servers that can be had do
// not play, over the same protocol (AWS JSON 1.0), so that any client uses it, Amazon's own
// included.
//
// It holds tables, their streams (a tree of shards that roll, time to live that deletes as the
// service does), sends changes to a Kinesis data stream as the service's own destination does
// (Server.Destination), and writes exports of an instant that has passed to S3, full and
// incremental, with their manifests. Its clock is the test's: Server.Advance moves it, and with
// it iterators, retention and time to live.
// Every write is logged (Server.Log): tests compare with that, or read the table with a client.
//
// Facts are from the API references of DynamoDB and DynamoDB Streams
// (docs.aws.amazon.com/amazondynamodb/latest/APIReference) and the developer guide. The
// conformance suite runs the same cases on other emulators, and says what each gets wrong.
package dynamodbtest
