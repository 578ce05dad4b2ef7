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
// # How it is made
//
// A table holds its items in the order of the hashes of their partition keys (itemStore): so a scan's pages and
// segments, and the partitions that shards of a stream belong to, are ranges of it. Each write that changes
// something is one Change in a log of all tables; streams, the Kinesis destination and exports are views of
// that log, and share its images. All of it is under one lock, and what a request does is done at once.
//
// Sequence numbers have 21 digits and more, as the service's: their order is that of the numbers, not of the texts.
// Shards are listed in the order of their ids, so that a child may come before its parent.
//
// # What it sends and writes
//
// A destination's records are as people have published those of the service, sizes included. How the service makes
// their partition keys and event IDs is not documented; here each is an item's, or a change's, own. Duplicates
// and disorder are chance, by a seed (DestinationOptions).
//
// Exports are read from the log when they are finished: as of an instant, or, for incremental ones, what became of each item
// between two. An item that came and went within a window has no line there: windows that overlap lose deletions
// as surely as windows with a hole lose changes. The edges are blurred as the service's are (ExportOptions.Exact).
//
// # Where its behaviour comes from
//
// Facts are from the API references of DynamoDB and DynamoDB Streams
// (docs.aws.amazon.com/amazondynamodb/latest/APIReference), the developer guide, and the models of the SDKs. The
// conformance suite runs the same cases on other emulators, and says what each gets wrong. Clients that are none of
// ours use it: boto3 (ItemsByBoto3, and a tour of all it does), Amazon's adapter of its client library to streams
// (package adapter of the source). What none of
// them plays is our reading of the documents alone: shard trees, trims, the clock, limits, and what the knobs do.
//
// # What it is not
//
// It checks no signatures and no rights, has no indexes and no conditions from before expressions, which it refuses,
// knows no reserved words, and keeps its log for ever.
package dynamodbtest
