// Package deadletters keeps the records that took no effect, in a folder: one
// file of JSON lines for each epoch that had any.
//
// It follows the epoch protocol. A file is written under a temporary name in
// the folder and synced when the epoch is prepared, and renamed when the epoch
// is committed, so what is listed is what was left out of the sinks, no more
// and no less. Names carry pipeline, state id and epoch.
package deadletters
