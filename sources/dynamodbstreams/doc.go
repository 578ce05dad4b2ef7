// Package dynamodbstreams reads the stream of a DynamoDB table (DynamoDB Streams), for ever.
//
// A [Stream] lists the shards of a table's streams as the partitions that pipeline/partitions reads
// side by side, parents before children; [Source] is what the engine sees of both.
//
// # Streams of a table
//
// A table whose stream is disabled and enabled again has a new one, with another ARN; the
// old one is readable for 24 hours. A partition's name holds the stream's label beside the
// shard, and the first shards of a new stream have the last ones of the old one as their
// parents.
package dynamodbstreams
