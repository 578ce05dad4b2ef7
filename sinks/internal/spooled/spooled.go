// Package spooled is the files of an epoch that are not made: where an epoch has few rows, what
// they would hold goes with its committable (pipeline.Committable.Spooled). So the epoch makes no
// file, and is durable by the sync that saves it.
package spooled

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// BytesMax is how much of an epoch goes with its committable. What is more is written faster to
// files: the state's log would hold it once more, and perhaps its tables too.
const BytesMax = 512 << 10

// File is a file that is not made.
type File struct {
	Name string
	Data []byte
}

// format begins what Pack writes.
const format = 1

// Pack returns the files as a committable has them.
func Pack(files []File) []byte {
	size := 1
	for _, f := range files {
		size += 2*binary.MaxVarintLen64 + len(f.Name) + len(f.Data)
	}
	b := append(make([]byte, 0, size), format)
	for _, f := range files {
		b = binary.AppendUvarint(b, uint64(len(f.Name)))
		b = append(b, f.Name...)
		b = binary.AppendUvarint(b, uint64(len(f.Data)))
		b = append(b, f.Data...)
	}
	return b
}

// Unpack returns what Pack was given, by name. The contents are parts of packed.
func Unpack(packed []byte) (map[string][]byte, error) {
	if len(packed) == 0 || packed[0] != format {
		return nil, errors.New("the rows in the committable have a format that this version does not know")
	}
	next := func(b []byte) (value, rest []byte, err error) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, nil, fmt.Errorf("the rows in the committable are cut off: %w", io.ErrUnexpectedEOF)
		}
		return b[size : size+int(n)], b[size+int(n):], nil
	}
	files := map[string][]byte{}
	for b := packed[1:]; len(b) > 0; {
		name, rest, err := next(b)
		if err != nil {
			return nil, err
		}
		if files[string(name)], b, err = next(rest); err != nil {
			return nil, err
		}
	}
	return files, nil
}
