// Package page makes calls of GetRecords and SubscribeToShard, of whose answers it takes what a reader needs, in one
// pass and without an allocation for a record.
//
// # Why
//
// The SDK's own decoding makes, of each record, an object with several more behind pointers, and is most of what
// a reader spends on a record. Everything else of the SDK stays: [Get] calls its client, which
// signs, sends, and reads errors as ever; of a successful answer to this one operation it reads the body
// itself (awsapi.RawAnswer). The Go SDK speaks AWS JSON 1.1 to
// Kinesis, with data in base64; CBOR, which Java clients may use, it does not ask for.
//
// An event of a subscription has the members of such an answer, but for the iterator, in whose place it says where to
// subscribe again. The SDK makes objects of it too, and has one decoder for all subscriptions of a client, without
// a lock (smithy-go v1.28.9). So it is a [Page] too, which a [Subscription] reads from its frame: the checksums and headers are the
// SDK's to read (aws/protocol/eventstream), what is in them is ours.
//
// # Memory
//
// A [Page] holds the data of its records one behind the other in Data, which its user owns until
// Page.Free gives the memory back to a pool, for a later page. Sequence numbers and partition keys are pieces
// of one text, which is never reused. The body itself is in memory of the same pool only while
// it is read. All is bounded by what an answer may have, [MaxBody].
//
// # Strictness
//
// A body is JSON to its last byte, and has the members and types that the API has; unknown members
// are skipped, and of a member that is there twice the last counts. An answer that has no Records at all, or a record
// without a sequence number, is an error: an empty answer of something between us and the service must not
// look like the end of a shard, whose sign is that there is no iterator. A frame whose checksum does not fit is a [FrameError].
package page
