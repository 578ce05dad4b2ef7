// Package jobs is what a user runs: the commands. They read the command line, call the
// packages below this one and print what comes of it: assembly makes a pipeline of a
// pipeline file, plan says what it would do, status how it is, fixture runs its tests,
// terminal writes for people.
package jobs
