// Package jobs is what a user runs: the commands, and the assembly of a
// pipeline file into sources, transforms and sinks. It is the only package
// that names concrete kinds (kinds.go).
package jobs
