// Package engine runs a pipeline: it takes epochs from the sources through the
// plan that package graph has compiled to the sinks, by the protocol that package
// pipeline describes. A stage or operator here is one of the plan with what an opening
// of the pipeline has for it; who takes whose rows is the plan's to say.
//
// Who does what, each line a goroutine:
//
//   - a reader per source waits in Read;
//   - the splitter takes what the readers bring, in the order of each source,
//     and decides where epochs end: by records, bytes or time;
//   - mappers, one per processor, decode and unnest, each a task at a time, and
//     take its rows through the row transforms behind that;
//   - the epoch builder takes the tasks in the order they were cut, gives the rows to
//     the sinks' spools and the settle steps, and prepares the epoch;
//   - the committer saves the epoch, commits it to every sink and tells the sources.
//
// A transform that has more to do than an epoch takes gets epochs without input,
// between others or, when the sources have ended, before Run returns.
//
// Front and back meet without a buffer, so at most one epoch is saved and not
// committed while the next is read, transformed and prepared. Every channel is
// bounded: when a sink is slow the committer holds the epoch builder, the epoch builder the mappers,
// those the splitter, and the splitter the readers.
//
// Two contexts stop it. When the first ends, the splitter stops reading and ends
// the epoch where it is; that one is committed, and Run returns. When the
// second ends, everything is left where it is; the checkpoint and the spools
// say what to do at the next start.
package engine
