// Package export finds the DynamoDB exports below a path, checks their
// manifests, and puts them in the order of time.
//
// # What DynamoDB writes
//
// An export is a folder, <prefix>/AWSDynamoDB/<ExportId>/, with
// manifest-summary.json, which is written last, manifest-files.json, a line for
// each data file, and a checksum beside each: .md5, or .checksum as the manual
// has it; the MD5 in base64. An empty file _started is there from the start. A
// full export (version 2020-06-30) has its data in data/ below its folder. Those
// of a prefix's incremental exports (version 2023-08-01) lie together in
// AWSDynamoDB/data/, beside their folders.
//
// A full export is the table as it was at exportTime. An incremental one has
// each item that changed from exportFromTime on and before exportToTime, once:
// as it was at the end, and, if the view has old images, at the start.
//
// # Exports as one input
//
// Exports of one table that follow each other in time without a hole are a
// chain. What an incremental export begins with must have been reached by those
// before it; between them is a gap otherwise, which is an error: changes of that
// time are in none of them. A later full export shows all items anew, so that
// what came before a hole is not needed: reading begins with the last chain that
// has a full one. Once something was read, that stays the beginning: a full
// export after a hole is read on top, and what was deleted in the hole is not
// known (see Arrange).
package export
