package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Update is what one epoch changes.
type Update struct {
	Checkpoint *Checkpoint
	Restart    []string                     // sources that are read from their start: their older cursors are deleted
	Cursors    map[string]map[string][]byte // source, partition; nil = it is forgotten
	Deltas     []*Delta

	spooled map[string]bool // the keys of spooled rows that it leaves
}

// ingestBytesMin is the size from which an update is ingested as tables.
const ingestBytesMin = 4 << 20

// Save makes the update durable, all of it or nothing (I2). When it returns an
// error, the outcome is unknown: close the Store and open it again.
func (s *Store) Save(u *Update) error {
	raw, err := json.Marshal(u.Checkpoint)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := s.compact(); err != nil {
		return err
	}
	size := 0
	for _, d := range u.Deltas {
		size += d.Bytes()
	}
	if size >= s.ingestBytesMin && len(u.Restart) == 0 {
		err = s.ingest(raw, u)
	} else if err = s.batch(raw, u, size); err == nil && size > 0 {
		err = s.runs.drop()
	}
	if err != nil {
		return fmt.Errorf("saving epoch %d: %w", u.Checkpoint.Epoch, err)
	}
	s.spooled = u.spooled
	for _, d := range u.Deltas {
		d.endSave()
	}
	return nil
}

// writer is a batch or tables being written.
type writer interface {
	Set(key, value []byte) error
	Delete(key []byte) error
}

type batchWriter struct{ *pebble.Batch }

func (b batchWriter) Set(key, value []byte) error { return b.Batch.Set(key, value, nil) }
func (b batchWriter) Delete(key []byte) error     { return b.Batch.Delete(key, nil) }

func (s *Store) batch(checkpoint []byte, u *Update, size int) error {
	b := s.db.NewBatchWithSize(size + len(checkpoint) + 1024)
	defer b.Close()
	for _, source := range u.Restart {
		lower := cursorKey(source, "")
		if err := b.DeleteRange(lower, after(lower), nil); err != nil {
			return err
		}
	}
	if err := s.writeHead(batchWriter{b}, checkpoint, u); err != nil {
		return err
	}
	for _, d := range u.sorted() {
		for i := range d.groups {
			if err := d.groups[i].writeTo(batchWriter{b}, d.prefix); err != nil {
				return err
			}
		}
	}
	return b.Commit(pebble.Sync)
}

// writeHead writes what the update has besides keyed state, and below it in the order of the
// keys.
func (s *Store) writeHead(w writer, checkpoint []byte, u *Update) error {
	if err := w.Set(keyCheckpoint, checkpoint); err != nil {
		return err
	}
	var cursors []cursorEntry
	for source, parts := range u.Cursors {
		for part, c := range parts {
			cursors = append(cursors, cursorEntry{cursorKey(source, part), c})
		}
	}
	slices.SortFunc(cursors, func(a, b cursorEntry) int { return bytes.Compare(a.key, b.key) })
	for _, c := range cursors {
		var err error
		if c.value == nil {
			err = w.Delete(c.key)
		} else {
			err = w.Set(c.key, c.value)
		}
		if err != nil {
			return err
		}
	}
	var err error
	u.spooled, err = s.writeSpooled(w, u.Checkpoint)
	return err
}

type cursorEntry struct{ key, value []byte }

// sorted returns the deltas in the order of their keyspaces.
func (u *Update) sorted() []*Delta {
	return slices.SortedFunc(slices.Values(u.Deltas), func(a, b *Delta) int { return bytes.Compare(a.prefix, b.prefix) })
}

// writeTo writes the delta of a key group.
func (d *groupDelta) writeTo(w writer, prefix []byte) error {
	key := make([]byte, 0, len(prefix)+keyBytes)
	readAhead := byte(0)
	for i := range d.writes {
		if i%prefetchKeys == 0 {
			readAhead += d.prefetch(d.writes[i:min(i+prefetchKeys, len(d.writes))])
		}
		entry := d.entry(d.writes[i])
		key = appendHash(append(key[:0], prefix...), keyOf(entry))
		var err error
		if value, _ := valueOf(entry[keyBytes:]); value == nil {
			err = w.Delete(key)
		} else {
			err = w.Set(key, value)
		}
		if err != nil {
			return err
		}
	}
	runtime.KeepAlive(readAhead)
	return nil
}
