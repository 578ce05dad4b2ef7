// Package file reads change records from local files: every file that a glob
// matches, or the data files of a DynamoDB export.
//
// # Order and partitions
//
// A file is a partition. Files are read one after the other, in the byte order
// of their names; an export's by their keys in the manifest. So the same input
// always gives the same records in the same order.
//
// # Path of the bytes
//
// One goroutine reads, decompresses and cuts the bytes into blocks of whole
// records (1 MiB; more for a longer record, up to max_record), and hands them
// over a queue of four blocks, so that this work overlaps with decoding. A
// block's memory is used again when the engine frees its records. What is
// allocated is one slice of spans a block, nothing per record.
//
// Compression (gzip with any number of members, zstd, none) is told by the
// first bytes of a file, not by its name. A byte order mark is skipped.
//
// # Records
//
// Change records and export items stand one a line. Plain JSON may be an object
// a line, objects one after the other in any layout, or arrays of objects; the
// start of each file tells (see detect). A last line without line end is a
// record. Blank lines, and commas between concatenated objects, are skipped;
// everything else ends in a record, broken text too, so that it becomes a dead
// letter: a value that the end of the file cuts off is a record up to there.
// These are errors instead, since nothing else would show what is missing: an
// array that the file does not close, a compressed stream that is cut short,
// and a record longer than max_record. All records before the place are
// delivered first, and a run goes on at the place once the cause is mended.
//
// # Cursors
//
// A cursor holds the decompressed offset, line and number of the next record,
// and what tells that the file is still the one that was read: its size and a
// hash of its first bytes. A plain file that has grown is read on, a finished
// one whose size and hash are as they were is skipped, and any other change is
// an error. The cursor behind a file's last record says that the file is done;
// for that, a block is only handed over when the next one, or the end, is known.
//
// # Exports
//
// The manifests are read and checked against their checksums, and every data
// file must be there, before anything is read. Each data file's MD5 is taken
// over the whole file before its first record is delivered (also when reading
// resumes inside it), so that nothing of an altered file takes effect; its
// count of items is compared at its end, before the file is marked as done.
package file
