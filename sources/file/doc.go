// Package file reads change records from local files, and objects of S3: every one that a
// glob matches, or the data files of a DynamoDB export; to their end, or for ever as
// they grow.
//
// # Parts
//
// Source.Open finds the files (Source.match, or package export) and starts one of three readers,
// whose records Source.Read returns:
//
//   - to their end: resolver finds out which of the files were read before
//     (Source.resolve), and a reader reads each of the rest from its cursor (reader.run), several
//     at a time (multiReader);
//   - for ever: follower finds new, renamed and rotated files (follower.poll) and decides
//     what each is (follower.identify); a followedFile reads what comes in one
//     (followedFile.readNew); registry knows what was read of files that are not followed
//     just now, and which of it is lost (registry.decideLoss);
//   - for ever, of objects: objectFinder lists them, and objectFollower decides what each is
//     (objectFollower.identify) and reads it by a reader.
//
// Files are found by package listing, and what reads to their end opens them by it: in
// any store of package blob. Only the follower uses the local disk as it is, since it has to
// know the file behind a name; TestDiskOfFollowerOnly names its files.
//
// Both share the decompression of streams (stream.go); the splitter, which finds records in
// bytes (splitter.split; extent.go says where a record ends, unwrap.go what an envelope
// holds); the position between records (position.go); and the cursor (cursor.go).
//
// # Order and partitions
//
// A file is a partition. Files are listed in the byte order of their names; exports by time, the
// files of each by their keys. Those that are read to their end are read side by side
// (multiReader): 8 are open, whatever the number of processors, and a block of each is taken in
// turn, and waited for; the next of the list takes the place of one that has ended. Files that
// a run has begun to read are the first of the next. An export begins where the one before has
// ended. So the same input and cursors always give the same records in the same order. A file gets
// a number when it is opened for the first time, above all before, which its cursor keeps: plain JSON
// without versions is ordered by the numbers, and in each file by its records. Such files, and
// followed ones, are read one after the other, the former with the next ones begun ahead.
//
// # Path of the bytes
//
// Of each open file, one goroutine cuts the bytes into blocks of whole records (1 MiB; more for a
// longer record, up to max_record) and hashes them; of a compressed one, another decompresses
// ahead (contentAhead). They are five blocks ahead at most, and the source hands blocks over a
// queue of four more, so that this work overlaps with decoding. A block's memory is reused when
// the engine frees its records. One slice of spans is allocated for each block, and nothing
// for each record.
//
// The first bytes of a file tell how it is compressed (gzip with any number of members,
// zstd, bzip2, not at all), not its name. They also tell what holds no records, such as
// Parquet: it is refused with a message that says what it is (magic.go). A byte order mark is
// skipped.
//
// # Records
//
// A record is a JSON object, wherever it stands: splitter finds it by its brackets,
// takes envelopes apart, and says where a broken one ends. Blank lines, and commas
// between objects, are skipped; everything else ends in a record, broken text too, so
// that it becomes a dead letter: a value that the end of the file cuts off is a
// record up to there. These are errors instead, since nothing else would show
// what is missing: an array or envelope that the file does not close, a compressed
// stream that is cut short, and a record longer than max_record. All records
// before the place are delivered first, and a run goes on at the place once the
// cause is mended.
//
// A record of an envelope that was base64, or that lacks the name of its table, is rewritten
// and appended to the bytes of its block. In any case a block hands over single records,
// with the line and offset at which they, or the value that holds them, begin.
//
// # Cursors
//
// A cursor holds the decompressed offset, line and number of the next record, the
// brackets that are open around it (see position), and what tells that the file is still
// the one that was read: its size, the time of its last change, its device and inode,
// and a hash of its content up to the offset, which goes on from the cursor (see
// digest). If the first three are as they were, the file is not opened; a file that was
// changed just before it was read is an exception, since clocks of files are coarse. Else
// what was read is hashed again (see resolve): if that is the same, the file is unchanged or
// has grown, and is read on; if not, the run is refused. Of compressed files the content
// is hashed, so that it does not matter how it is stored. The cursor behind a file's
// last record says that the file is done; for that, a block is only handed over when the next
// one, or the end, is known.
//
// A file is looked for by its name and its inode, as long as the content is the same. One
// under a new name is a known file if that is not where it was: it has the inode; or the
// same size; or, by its name, was rotated, as app.log.2.gz of app.log. A copy beside its
// original is another file. Links to a file, hard or symbolic, are that one file.
//
// # Rotation
//
// What may happen to a file app.log is any combination of: it is renamed, copied and
// truncated, or only truncated; to a name with a number or a date; it is compressed at
// once, later or not; this happens once or several times; while nothing runs, or between
// two looks; the program writes on to the old file; an inode is used again. The path
// may match what was rotated, or not. In all of them the same is done: a generation
// is a file beside it that has such a name. That which begins with what was read is read to its
// end; those that are newer, by number or date, else by the time of their last change,
// are read after it, as new files, in their order, and before the file that has the name now: of a
// name, a checkpoint tells how far its newest file was read, and what is older counts as read.
// So each waits for those before it, and they are searched for again if one of them is not what was
// found when its turn comes. What is not
// there is a gap (pipeline.ErrGap; followed, a Notice): a file that was read and is gone,
// while another one has its name; a number that is missing between two,
// and not only for the moment in which names are shifted. A file that was only
// removed, with all that was seen of it read, is taken for one that was done with. A log
// that began and was rotated between two looks, while there was none before, is not looked
// for.
//
// Without follow they are read side by side, so several may be begun when a run is stopped: each
// that was not read to its end is searched for by the next one.
//
// A gap is only certain after a while (gapAfter). Files that came after it are read
// at once; until it is told, their cursors name the one that is in doubt (Unverified), so
// that the next process looks for it and decides, even if this one is killed by then.
//
// # Following
//
// With follow, one goroutine looks at the files again and again (poll; soon where something came), reads
// what was appended to each, up to the size that it has then, in the order in which they were found;
// files found at once are taken oldest first. Notifications of the kernel are not used: they
// do not come from network file systems, get lost when there are many, and so do
// not save the looking.
//
// A file is identified by device and inode, and by its content; at each look by hashes of its
// first 4 KiB and of the last bytes that were read, else by the hash of all of it. So its cursor stays its own
// through renaming and restarts, and an inode that was given to another file, or
// a file that was truncated or written over, is told. The cursors are named by the file
// (device, inode, number of the file), since names move from one to another.
// These are the cases:
//
//   - renamed: it goes on at its offset, under a name that the path matches or
//     not. While it is open it is read until it has not changed for a minute. After a restart it is
//     found by its inode in the folder where it was;
//   - truncated or written over: it is read from its start, as another file.
//     Whether the last bytes before that were read can't be known; those that
//     were seen and not read are counted;
//   - a file that begins as one that was read, and has a longer name of the same
//     stem (rotated): it is a copy. While the original is there, it waits. When that one
//     is truncated or removed, the copy goes on at its offset, decompressed if it is
//     compressed. So nothing is lost by copying and truncating if the path
//     matches the copy, and nothing is read twice when rotated files are compressed;
//   - replaced by one that begins with all that was read (rsync): it goes on;
//   - gone: its cursor is forgotten after an hour, with the next records. One that was
//     rotated is known as long as it is there, and read on if it grows.
//
// Bytes are taken only if the file still begins with what was read before, when
// it is looked at after reading them: what is read while a file is being
// truncated may be of its new content.
//
// A whole object needs no line end: nothing can be added to it. Half of one is
// waited for; if the file was renamed or removed, it is a record once nothing has been
// written for five seconds, and so is one behind which a line begins as a record does.
// A compressed file is read when it has not been written to for a second, or, if it is
// written to all the time, every five seconds; each time from its start, so that one that
// grows is left alone for three times as long as that took; if it is cut short then, the rest is waited for, for as long as it
// takes (Waits says so), and one that has grown is read on. Damage ends the run.
//
// # Objects
//
// An object has no inode and no time that tells much, but a tag, which differs where the
// content does: with the size it stands in their place in the cursor, and an object with
// another one is held against the hash of what was read. It is whole when it appears, so
// nothing is waited for in it. A reader pins the tag that it opened, so that what is replaced
// while it is read is an error worth another try (blob.ErrChanged), which finds out by the
// content. Each request takes tens of milliseconds: the next objects are opened while others are
// read (openAhead), and small ones asked for whole.
//
// Followed, objects are listed again and again. Names say nothing of when an object came, so
// all of them have to be listed to find all that is new; objectFinder bounds how often. What is
// known of an object is kept as long as it is there, and for an hour.
//
// # Exports
//
// The exports below the path are one input: in the order of time, the files of
// each by their keys (package export finds them, and says which are read). All
// manifests are checked, and every data file must be there that has not been
// read, before anything is read. Each data file's MD5 is taken over the whole file
// before its first record is delivered (also when reading resumes inside it), so
// that nothing of an altered file takes effect; an object whose tag says that MD5 is not read
// for it (input.verify); its count of items is compared at
// its end, before the file is marked as done.
//
// The cursors of a data file hold the time that is reached by the exports before
// it, and that of the file with items which is the last to end, behind its last record, by the
// export too (exportReads). This is right because exports are read one after the other.
package file
