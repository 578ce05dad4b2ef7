// Package kpl reads and writes aggregates: Kinesis records of many user records, as the Kinesis
// Producer Library makes them.
//
// # Format
//
// An aggregate is four magic bytes, a protobuf message, and the message's MD5. The message has two tables of texts,
// the partition keys and the explicit hash keys, and the user records in their order, each with its
// data, indexes into the tables, and tags, which nobody uses. The format is published as "KPL Aggregated Record Format"
// (github.com/awslabs/amazon-kinesis-producer, aggregation-format.md). A user record is numbered within its
// aggregate, from 0 on: its sub-sequence number.
//
// # What is an aggregate, and what is a broken one
//
// What begins with the magic bytes is meant to be an aggregate: by chance, one of four billion random records begins
// so. If the MD5 does not fit, or the message can't be read, or a record names a key
// that is in no table, the whole is broken ([ErrBroken]): nothing of it is given out, since what is half right may
// be anything. Amazon's own client library (KCL) gives out what has a wrong MD5 or can't be read as it stands, as if
// it were a plain record; to a reader of JSON both are a record that can't be read, as a whole, with its bytes.
//
// Fields that are not known are skipped, in any order and number, as protobuf has it: of a field
// that may be there once, the last counts. An aggregate may have no user records. User records aren't
// looked into: one that is an aggregate in itself is given out as it is, by KCL too.
//
// # Records of other shards
//
// A producer aggregates what it believes to belong to one shard. After a reshard it may be wrong until it looks
// again. The producer library then sends again the user records whose hash keys are not of the shard that took
// them, or all of the aggregate while it does not know that shard (its retrier.cc). So whoever reads an aggregate with
// records of another shard ([Range.Contains] tells) may read some twice. KCL leaves the whole
// aggregate out if any of its records is one of another shard, as long as it knows the hash keys of the shard, which it
// often does not of one that was made while it runs. Other producers aggregate keys of all shards, and send
// nothing again: of theirs KCL loses records. Which is right depends on the producer, so this package decides
// nothing.
package kpl
