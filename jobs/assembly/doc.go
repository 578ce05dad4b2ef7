// Package assembly makes a pipeline of a pipeline file: sources, transforms and sinks
// of the kinds that this binary has (kinds.go is the registry, a value), compiled into
// the plan that the engine runs. It reports all mistakes of the file at once, each at
// its place, and opens nothing.
//
// It also holds a file against what a state folder keeps of the file that it was built
// by (comparison.go): which changes are taken, from which epoch on, and which refused.
package assembly
