// Package deadletters keeps the records that took no effect, in a folder: one
// file of JSON lines for each epoch that had any; and gives them back to be read
// again.
//
// # Files
//
// It follows the epoch protocol. A file is written under a temporary name in
// the folder and synced when the epoch is prepared, and renamed when the epoch
// is committed, so what is listed is what was left out of the sinks, no more
// and no less. Names carry pipeline, state id and epoch; the file's name and the
// line in it are a letter's id.
//
// # Reading them again
//
// A request is a file in inbox/<pipeline>, made whole or not at all (Request),
// with copies of the letters: what becomes of the originals does not matter to
// it. Inbox is the source that reads requests. Its cursor, saved with each epoch
// as that of any other source, says how far; a request is removed once an epoch
// that holds its end is committed. The letters read are named in a second file of
// that epoch, beside its dead letters and committed with them. So a letter has
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
