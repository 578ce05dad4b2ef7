// Package awstest gives tests AWS services: servers that others wrote, which run
// on loopback without Docker, and proxies that spoil the way to them. Nothing of
// it is in the binary.
//
// Each function that names a service starts one for the test alone, on a port of
// its own, returns when it answers, and ends it with the test; on Linux it ends
// with the process too, however that ends. Which server stands in is chosen by
// how near it comes to AWS in what tests ask:
//
//   - Kinesis: ferrokinesis. Fast; reshards by SplitShard and MergeShards as AWS
//     does, expires iterators, trims by retention. It tells no ChildShards, knows
//     no NextToken alone and no stream ARN without a name.
//   - KinesisMock: kinesis-mock. Tells ChildShards, pages ListShards by NextToken,
//     knows UpdateShardCount. Takes seconds to start, 170 MB and a few hundred
//     records a second: for some thousand records.
//   - MiniStack: DynamoDB with Streams of one shard, STS, and an S3 that gives back
//     storage class and encryption. Its Kinesis loses records when it reshards:
//     never use that.
//   - Dynoxide: dynoxide. A second DynamoDB, fast and small, with Streams of one shard
//     under a Region of its own: for tables, as those of leases, and as a second opinion.
//   - S3: versitygw. Checks signatures, checksums, sizes of parts and conditions.
//
// What is beside them: Proxy cuts, slows and half-opens connections; HTTPProxy
// loses answers, flips bytes, answers by itself, and records what is called. What no
// server plays is in fakes of our own: dynamodbtest, and kinesistest beside its source;
// awsfake is what they have in common. Package kcltest reads by Amazon's client library.
//
// The servers are installed by `make services` into a folder outside of the
// repository (.ci/services; STARLIFT_SERVICES names another), in the versions of
// install/versions. Where one can't be had its tests are skipped with the reason,
// but not in CI.
package awstest
