// Package partitions makes a pipeline.Source of a pipeline.PartitionSource: it reads
// partitions side by side that appear and end while it runs.
//
// # Life of a partition
//
// A partition is found by Discover, or known by its cursor. It waits until its parents
// have ended, as far as these are known or there (I4); is read; and ends. That it has
// ended is its last cursor, so that its children go on after a restart. The cursor is
// dropped when a discovery that began after the end does not list the partition any longer
// and its children are being read. So what upstream still lists is never taken for new, and
// the number of cursors is bounded by what upstream keeps.
//
// A place to start that could not be found again (Partition.Start) is handed over as a
// position, before anything that is read afterwards.
//
// # Who does what
//
// One goroutine, dispatcher.run, owns all partitions and what is known of them. It assigns
// reads to a fixed number of workers (dispatcher.work), in turn, so that a busy partition
// keeps no other one waiting, and handles their results one after the other. It assigns no
// further read while something waits to be handed over, so that no more than one batch for
// each worker, and one besides, are in memory. A partition is with one worker at a time, so
// its order is kept. [Source] is what the engine sees of all this.
//
// # Gaps
//
// What is gone ends a bounded source with its error. Otherwise people are told, with
// the place, before anything behind it is handed over, and the partition is read on where
// it can be; if the process is killed before the new place is saved, they are told again.
package partitions
