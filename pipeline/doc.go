// Package pipeline holds starlift's words: the data on the edges of a pipeline,
// the contracts of sources, transforms and sinks, and the rules that make each
// change take effect exactly once. What reads what, and what travels as a log or
// settled, is compiled once in pipeline/graph; the engine that runs it and keeps these
// rules is in pipeline/engine; decoding, patterns, state and the pipeline file have
// subpackages of their own.
//
// # Data on the edges
//
// An edge carries changes or rows.
//
// Changes ([Records]) are undecoded item-level change records of one source
// partition, in the partition's order. A [Source] brings them; [PartitionSource] is one
// whose partitions split, merge and end. Each consumer decodes what it needs in
// one pass over the bytes (package decode).
//
// A change has a [Version]; of an item's changes it decides which is the newest, and
// among those of one time [Newest] does.
//
// Rows ([Batch], [Rows]) are Apache Arrow records of one named table with a
// declared schema, and per row an operation and the change it comes from. A
// rows edge is a log, every change's rows in the order read, late and repeated
// ones too; or it is settled, per epoch at most one row per key, with the
// operation that leads from the last epoch to this one. Settling
// (pipeline/settle) turns the first into the second and owns
// last-writer-wins: nothing behind it compares versions.
//
// Between unnesting and settling stand transforms that take rows one by one and
// keep no state ([RowTransform]): filters, computed columns, joins to a reference.
// They make a log of a log, in the mappers, before anything is settled. So a row
// that stops matching is just a row that its item no longer yields: settling
// deletes it, and the log does where the old image shows that it was there.
// A row that makes a dead letter takes all other rows of its change with it.
// Filters of changes ([ChangeFilter]) stand before unnesting, and do the same to
// whole items.
//
// A reference may change at any moment ([SideInput]): an epoch is pinned to the
// version that was there when it began, and keeps it when it is tried again in
// the same process. After a restart it gets the version that is loaded then; what
// was saved is not made again.
//
// A sink's target may not be able to store every value of a type ([ValueValidator]). Such
// values are found in the log too, before anything is settled: in rows that the sink will
// get, and in those of which stateful transforms will make their rows. The column says
// whether such a value becomes null or makes a dead letter of its change ([OnError]).
//
// # Epochs
//
// An epoch is a bounded piece of the input. One owner takes it through the
// same steps, in this order:
//
//  1. read from the sources and run the graph;
//  2. prepare: every sink's rows are in its spool, synced to disk, and
//     everything a row can be refused for has been checked;
//  3. save: one synced batch holds the epoch number, the cursor of every
//     source partition, the changes of the state and a committable per sink. This
//     is the commit point;
//  4. commit every sink from its spool, idempotently, again after a crash;
//  5. tell the sources, delete the spool.
//
// At most one epoch is saved and not yet committed. The next one may be read,
// transformed and prepared meanwhile, on an overlay of the state; it is saved
// only afterwards. A failure before save drops overlay and spool, and the
// sources are opened again at the checkpoint. After save there are only
// retries. A row that a sink's target refuses even so becomes a dead letter under
// the epoch that is saved already: the rows to leave out and their dead letters
// are saved in the epoch's committables, in one, before the sink commits without them
// ([RefusedError]). The dead letter holds the row, since many records may have
// made it; in other sinks and in the state the row has taken effect.
//
// # Phases
//
// What has keyed state, settling and stateful transforms, does its work at the end of an
// epoch, in phases. The state is divided into 128 key groups ([KeyGroups]) by the leading
// bits of its keys, for good; what belongs to an entry lies in the entry's group
// ([Hash.Beside]), and so does all there is of one row of a table, since the hash of its key
// is its name everywhere. A phase is a function of the state of some key groups, of the set
// of messages that were sent to them, and of the epoch's header. Its parts, ranges of key
// groups, run side by side ([Runner]) and share nothing that any of them changes; what one
// has to say to another is a [Message], packed bytes that the next phase gets (package
// exchange). Messages are sorted before use. So neither their order nor the number of
// parts, goroutines or processors shows in a table, surrogate keys included (I6), and parts
// could run in other processes.
//
// # Dead letters
//
// A record that can't take effect is a dead letter of its epoch ([DeadLetter]). It is stored
// together with what gave it its version ([Origin]). It may be read again ([Replay]): from an
// inbox, which is a source like any other, with cursors in the checkpoint, and
// whose records go to the one transform that refused them. That a letter was
// read again is written with the epoch's dead letters, so both are so or neither.
//
// # Invariants
//
// The lines that enforce an invariant name it.
//
//   - I1: a source is told nothing before the checkpoint is saved.
//   - I2: cursors, state and committables change together, atomically, under one
//     owner.
//   - I3: every record read ends in a sink, in the dead letters, or fails the
//     epoch.
//   - I4: order inside a source partition is kept, child shards after their
//     parents.
//   - I5: commit is idempotent by token.
//   - I6: a transform's output depends on its input, its state and the pinned
//     reference version only: no clock, no map order, no randomness.
//   - I7: a kill at any instant loses and repeats nothing, and a stop ends
//     within its deadline.
//
// # Tokens
//
// A state folder has a random state id, made with it. What a sink publishes
// carries (pipeline, state id, epoch): the row in starlift_epochs of a
// warehouse, the name of an object. A warehouse that has the same id and this
// epoch has applied it; one that has the epoch published before, or no record
// while this is the sink's first, applies it; anything else is state that was
// lost, copied or restored, and the run ends with an error that says how to go
// on.
package pipeline
