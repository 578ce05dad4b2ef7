// Package state keeps a pipeline's checkpoint and keyed state in a folder with
// a Pebble database.
//
// A start looks at the folder ([Inspect]) before anything is made: so whatever may
// refuse the start can be asked first. [Store.Create] makes it and opens it for
// writing.
//
// Everything that an epoch changes becomes durable at once ([Store.Save]): the
// checkpoint, the cursors of the sources and the keyed state (I2). A small epoch
// is one synced batch, a large one ingested tables, which are written once
// instead of three times: to the log, from memory and by a compaction. They are
// written side by side, each the keys of some key groups, and ingested together. What large
// epochs leave lies uncompacted for long, what small ones leave is compacted in the
// background when it is as much as there was. Keyed state is in keyspaces:
// tables from a 128-bit hash to a small value.
//
// A random read of Pebble costs more than a change may, so a [Keyspace] holds
// entries in memory: all of them while they fit, which makes a miss definite.
// Afterwards it holds what was used lately, and a filter of the keys there are;
// what neither can answer is looked up in one pass in the order of the keys: in
// the tables of the last large epochs, one after the other (runs), and what they
// do not have in the database.
//
// Memory is by key groups ([pipeline.KeyGroups]), which share nothing that changes: so
// goroutines that work on different key groups of a keyspace need no locks, and each works
// on a table that fits the processor's cache. There are very many of them, and most are
// small: a group is made when it is first used, begins with about a kilobyte, and costs an
// epoch that does not use it nothing. Whatever belongs to an entry has to lie in its key
// group ([pipeline.Hash.Beside]).
//
// [Keyspaces] share the memory by the use they make of it; one that has hardly
// any only logs what is put. What an epoch wrote stays in memory until it is
// saved, so a keyspace shows the state with all epochs applied that were
// transformed, saved or not; [Keyspaces.Take] cuts it off as a [Delta] of each keyspace
// for the save. When an epoch fails before its save, the whole Store is closed and opened
// again: that drops the overlay.
//
// The database:
//
//	a                         the last epoch that every sink has committed
//	m                         Meta, as JSON
//	c                         Checkpoint, as JSON
//	p <source> 0 <partition>  a source's cursor
//	s <keyspace> <hash>       keyed state
package state
