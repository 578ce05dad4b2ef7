// Package status reports how a pipeline does: how far it is, how fast, how far behind, and
// what is wrong.
//
// Status is the whole report, as /status and `starlift status --output json` print it.
// Monitor.Status makes it of a pipeline that runs in this process, from the engine's metrics
// and from samples of them; a Server serves it, beside the metrics, at http.listen and at a
// socket in the state folder. Find makes it for another process: it asks the process that
// runs the pipeline, or reads the state of a pipeline that does not run.
//
// A pipeline is ready while Monitor.Problems returns nothing. Reports are redacted: they
// have no secrets of the pipeline file.
package status
