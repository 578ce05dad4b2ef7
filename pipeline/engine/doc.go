// Package engine runs a pipeline: it takes epochs from the sources, through the plan that
// package graph has compiled, to the sinks, by the protocol that package pipeline describes.
// [Run] is where to begin, then protocol.go, which has the protocol from its first step to
// the last: run.run starts the goroutines, epochBuilder.finishEpoch prepares an epoch,
// committer.commitEpoch takes it the rest of its way. In it, committer.save is the commit
// point, where an epoch is saved (I2), and committer.tell tells the sources afterwards (I1).
//
// Other invariants are kept in splitter.take (I7), epochBuilder.run (I4),
// epochBuilder.addDeadLetters (I3), references.snapshotsOf (I6) and committer.commit (I5).
// Rows that a sink refuses when it commits become dead letters in committer.refuse.
//
// Each of these types owns its fields, and is one goroutine, or several:
//
//   - a sourceReader per source waits in Read;
//   - the splitter takes what the readers bring, in the order of each source, makes
//     tasks of it, and sends a barrier where an epoch ends: by records, bytes or time;
//   - workers, one per processor, decode and unnest a task at a time, and take its
//     rows through the row transforms behind that. They pack what is for keyed state;
//   - the epochBuilder takes the tasks in the order in which they were split, sends the rows
//     to the spools of sinks and what is packed to the stages and operators that keep state
//     (dataflow), and prepares the epoch;
//   - the committer saves the epoch, commits it to every sink and tells the sources. It
//     owns the checkpoint.
//
// The epochBuilder is one goroutine, so what it does for each record bounds the whole
// pipeline: it takes packets and counts them. The work on keyed state is done at the end of
// the epoch, in phases (package exchange): the builder waits while the runner
// ([Config.Runner]) runs the parts of a phase, each of which has key groups of its own.
// Columns for sinks are made so too (emitter), and the state takes its writes. What
// depends on the order read is decided by the builder before: ordinals of changes, how coarse
// times are, and what comes too late, by the retention horizons as of the epoch's begin.
//
// Each goroutine has its role as a label in CPU profiles (withRole).
//
// They are connected by channels. Only a pace goes against the direction of the data, from
// the builder to the splitter. A run is one opening of the pipeline at the checkpoint: it
// opens and closes all of them. A stateOpener opens the stages and operators on the state,
// and refuses a pipeline that can't go on with it. A session is what outlives runs, since a
// failure leads back to the checkpoint. An [Observer] is told what happens.
//
// An operator that has more to do than an epoch takes gets epochs without input,
// between others or, when the sources have ended, before Run returns.
//
// Builder and committer meet without a buffer, so at most one epoch is saved and not
// committed while the next is read, transformed and prepared. Every channel is
// bounded: when a sink is slow the committer holds the builder, the builder the workers,
// those the splitter, and the splitter the readers.
//
// Two contexts stop it. When the first ends, the splitter stops reading and ends
// the epoch where it is; that one is committed, and Run returns. When the
// second ends, everything is left where it is; the checkpoint and the spools
// say what to do at the next start.
package engine
