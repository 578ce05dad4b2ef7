// Package engine runs a pipeline: it takes epochs from the sources through the
// plan that package graph has compiled to the sinks, by the protocol that package
// pipeline describes. A stage or operator here is one of the plan with what an opening
// of the pipeline has for it; who takes whose rows is the plan's to say.
//
// Who does what, each a type that owns its fields, and a goroutine:
//
//   - a sourceReader per source waits in Read;
//   - the splitter takes what the readers bring, in the order of each source, makes
//     tasks of it, and sends a barrier where an epoch ends: by records, bytes or time;
//   - workers, one per processor, decode and unnest a task at a time, and take its
//     rows through the row transforms behind that;
//   - the epochBuilder takes the tasks in the order in which they were split, gives the
//     rows to the sinks' spools and to what keeps state, the dataflow, and prepares the epoch;
//   - the committer saves the epoch, commits it to every sink and tells the sources. It
//     owns the checkpoint.
//
// They are connected by channels. Against the data flows only a pace, from the builder
// to the splitter. A run opens and closes them; a session is what outlives runs, which
// go back to the checkpoint after failures; an Observer is told what happens. The
// protocol is in protocol.go, from the first step to the last; committer.save is the
// commit point.
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
