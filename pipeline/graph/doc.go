// Package graph compiles a pipeline, once, into a [Plan]: which node reads what,
// where each table's rows come from, what travels as a log and what settled, by
// which policy, who needs what of whom, and under which names state is kept.
// validate builds the plan, plan prints it, the engine runs it; nobody derives
// any of that again.
//
// # From a file to a plan
//
// A [Declaration] is a pipeline as its file declares it: nodes by name, each with
// the names of its inputs and a function that makes it. [Build] goes through it in
// the direction of the data, since a transform of rows is made for the tables that
// its inputs give. It resolves every input, has every node made, and reports all
// mistakes at once, each with the node and key that it belongs to. That names lead to
// nodes, and that nodes do not feed each other in a circle, is checked where the file is
// read (package spec). What comes out are [Nodes]: the same pipeline with nothing left to look up.
//
// [Compile] checks nodes against each other and connects them. A Plan is immutable:
// all of it is made by Compile, everybody reads it, from any goroutine, and nobody
// changes it. [Plan.With] makes another plan, of nodes that differ: a backfill reads
// some of the sources only, and tests put sinks of their own in the place of others.
//
// # What a plan consists of
//
// A [Stage] is a transform of changes with all that happens to its rows before
// anybody else has them: filters of changes in front of it, row transforms behind it
// ([RowPath]), the limits of the targets that the rows come to, and settling. The log
// and the settled rows of one table come from one stage, so that they say the same.
// An [Operator] is a stateful transform with what it gives. Where rows end that a
// stage or an operator gives, they have a [FanOut]: the sinks and operators that take
// them.
//
// A table is followed back through row transforms to its origin: the table of the
// stage or operator whose rows it is made of. The origin decides whether there is a log,
// and how rows follow their changes.
//
// A [PolicyOutput] is an output of settled rows that are settled otherwise than by the
// newest change. All consumers that ask for one policy of a table share it.
//
// # Names of state
//
// What a stage, policy or operator keeps is found again by a name, the key of its
// entry in the checkpoint: see [StateEntry]. Inside of a stage's entry tables have
// names too ([Stage.StateName]), and so have the consumers that depend on having had
// every row of a table ([Consumer]). All of these are in state folders that exist:
// a name that changes loses the state.
package graph
