// Package btree keeps ordered sets of byte strings in a keyspace, as B+-trees of
// small pages: of a list that may grow without bound, the first or last entry is
// found, and some are put in or taken out, by reading and writing a few pages.
//
// A keyspace finds values by hashes and has no order of its own. So the pages of a
// tree are entries of it like any other, under hashes of the tree's id and their
// numbers, in the key group of the id; the root is in the value of whoever owns the
// tree, and a small tree is nothing but that. Entries are unique and compare as bytes.
//
// Many trees are read at once. A method that needs a page which is not in memory
// notes it in the [Forest] and says so; [Forest.Read] reads what is missing in one
// sorted pass for all trees, level by level, until every walk is through.
//
// A page that is larger than [Forest.PageBytes] is split, one that is left without
// entries goes, and small neighbours are joined where both are in memory. Which
// pages a set is in depends on its past, what is found does not.
package btree
