// Package redshifttest gives tests a Redshift and the S3 that it copies from: the stand-in of
// package standin and versitygw. Nothing of it is in the binary.
//
// Both are started at the first use, one of each for all tests of a package, and end with its
// [Main] or [Close]. A test calls [Open] for a database that is its own, with the isolation
// level that it wants, a folder of the bucket for its stage, and faults that only hit its
// sessions. What needs a clock of its own, TLS or passwords takes [Start], a stand-in for the
// test alone.
//
// Every statement that a sink sends is noted: Cluster.Statements are those of one test.
// Sessions whose application_name is starlift are a sink's; those of tests have another.
//
// Where there is no PostgreSQL or no versitygw, tests are skipped, but not in CI.
package redshifttest
