// Package dynamodbscan reads the items of a DynamoDB table once, by a parallel scan.
//
// A scan's segments are the partitions that pipeline/partitions reads side by side, each with
// the key of the last item as its cursor. All share a budget of read capacity.
//
// A scan is no snapshot: each item is as it was at some time during it. So its items have
// the time at which the scan began, less five minutes, as their version, and any later change of a
// stream wins.
package dynamodbscan
