// Package roles tells from a CPU profile which goroutines of a pipeline the time went to.
//
// The goroutines of a run have a role, a label of their profile: "reader changes", "splitter",
// "builder", "committer". Where a role is played by several side by side, each of them is a
// lane with a number behind the name: "mapper 0", "phases 3", "saver 1", "reader changes 7".
// What has no role is sorted by what it is: the collector, the scheduler, threads of C
// libraries, which are DuckDB's, and merges of the state's database.
//
// The busiest goroutine is what bounds the throughput of a machine with any number of
// processors. Roles that never run at the same time count as one, since as many processors
// as there are would not make them faster than one that plays both ([Busiest]).
package roles
