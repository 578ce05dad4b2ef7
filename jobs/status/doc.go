// Package status says how a pipeline is: how far, how fast, how far behind and what
// is wrong with it.
//
// Status is the whole answer, as /status and `starlift status --output json` give
// it. A Monitor makes it of a pipeline that runs in this process, from the engine's
// metrics and from samples that it takes of them; Server serves it, beside the
// metrics, at http.listen and at a socket in the state folder. Find gives it to
// another process: it asks the one that runs, or reads the state of a pipeline that
// does not.
//
// A pipeline is ready while Problems lists nothing. What is shown is redacted:
// secrets of the pipeline file are in none of it.
package status
