package file

import (
	"slices"

	"github.com/zeebo/xxh3"
)

// objectHead is how many bytes an object has, and a hash of the first headBytes of them: objects
// of one beginning may be copies of each other.
type objectHead struct {
	size int64
	head uint64 // 0 = it is not known of all of the first bytes
}

// objectIndex finds known objects by their beginnings. It holds each once.
type objectIndex map[objectHead][]*knownObject

// beginning returns that of the object that was read.
func (c *cursor) beginning() objectHead {
	if int64(c.HeadBytes) != min(c.Size, headBytes) {
		return objectHead{size: c.Size} // it was taken of a file that has grown since
	}
	return objectHead{c.Size, c.Head}
}

func (x objectIndex) add(k *knownObject) {
	k.beginning, k.slot = k.at.beginning(), len(x[k.at.beginning()])
	x[k.beginning] = append(x[k.beginning], k)
}

func (x objectIndex) remove(k *knownObject) {
	all := x[k.beginning]
	if k.slot >= len(all) || all[k.slot] != k {
		return
	}
	last := len(all) - 1
	all[k.slot], all[last].slot, all[last] = all[last], k.slot, nil
	if x[k.beginning] = all[:last]; last == 0 {
		delete(x, k.beginning)
	}
}

// alike returns the objects that one of a size, with these first bytes, may be a copy of.
func (x objectIndex) alike(size int64, head []byte) []*knownObject {
	return slices.Concat(x[objectHead{size, xxh3.Hash(head)}], x[objectHead{size: size}])
}
