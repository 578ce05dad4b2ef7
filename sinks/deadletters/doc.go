// Package deadletters keeps the records that took no effect in a folder of files of JSON
// lines, on a disk or on S3. Store is the sink that writes them; Folder lists and finds them; Request and Inbox
// let them be read again; Counter counts those that are open.
//
// # Files
//
// It follows the epoch protocol. An epoch's letters are written to a file in its spool,
// which is durable when the epoch is prepared. When it is committed they are
// appended to the newest file of the folder, so what is listed is what was left out of the
// sinks, no more and no less. A file takes the letters of one day, until it is large. Its
// name carries pipeline, state id and the first epoch in it; the file's name and the
// line in it are a letter's id, which never changes, since files only grow.
//
// An epoch's lines stand together in one file, and at its end until the next epoch
// is committed. A commit that is repeated finds where they begin, by the epoch that
// each line carries, and writes the same bytes to the same place. A last line
// without its end is one that is being written: readers leave it out. What is committed
// is noted in the spool, so that letters which somebody has removed don't come back.
//
// Where objects can't grow, on S3, the newest one is replaced by a longer one, but only if
// it is still the one that was read: what a process has sent that is dead by now changes
// nothing when it arrives. Such objects are smaller, since each epoch with letters sends all of
// one. An object an epoch would be simpler; a pipeline with a letter a second would make
// 86,400 of them a day, and each listing of the letters would read them all.
//
// # Reading them again
//
// A request is a file in inbox/<pipeline>, made whole or not at all (Request),
// with copies of the letters: what becomes of the originals does not matter to
// it. Inbox is the source that reads requests. Its cursor, saved with each epoch
// as that of any other source, says how far; a request is removed once an epoch
// that holds its end is committed. The letters read are named in a second file of
// that epoch, beside its dead letters, appended and committed as they are. So a letter has
// been read again just when the epoch in which it was is saved, whatever crashes,
// and a letter that is named there is not read another time, though a second
// request may ask for it.
//
// A record keeps what it is judged by: its version, its place in the order of
// reading, its arrival. It goes to the transform that refused it, as that is
// defined today, and to no other. If it is refused again, it is a new letter, which
// names the old one.
//
// # Retention
//
// Files older than the retention, by the time they were written, are removed when
// the pipeline starts and every hour. A letter that waits to be read again keeps
// its file; and the names of letters that were read stay as long as their files,
// lest they look as if they had not been.
package deadletters
