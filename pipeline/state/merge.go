package state

import (
	"context"
	"errors"
	"fmt"
)

// mergeDepth is how many tables a key may be in, in level 0, before that is
// merged because the epochs are small.
const mergeDepth = 8

// mergeBytes is the size of level 0 up to which it is left: the database's cache
// holds that, and a full disk has room for it rather than for a merge.
const mergeBytes = cacheBytes

// worthMerging reports whether level 0 is merged though the database would leave
// it: it lets many tables lie there, for the sake of large epochs, and a lookup
// may have to look into all of them. Where the tables are small, as small epochs
// leave them, they are merged as soon as they hold what lies below once more, so
// that a byte is written about twice in all; and the state of a pipeline that
// changes the same items for months stays near its size.
func worthMerging(depth, level0, below, least int64) bool {
	return depth >= mergeDepth && level0 >= max(below, least) && level0 <= depth*memTableBytes
}

// merging is a merge of level 0 in the background.
type merging struct {
	stop context.CancelFunc
	done chan struct{}
	err  error // once it is done
}

// merge begins to merge level 0 if that is worth it and none is at it. The error
// is that of the merge before.
func (s *Store) merge() error {
	if m := s.merging; m != nil {
		select {
		case <-m.done:
			if s.merging = nil; m.err != nil {
				return m.err
			}
		default:
			return nil
		}
	}
	levels := s.db.Metrics().Levels
	var below int64
	for _, l := range levels[1:] {
		below += l.TablesSize
	}
	if !worthMerging(int64(levels[0].Sublevels), levels[0].TablesSize, below, s.mergeBytes) {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &merging{stop: stop, done: make(chan struct{})}
	s.merging = m
	go func() {
		defer close(m.done)
		defer stop()
		if err := s.db.Compact(ctx, []byte{prefixKeyed}, []byte{prefixKeyed + 1}, false); err != nil && !errors.Is(err, context.Canceled) {
			m.err = fmt.Errorf("merging the state: %w", err)
		}
	}()
	return nil
}

// endMerge lets a merge that has not begun be, and waits for nothing to be at it.
// The database waits for one that has.
func (s *Store) endMerge() error {
	m := s.merging
	if m == nil {
		return nil
	}
	m.stop()
	<-m.done
	s.merging = nil
	return m.err
}
