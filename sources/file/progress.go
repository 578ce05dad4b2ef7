package file

import (
	"context"

	"github.com/starlift-etl/starlift/pipeline"
)

// readState is how far a followed file is read.
type readState uint8

const (
	stateEmpty    readState = iota // it holds nothing to read, and never did
	stateUnread                    // nothing was read of what it holds
	stateBehind                    // it holds more than was read
	stateCaughtUp                  // it is read to its size
)

// progressTracker collects what a pipeline.Progress reports of the followed files.
type progressTracker struct {
	unreadFiles int             // the number of files of which nothing was read
	changed     map[string]bool // the partitions that changed since the last report: true = behind
	toldUnread  int             // unreadFiles of the last report; -1 = there was none
}

// currentState returns how far the file is read.
func (t *followedFile) currentState() readState {
	switch {
	case t.unfollowed:
		return stateEmpty
	case t.partition == "" && (t.awaitsOriginal || t.info != nil && t.info.Size() == 0):
		return stateEmpty
	case t.partition == "":
		return stateUnread
	case t.streaming:
		return stateBehind
	case t.info == nil || t.drained || !t.at.Compressed && t.at.Offset >= t.info.Size():
		return stateCaughtUp
	case t.at.Records == 0:
		return stateUnread
	}
	return stateBehind
}

// update collects how far a file is read now.
func (s *progressTracker) update(t *followedFile) {
	is := t.currentState()
	if is == t.state {
		return
	}
	if t.state == stateUnread {
		s.unreadFiles--
	}
	if is == stateUnread {
		s.unreadFiles++
	}
	if t.state = is; t.partition != "" && is != stateUnread {
		s.set(t.partition, is == stateBehind)
	}
}

func (s *progressTracker) set(partition string, more bool) {
	if s.changed == nil {
		s.changed = map[string]bool{}
	}
	s.changed[partition] = more
}

// changes returns the report of what changed since the last one; nil = nothing did.
func (s *progressTracker) changes() *pipeline.Progress {
	if len(s.changed) == 0 && s.toldUnread == s.unreadFiles {
		return nil
	}
	p := &pipeline.Progress{Unread: s.unreadFiles}
	for partition, more := range s.changed {
		if more {
			p.Behind = append(p.Behind, partition)
		} else {
			p.CaughtUp = append(p.CaughtUp, partition)
		}
	}
	s.toldUnread = s.unreadFiles
	clear(s.changed)
	return p
}

// sendProgress hands over a report of its own, when no records have carried it.
func (f *follower) sendProgress(ctx context.Context) error {
	p := f.progress.changes()
	if p == nil {
		return nil
	}
	return f.source.enqueue(ctx, &pipeline.Records{Source: f.source.name, Format: &f.source.format, Progress: p})
}
