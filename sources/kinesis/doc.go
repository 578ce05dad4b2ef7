// Package kinesis reads change records from an Amazon Kinesis data stream, for ever.
//
// # Parts
//
// stream lists the shards of a data stream, as the partitions that pipeline/partitions reads
// side by side, parents before children; [Source] is what the engine sees of both. A reader
// reads one shard (reader.Read): it has its pager begin where it is (reader.seek), takes the next page
// (reader.nextPage), makes records of it (unpacker), and says when it wants to be asked again.
// position is a place in a shard, and, as a text, its cursor. All calls pass a transport,
// which ends those of which nothing comes any longer, and tells the clock the service's time.
//
// There are two pagers. A poller has an iterator, asks for each page, and keeps to what all readers of a
// shard share (awscall.Pace). A subscriber is sent pages, with a consumer of the stream's. Places, gaps,
// clocks and records are the reader's, and the same for both; so a stream may be read the one way today and the other tomorrow.
//
// # Subscriptions
//
// A subscription (SubscribeToShard) stays open between two reads. A goroutine waits for the beginning of the
// next event, and for nothing else: the read that finds it begun takes it (subscriber.event), in memory that the runner, or
// for what is above its allowance the stream (excess), has set aside. So what is sent and not taken yet waits in
// the connection, of which HTTP/2 keeps a window in memory (stream.connections), and stops the service. Thousands of shards cost a
// goroutine and a small buffer each, and there is never more than one subscription of a shard.
//
// It ends after five minutes, or at any time. The next one begins behind the continuation of the last event, and
// the reader passes over what it has had: nothing is missing and nothing comes twice, whatever a server makes of that number. A
// damaged frame, or a connection of which nothing has come for three heartbeats, is given up. An error within
// a subscription is taken as one of the call is. Where the service keeps an older subscription for some seconds, that is waited
// for; it is an error that is Retryable.
//
// An event says how far behind it was when it was made, which may be long before it is read. What is
// known of that time is when the subscription began, and, of an event that was waited for with nothing
// on the way, when the waiting began (answer.made).
//
// # Start
//
// At the first start of all every shard that is listed gets the same place to begin, which is
// saved before anything is read: the trim horizon; a time; or, for latest, the time at the
// service when the listing began. So what is written between that and the first read is
// read, also after a kill, and a shard that was split and is closed gives nothing that is
// older. Shards that appear later begin at their first record: what was written to their
// parents is read by then. Which start it was is never decided again.
//
// # Identity of a stream
//
// A stream that was deleted and made again has the same name, ARN, and ids of shards. So a
// partition's name holds, beside the shard, when the stream was made. Partitions of another time
// are a gap, and those of the new stream wait for them.
//
// # Gaps
//
// A shard's records are dropped when they are older than the retention, whether they were read
// or not, and reading goes on at the oldest one left without a word. So it is judged by time: the
// runner saves up to when a shard is known to be read, by the arrival of the last record, or, of an
// empty page, by how far behind the service says that it is; what came later and is older than
// the retention was missed (reader.trimmed). This is asked when a shard is opened and of every page
// before it is handed over. All times are the service's: our clock plays no part.
//
// A place that the service refuses is a gap too, and so is a shard that it does not know any longer
// and that was not read to its end. It is none that the last record of a shard is dropped which
// was read on since: reading goes on at the trim horizon then, passing over what was read.
//
// # Order
//
// Records of a shard are in the order of their sequence numbers, and a child's come after its
// parents': the ordinals of arrival (pipeline.Records.First) go on above theirs. Between shards
// there is none. So plain JSON with a key needs a version, unless all records of an item
// have the same partition key, which the pipeline file has to say.
//
// # Records
//
// A record's data is one change record. Where it is gzip it is decompressed; where it
// is an aggregate of the Kinesis Producer Library (package kpl) it holds several, which have
// their number in it as the second part of their position. One that can't be unpacked is handed
// over as it is, with the reason, and becomes a dead letter.
//
// Sources of facts: the API reference of Kinesis Data Streams
// (docs.aws.amazon.com/kinesis/latest/APIReference), its developer guide, and the rules that
// Amazon's own client library follows for reshards.
package kinesis
