// Package dynamodbscan reads the items of a DynamoDB table once, by a parallel scan.
//
// # Parts
//
// table is the table whose segments are the partitions that pipeline/partitions reads side by side;
// [Source] is what the engine sees of both. A reader reads one segment, page by page (reader.Read), at the pace
// that the budget of read capacity allows which all share (awsapi.ReadCapacity).
//
// # What a scan is fixed by
//
// At the first start of all, the number of segments and the time are decided. They are in
// the names of the partitions, with the id of the table (scan.partitionName): these are saved together,
// before any item or with the first, so a scan that goes on after a restart is the same scan. It keeps its
// number of segments, whatever the file says by then. A table that was deleted and made again
// under the same name has another id, and a scan of the other does not go on in it.
//
// # Versions
//
// A scan is no snapshot: each item is as it was at some time during it. So all items have
// the time at which the scan began, by the service's clock, less five minutes, as their version, and any
// change since then wins, whether it was read before or comes later. An item that was deleted before its
// place was read is not in the scan, and nothing else of a scan says that items are gone.
//
// Streams tell times in whole seconds, Kinesis in ms or µs, and this one is in µs. Where inputs differ, times
// are compared at the coarsest: five minutes are more than all of these.
//
// # Places
//
// Items are in the order of the hashes of their partition keys, and of their sort keys below. Where an item is
// never changes, so a scan that goes on behind one has each item once, and misses none that was
// there all the while. The cursor of a segment is the key of the last item that was read, whether that is still
// there or not, and how many were.
//
// # Records
//
// The text of an item goes to the decoder as it stands in the answer, as a line of an export
// ({"Item": …}): it never becomes a value of the SDK's.
//
// Sources of facts: the API reference of DynamoDB (Scan, DescribeTable), and the developer guide (Scanning tables,
// Read consistency, Read capacity units).
package dynamodbscan
