// Package blob is the seam between what reads and writes whole files and where they
// are: Parquet files, dead letters, references, the bounded file source. They name
// objects, and say nothing of folders, descriptors or requests.
//
// # Contract
//
// [Store] is the contract; package blobtest holds every implementation to it. An object
// appears whole and durable when its writer is finished, and not at all before, or if
// the writer is aborted; those are two verbs, because a Close that publishes can't be
// taken back where an error is handled. [CreateOptions.IfAbsent] makes it appear only if
// there is none of its name, decided by the store in one step: two processes that ask at
// once get one object and one fs.ErrExist. What a crash leaves of writers that were not
// finished is no object; [Store.Unfinished] lists it.
//
// A name is a path with slashes below the place of the store. Names sort by their bytes,
// and so do listings, on a disk too.
//
// # Implementations
//
// [Dir] is a folder of the local disk: a temporary file beside the object, synced, and
// renamed (or linked, if there must be none), then the folder synced. Package blob/s3
// is S3, and blob/bloburl leads from a path or url of a pipeline file to a store. [Memory]
// is for tests. [Wrap] puts itself around the calls of any store; [Faults] is such a wrapper. A store
// retries its own requests, of which one call may make many.
//
// # Why none of those that are there
//
// gocloud.dev/blob v0.49.0 and thanos-io/objstore of 2025-08-04 were tried. Neither syncs
// anything on a local disk. gocloud's writer is aborted by cancelling its context,
// while Close publishes; its condition for files that must not be there is a lock of the
// process; and it writes names of files in an escape of its own. objstore writes under
// the final name: what a failed upload leaves is an object; and it has no
// condition. Neither moves a file that is there already, nor fails on demand.
package blob
