package dynamodbtest

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// streamState is one stream of a table. The server's lock guards it.
type streamState struct {
	table    *tableState
	arn      string
	label    string
	view     string // KEYS_ONLY, NEW_IMAGE, OLD_IMAGE or NEW_AND_OLD_IMAGES
	created  time.Time
	disabled time.Time     // zero = it is enabled
	shards   []*shardState // in the order in which they were made
}

// shardState is one shard of a stream.
type shardState struct {
	id, parent string
	first      sequence // of the records that it may have
	last       sequence // 0 = it is open
	created    time.Time
	closed     time.Time
	records    []*streamRecord
	trimmed    int // how many of the first can no longer be read
	hidden     bool
	gone       bool
	emptyPages int            // how many reads come without records yet
	readers    []recentReader // of the last second
}

// streamRecord is a change in a shard.
type streamRecord struct {
	*Change
	sequence sequence
	size     int64
}

// retention is how long a record stays in a stream, and a closed shard after it was closed.
const retention = 24 * time.Hour

// shows reports whether records have images: NEW_ or OLD_ is part of such a view type's name.
func (st *streamState) shows(images string) bool { return strings.Contains(st.view, images) }

func (st *streamState) open() bool { return st.disabled.IsZero() }
func (h *shardState) open() bool   { return h.last == 0 }

// sequence is where a record is among all of the server. As text it is a number of
// 21 digits and more, whose order is not that of the texts: 900… is before 1000….
type sequence uint64

// sequenceStep is how far the sequences of two records are from each other.
const sequenceStep = 100

// String writes the sequence, and behind it 20 digits that grow as well.
func (q sequence) String() string {
	return fmt.Sprintf("%d%020d", uint64(q), uint64(q)/sequenceStep+499659)
}

// parseSequence reads a sequence number, which need not be one that was given; false = it is no number.
func parseSequence(text string) (q sequence, exact, ok bool) {
	if len(text) < 21 || len(text) > 40 || strings.Trim(text, "0123456789") != "" {
		return 0, false, false
	}
	n, err := strconv.ParseUint(text[:len(text)-20], 10, 64)
	if err != nil {
		return math.MaxUint64, false, true
	}
	return sequence(n), sequence(n).String() == text, true
}

// nextSequence is greater than all before.
func (s *Server) nextSequence() sequence {
	s.sequence += sequenceStep
	return s.sequence
}

// EventID is what the records of a table's streams have as their eventID: one of each change. Those
// of its destinations have another.
func (c *Change) EventID() string { return c.id }

// eventID is that of a change: 32 hexadecimal digits that are its own.
func eventID(number int) string {
	sum := md5.Sum(binary.BigEndian.AppendUint64([]byte("event"), uint64(number)))
	return hex.EncodeToString(sum[:])
}

// openStream enables a stream of a table, with a shard for each partition.
func (s *Server) openStream(t *tableState, view string) *streamState {
	now := s.now()
	if last := t.latest(); last != nil && !now.Truncate(time.Millisecond).After(last.created.Truncate(time.Millisecond)) {
		now = last.created.Add(time.Millisecond) // labels differ
	}
	label := now.UTC().Format("2006-01-02T15:04:05.000")
	st := &streamState{table: t, arn: t.arn + "/stream/" + label, label: label, view: view, created: now}
	t.streams = append(t.streams, st)
	for _, p := range t.partitions {
		p.shard = s.openShard(st, nil)
	}
	return st
}

// closeStream disables a stream: its shards are closed, and can be read for a day.
func (s *Server) closeStream(st *streamState) {
	for _, p := range st.table.partitions {
		s.closeShard(p.shard)
		p.shard = nil
	}
	st.disabled = s.now()
}

// openShard makes a shard, whose id has the time in it as at the service.
func (s *Server) openShard(st *streamState, parent *shardState) *shardState {
	s.shardCount++
	sum := md5.Sum(binary.BigEndian.AppendUint64(nil, s.shardCount))
	h := &shardState{first: s.nextSequence(), created: s.now()}
	if parent != nil {
		h.parent = parent.id
	}
	h.id = fmt.Sprintf("shardId-%020d-%x", s.now().UnixMilli(), sum[:4])
	st.shards = append(st.shards, h)
	return h
}

func (s *Server) closeShard(h *shardState) {
	h.last, h.closed = s.nextSequence(), s.now()
}

// roll closes the shard of a partition, and opens its child.
func (s *Server) roll(st *streamState, p *partition) {
	parent := p.shard
	s.closeShard(parent)
	p.shard = s.openShard(st, parent)
}

// addRecord writes a change into the shard of its partition.
func (s *Server) addRecord(st *streamState, p *partition, c *Change) {
	r := &streamRecord{Change: c, sequence: s.nextSequence(), size: int64(c.Keys.size())}
	if c.new != nil && st.shows("NEW_") {
		r.size += int64(c.new.size)
	}
	if c.old != nil && st.shows("OLD_") {
		r.size += int64(c.old.size)
	}
	p.shard.records = append(p.shard.records, r)
}

// advance does what time does to a stream: it trims records, and lets closed shards go.
func (st *streamState) advance(now time.Time) {
	horizon := now.Add(-retention)
	for _, h := range st.shards {
		for h.trimmed < len(h.records) && h.records[h.trimmed].Time.Before(horizon) {
			h.trimmed++
		}
		if !h.open() && h.closed.Before(horizon) {
			h.gone = true
		}
	}
}

// shard finds one that has not left the stream by its id.
func (st *streamState) shard(id string) *shardState {
	for _, h := range st.shards {
		if h.id == id && !h.gone {
			return h
		}
	}
	return nil
}

// from returns the index of the first record at a sequence, or behind it.
func (h *shardState) from(q sequence, included bool) int {
	return sort.Search(len(h.records), func(i int) bool {
		return h.records[i].sequence > q || h.records[i].sequence == q && included
	})
}
