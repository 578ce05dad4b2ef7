// Package assembly builds a pipeline of a pipeline file: sources, transforms and sinks of
// the kinds that this binary has (kinds.go is the registry, a value; Kinds lists them),
// compiled into the plan that the engine runs. Load does all of it. It reports all mistakes
// of the file at once, each at its line and column, and opens nothing.
//
// Pipeline.CompareState compares a file with the state folder that an earlier version of the
// file has built: a Comparison lists which changes are taken, from which epoch on, and which
// are refused. The engine does the same by Pipeline.Compare when a run begins.
package assembly
