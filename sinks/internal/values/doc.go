// Package values finds what a database can't store of the values that the pipeline's types
// hold, and takes out of them what a pipeline file lets be taken out.
//
// A sink asks twice. As a pipeline.ValueValidator it names invalid values in the log, where a
// change can be blamed; [Check] refuses what comes to it even so, before the epoch is saved.
// What is left may still be longer than it will be stored: [AdaptTexts] makes the rows that
// are. Each function is of the values alone, so that a row is the same in every epoch and
// after every restart (I6).
package values
