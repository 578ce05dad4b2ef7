// Package s3 keeps objects in a bucket of S3, or of a server that speaks its protocol.
//
// # Making objects
//
// An object appears by one request: PutObject, or CompleteMultipartUpload where it has parts.
// Before, it is not there in part either. The names are the callers', and do not depend on the
// attempt; where one must not be replaced, the request is conditional (If-None-Match), and what is there
// already is told apart by size and checksum: our own, of an attempt whose answer was lost, is
// what was wanted; anything else is a *blob.ConflictError. A request that S3 has refused because of another
// at the same time (409) is made again, for a multipart upload from its first part on.
//
// Files are sent by ranges, not by buffers: memory does not depend on their size. Their CRC-64/NVME is
// known from when they were written, is compared with what is read of them, goes with each part
// and with the whole, and is compared by the server with what arrives. The size of parts is told
// beforehand, so that a repetition makes the same object, its entity tag included.
//
// What of a multipart upload remains after a crash is found by [Store.Unfinished].
//
// # Reading objects
//
// An open object is one entity: each request names its tag, and another one is blob.ErrChanged. A range
// is read by parts, some of them ahead, and goes on where a body broke off or stalled. What is read
// from the first byte to the last is compared with the object's checksum, if it has one of the
// whole content, before the last bytes are given.
//
// # Requests
//
// All are made through [Store.call] (bodies that are streamed, through the same attempt): counted by
// operation, retried with back-off for some seconds and then left to the caller, with errors that say which
// right, region or key is missing. HeadObject's errors have no body: what they mean is asked of
// GetObject.
//
// Sources: Amazon S3 API Reference and User Guide
// (https://docs.aws.amazon.com/AmazonS3/latest/API/, "Checking object integrity", "Conditional requests",
// "Multipart upload limits").
package s3
