package state

import (
	"context"
	"errors"
	"fmt"
)

// compactionDepthMin is the number of tables of level 0 that one key may be in from which
// level 0 is compacted, if small epochs wrote them.
const compactionDepthMin = 8

// compactionBytesMin is the size that level 0 has at least when it is compacted: less than
// that fits into the database's cache, and a disk that is nearly full has no room for a
// compaction.
const compactionBytesMin = blockBytes

// shouldCompact reports whether level 0 is compacted though the database would leave
// it: it lets many tables lie there, for the sake of large epochs, and a lookup
// may have to look into all of them. Where the tables are small, as small epochs
// leave them, they are compacted as soon as they hold what lies below once more, so
// that a byte is written about twice in all; and the state of a pipeline that
// changes the same items for months stays near its size.
func shouldCompact(depth, level0, below, least int64) bool {
	return depth >= compactionDepthMin && level0 >= max(below, least) && level0 <= depth*memTableBytes
}

// compaction is one of level 0 in the background.
type compaction struct {
	stop context.CancelFunc
	done chan struct{}
	err  error // once it is done
}

// compact begins to compact level 0 if it should and does not already. The error is
// that of the compaction before.
func (s *Store) compact() error {
	if c := s.compaction; c != nil {
		select {
		case <-c.done:
			if s.compaction = nil; c.err != nil {
				return c.err
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
	if !shouldCompact(int64(levels[0].Sublevels), levels[0].TablesSize, below, s.compactionBytesMin) {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &compaction{stop: stop, done: make(chan struct{})}
	s.compaction = c
	go func() {
		defer close(c.done)
		defer stop()
		if err := s.db.Compact(ctx, []byte{prefixKeyed}, []byte{prefixKeyed + 1}, false); err != nil && !errors.Is(err, context.Canceled) {
			c.err = fmt.Errorf("compacting the state: %w", err)
		}
	}()
	return nil
}

// endCompaction cancels a compaction that has not begun, and waits for one that has.
func (s *Store) endCompaction() error {
	c := s.compaction
	if c == nil {
		return nil
	}
	c.stop()
	<-c.done
	s.compaction = nil
	return c.err
}
