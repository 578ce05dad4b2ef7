// Package exchange takes what one phase of an epoch sends to the next one (pipeline.Message), in
// one process: bytes that a goroutine has written for each part, and that the part reads in one go.
//
// An epoch's work on the keyed state is cut into parts, each a range of key groups: as many as
// its size is worth ([PartsFor]), so that a small epoch is one part without any overhead, and
// a large one keeps all processors busy with pieces whose memory fits into their caches. A
// phase runs on all parts; what it has to say to other key groups goes through an [Exchange],
// and is read by the next phase when all parts of this one have ended.
//
// What was sent to a part may be freed when it has received it: the goroutine that did sends in
// the pages that it has just read. So an epoch does not have all its messages at a time.
//
// A part gets its messages sorted by their hash, and those of one hash by their bytes, unless
// each of them goes to a place of its own. So neither the order in which they were sent, nor the
// number of parts, processors or senders shows in what a phase makes of them.
package exchange
