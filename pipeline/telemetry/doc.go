// Package telemetry makes one account of how far a pipeline is and how it does:
// its metrics, its health, how far its sources lag behind, and its progress.
//
// The engine tells a [Recorder] what happens, by the events of this package; it
// knows the Recorder as an interface of its own (engine.Observer). Everything that
// is shown to people or machines is read from the Recorder: the registry of
// Prometheus ([Recorder.Registry]), a snapshot for status pages and the log
// ([Recorder.Health]), and what a run has done when it is over
// ([Recorder.Progress]). There is no other counter of how far a pipeline is.
//
// A Recorder belongs to one pipeline of one process. It outlives the times that
// the engine goes back to its checkpoint: what it counts is of the process, and
// rows and dead letters are of epochs that are saved, so that an epoch which is
// tried again counts once. All of its methods may be called from any goroutine.
//
// It also writes those lines of the log that have to be counted so that there are not too
// many: that there are dead letters, once an hour for a node and reason; that a path leads to
// nothing, once; and that a source or sink that had failed works again.
package telemetry
