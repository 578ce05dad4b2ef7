// Package sourcetest holds every source to the contract of pipeline.Source. [Run] runs the
// suite: it reads, stops, kills, opens again at each cursor, and lets the input grow, split and
// lose records, as far as the source under test can. Only tests import the package.
//
// A test of a source gives an Input, which makes its sources and knows what they must
// give. Inputs are small, some tens of records, since the suite opens sources at each of
// them.
package sourcetest
