// Package jobs has the commands of starlift. Main runs a command line; newRoot lists the
// commands, each of which has a file of its own: run.go (cli.execute runs the engine),
// validate.go, test.go, plan.go, status.go, reset.go, deadletters.go, replay.go, demo.go.
//
// A command reads its flags, calls the packages below this one and prints the result:
// assembly builds a pipeline of a pipeline file, plan describes it, status says how a
// pipeline does, fixture runs its tests, terminal writes for people, and usage marks errors
// of the caller.
package jobs
