// Package pipelinetest holds what tests of nodes and of the engine share: the other side
// of each contract of package pipeline, in memory, which fails the test that breaks it.
//
// [Table], [TableOf], [JSONRows] and [JSONLog] make tables and rows of short texts, and
// [CellText] writes values for people to compare. A [Keyspace] is the state of an operator.
// A [View] is what settled rows make of tables: it refuses an operation that does not follow
// from what is there. A [SinkDriver] plays the engine for one sink, over restarts. A [Sink]
// is the target of an engine under test, and outlives it. The other side of a source is in
// package sourcetest.
//
// Only tests import the package.
package pipelinetest
