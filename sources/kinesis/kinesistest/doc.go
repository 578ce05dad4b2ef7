// Package kinesistest is a fake of Amazon Kinesis Data Streams for tests: what the servers
// that can be had don't play, over the same protocol (AWS JSON 1.1), so that any client
// reads it, Amazon's own included.
//
// # What it is for
//
// A service that is well gives no occasion to test what a reader does when it is not, and
// the emulators leave out what is hard to meet by chance: child shards in the answer at
// a shard's end, empty pages with records still to come, throttled reads, shards that leave the
// list, thousands of shards. All of that is here, and most of it is a knob: Server.Inject
// makes calls fail, hang, or lose their answers; Server.Advance moves the clock, and with it
// iterators, tokens, records and closed shards, which expire as they would.
//
// # Where its behaviour comes from
//
// From the API reference of Kinesis Data Streams (docs.aws.amazon.com/kinesis/latest/APIReference), from
// error texts of the real service that other emulators recorded, and from those emulators: the
// conformance suite runs the same cases on them and on this. Every case says which of them is known to answer
// differently. Amazon's client library reads it too (package kcl). What none of them plays is our reading of
// the documents alone: limits of reads and writes, the clock, and what the knobs do.
//
// # What it is not
//
// It checks no signatures and no rights, and forgets everything with the process. Subscriptions
// (SubscribeToShard) come over HTTP/1.1 where a client does not ask for more. Records that retention has trimmed stay in memory, so that tests can compare.
package kinesistest
