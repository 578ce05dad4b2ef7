package file

import (
	"context"

	"github.com/starlift-etl/starlift/pipeline"
)

// standing is how far a followed file is read.
type standing uint8

const (
	nothing  standing = iota // it holds nothing to read, and never did
	unread                   // nothing was read of what it holds
	behind                   // it holds more than was read
	caughtUp                 // it is read to its size
)

// standings tell how far the files are read that are followed.
type standings struct {
	unread int             // files of this standing
	moved  map[string]bool // partitions since it was told: true = behind
	told   int             // unread, when it was told; -1 = never was
}

// standing returns that of a file.
func (t *tail) standingNow() standing {
	switch {
	case t.gone:
		return nothing
	case t.key == "" && (t.waits || t.info != nil && t.info.Size() == 0):
		return nothing
	case t.key == "":
		return unread
	case t.streaming:
		return behind
	case t.info == nil || t.read || !t.at.Compressed && t.at.Offset >= t.info.Size():
		return caughtUp
	case t.at.Records == 0:
		return unread
	}
	return behind
}

// note notes how far a file is read now.
func (s *standings) note(t *tail) {
	is := t.standingNow()
	if is == t.standing {
		return
	}
	if t.standing == unread {
		s.unread--
	}
	if is == unread {
		s.unread++
	}
	if t.standing = is; t.key != "" && is != unread {
		s.set(t.key, is == behind)
	}
}

func (s *standings) set(partition string, more bool) {
	if s.moved == nil {
		s.moved = map[string]bool{}
	}
	s.moved[partition] = more
}

// take returns what is to be told; nil = nothing is.
func (s *standings) take() *pipeline.Progress {
	if len(s.moved) == 0 && s.told == s.unread {
		return nil
	}
	p := &pipeline.Progress{Unread: s.unread}
	for partition, more := range s.moved {
		if more {
			p.Behind = append(p.Behind, partition)
		} else {
			p.CaughtUp = append(p.CaughtUp, partition)
		}
	}
	s.told = s.unread
	clear(s.moved)
	return p
}

// tellStandings hands over what no records have told of how far the files are read.
func (f *follower) tellStandings(ctx context.Context) error {
	p := f.standings.take()
	if p == nil {
		return nil
	}
	return f.s.hand(ctx, &pipeline.Records{Source: f.s.name, Format: &f.s.format, Progress: p})
}
