package state

// chunks holds values one after the other. They are never changed, so a slice of
// one stays valid while it is used.
type chunks struct {
	list [][]byte
	held int64 // bytes of the list
}

// place says where a value is. The zero place is none.
type place struct {
	chunk    uint32 // 1 + index; absent = there is no value
	from, to uint32
}

const (
	absent     = ^uint32(0)
	chunkBytes = 256 << 10
)

// add copies a value, nil for absent, and returns where it is.
func (c *chunks) add(value []byte) place {
	if value == nil {
		return place{chunk: absent}
	}
	last := len(c.list) - 1
	if last < 0 || cap(c.list[last])-len(c.list[last]) < len(value) {
		size := max(chunkBytes, len(value))
		c.list = append(c.list, make([]byte, 0, size))
		c.held += int64(size)
		last++
	}
	from := len(c.list[last])
	c.list[last] = append(c.list[last], value...)
	return place{uint32(last + 1), uint32(from), uint32(len(c.list[last]))}
}

// at returns the value at a place; nil = absent.
func (c *chunks) at(p place) []byte {
	if p.chunk == 0 || p.chunk == absent {
		return nil
	}
	return c.list[p.chunk-1][p.from:p.to:p.to]
}

// snapshot returns the values added so far, for another goroutine.
func (c *chunks) snapshot() chunks { return chunks{list: append([][]byte(nil), c.list...)} }
