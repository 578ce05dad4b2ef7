// Package sourcetest holds every source to the contract of pipeline.Source. [Run] runs the
// suite: it reads, stops, kills, opens again at each cursor, and lets the input grow, split and
// lose records, as far as the source under test can. Only tests import the package.
//
// A source that saves its gaps (pipeline.GapReporter) has to end with one when it is saved,
// refuse to be opened at it, and go on behind it when it is accepted; Committed is told of what
// waits for that (Records.SaveNow). [Stream] is a stream in memory for what a source of shards
// meets: empty pages, children that only the end of a parent names, shards that vanish, trims that
// are told or not, throttles, hanging reads.
//
// A test of a source gives an Input, which makes its sources and knows what they must
// give. Inputs are small, some tens of records, since the suite opens sources at each of
// them.
package sourcetest
