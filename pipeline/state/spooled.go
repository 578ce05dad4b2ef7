package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// spooled is what committables have of rows in the place of files (Committable.Spooled): an entry
// a sink and epoch, beside the checkpoint. What an update no longer needs it deletes in the
// same batch.

// prefixSpooled is between those of cursors and keyed state.
const prefixSpooled = 'r'

// spooledKey is the key of a sink's entry of an epoch.
func spooledKey(sink string, epoch int64) string {
	k := append([]byte{prefixSpooled}, sink...)
	return string(binary.BigEndian.AppendUint64(append(k, 0), uint64(epoch)))
}

// readSpooled gives the committables what they have spooled.
func (s *Store) readSpooled(c *Checkpoint) error {
	c.Spooled = map[string]map[int64][]byte{}
	err := s.eachSpooled(func(key, value []byte) error {
		at := len(key) - 9
		if at < 1 || key[at] != 0 {
			return fmt.Errorf("spooled rows: a key %q", key)
		}
		sink := string(key[1:at])
		if c.Spooled[sink] == nil {
			c.Spooled[sink] = map[int64][]byte{}
		}
		c.Spooled[sink][int64(binary.BigEndian.Uint64(key[at+1:]))] = bytes.Clone(value)
		return nil
	})
	for sink, rc := range c.Committables {
		rc.Spooled = c.Spooled[sink][rc.Epoch]
	}
	return err
}

func (s *Store) eachSpooled(each func(key, value []byte) error) error {
	prefix := []byte{prefixSpooled}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := each(it.Key(), it.Value()); err != nil {
			_ = it.Close() // it only read
			return err
		}
	}
	return it.Close()
}

// readSpooledKeys notes which entries there are, so that no epoch has to look for them.
func (s *Store) readSpooledKeys() error {
	s.spooled = map[string]bool{}
	return s.eachSpooled(func(key, _ []byte) error {
		s.spooled[string(key)] = true
		return nil
	})
}

// writeSpooled writes what the checkpoint's committables have spooled, and deletes what none
// needs any longer, in the order of the keys. It returns the keys that are there once the
// update is durable.
func (s *Store) writeSpooled(w writer, c *Checkpoint) (left map[string]bool, err error) {
	left = map[string]bool{}
	values := map[string][]byte{}
	for sink, rc := range c.Committables {
		if rc.Spooled != nil {
			values[spooledKey(sink, rc.Epoch)] = rc.Spooled
		}
		for _, epoch := range rc.RetainEpochs {
			if key := spooledKey(sink, epoch); s.spooled[key] {
				left[key] = true
			}
		}
	}
	keys := slices.AppendSeq(slices.Collect(maps.Keys(values)), maps.Keys(s.spooled))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if value, ok := values[key]; ok {
			left[key], err = true, w.Set([]byte(key), value)
		} else if !left[key] {
			err = w.Delete([]byte(key))
		}
		if err != nil {
			return nil, err
		}
	}
	return left, nil
}
