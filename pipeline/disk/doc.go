// Package disk holds what the local disk needs beyond package os: folders and names
// that survive a power cut, modes of what its owner alone may read, the one path of
// a place, and whether something could be made there.
//
// State and spools are always on the local disk, and use it as it is. What may be in
// an object store as well is written through package blob, whose local store stands on
// this package.
package disk
