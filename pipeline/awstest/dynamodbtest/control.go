package dynamodbtest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// Table is what a table is made with.
type Table struct {
	Name string
	// Key and SortKey are the attributes of its key, as "id", or "id N" where they are no texts; an empty SortKey = none.
	Key, SortKey string
	// View is the view type of its stream; empty = it has none.
	View string
	// Partitions is how many it has, and shards its stream; 0 = 1.
	Partitions int
	// Expiry is the attribute of its time to live; empty = it has none.
	Expiry string
	// Recovery switches point-in-time recovery on.
	Recovery bool
}

// Create makes a table, and its stream.
func (s *Server) Create(of Table) error {
	defer s.lock()()
	in := &createTableInput{TableName: of.Name, BillingMode: "PAY_PER_REQUEST"}
	for i, text := range []string{of.Key, of.SortKey} {
		if text == "" {
			continue
		}
		name, kind := text, "S"
		if n := len(text); n > 2 && text[n-2] == ' ' {
			name, kind = text[:n-2], text[n-1:]
		}
		in.KeySchema = append(in.KeySchema, keyElement{name, []string{"HASH", "RANGE"}[i]})
		in.AttributeDefinitions = append(in.AttributeDefinitions, attributeDefinition{name, kind})
	}
	if _, err := s.onCreateTable(s.call(), in); err != nil {
		return err
	}
	t := s.lookup(s.o.Region, of.Name)
	t.expiry = of.Expiry
	if of.Recovery {
		t.recovery = recovery{since: s.now(), days: 35}
	}
	t.partitions = nil
	n := uint64(max(1, of.Partitions))
	for i := range n {
		t.partitions = append(t.partitions, &partition{first: segmentStart(int(i), int(n)), last: math.MaxUint64})
		if i > 0 {
			t.partitions[i-1].last = t.partitions[i].first - 1
		}
	}
	if of.View != "" {
		return s.enable(t, of.View)
	}
	return nil
}

// call is one without a request.
func (s *Server) call() *awsfake.Call { return &awsfake.Call{Region: s.o.Region} }

// with runs what has a table as its object, which is named by its name or its ARN.
func (s *Server) with(table string, what func(t *tableState) error) error {
	defer s.lock()()
	t, err := s.find(s.o.Region, table)
	if err != nil {
		return fmt.Errorf("table %s: %w", table, err)
	}
	return what(t)
}

// withStream runs what has the enabled stream of a table as its object.
func (s *Server) withStream(table string, what func(st *streamState) error) error {
	return s.with(table, func(t *tableState) error {
		st := t.enabled()
		if st == nil {
			return fmt.Errorf("table %s: no stream is enabled", t.name)
		}
		return what(st)
	})
}

// withShard runs what has a shard of any stream of a table as its object.
func (s *Server) withShard(table, id string, what func(h *shardState) error) error {
	return s.with(table, func(t *tableState) error {
		for _, st := range t.streams {
			if h := st.shard(id); h != nil {
				return what(h)
			}
		}
		return fmt.Errorf("shard %s of table %s: not found", id, table)
	})
}

// Put writes items, each in the place of the one that has its key.
func (s *Server) Put(table string, items ...Item) error {
	return s.with(table, func(t *tableState) error {
		for _, item := range items {
			item, err := item.normal()
			if err != nil {
				return err
			}
			k, err := t.keyOf(item)
			if err != nil {
				return err
			}
			if _, err := s.write(t, k, item, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// Delete deletes the items of keys, where they are.
func (s *Server) Delete(table string, keys ...Item) error {
	return s.with(table, func(t *tableState) error {
		for _, key := range keys {
			key, err := key.normal()
			if err != nil {
				return err
			}
			k, err := t.keyAlone(key)
			if err != nil {
				return err
			}
			if _, err := s.write(t, k, nil, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// EnableStream enables a new stream of a table, and returns its ARN.
func (s *Server) EnableStream(table, view string) (arn string, err error) {
	err = s.with(table, func(t *tableState) error {
		if err := s.enable(t, view); err != nil {
			return err
		}
		arn = t.latest().arn
		return nil
	})
	return arn, err
}

// DisableStream disables the stream of a table.
func (s *Server) DisableStream(table string) error {
	return s.withStream(table, func(st *streamState) error {
		s.closeStream(st)
		return nil
	})
}

// Roll closes all open shards of a table's stream, and opens a child of each.
func (s *Server) Roll(table string) error {
	return s.withStream(table, func(st *streamState) error {
		for _, p := range st.table.partitions {
			s.roll(st, p)
		}
		return nil
	})
}

// SplitPartition splits one of a table's partitions, counted from 0, in the middle. In the stream
// its shard closes, and has two children.
func (s *Server) SplitPartition(table string, n int) error {
	return s.with(table, func(t *tableState) error {
		if n < 0 || n >= len(t.partitions) {
			return fmt.Errorf("partition %d of table %s: it has %d", n, table, len(t.partitions))
		}
		p := t.partitions[n]
		middle := p.first + (p.last-p.first)/2
		upper := &partition{first: middle + 1, last: p.last}
		p.last = middle
		t.partitions = slices.Insert(t.partitions, n+1, upper)
		if st := t.enabled(); st != nil {
			parent := p.shard
			s.roll(st, p)
			upper.shard = s.openShard(st, parent)
		}
		return nil
	})
}

// ExpireItems deletes the items of a table whose time to live has passed, as the service does in its
// own time, and returns how many.
func (s *Server) ExpireItems(table string) (n int, err error) {
	err = s.with(table, func(t *tableState) error {
		n = s.expire(t, s.now())
		return nil
	})
	return n, err
}

// expire deletes items whose time to live is before a time, and at most five years before it.
func (s *Server) expire(t *tableState, before time.Time) int {
	if t.expiry == "" {
		return 0
	}
	var keys []primaryKey
	t.items.from(nil, func(r *row) bool {
		v := r.item[t.expiry]
		if at, err := strconv.ParseFloat(v.Text, 64); v.Type == "N" && err == nil && at <= float64(before.Unix()) && at > float64(before.AddDate(-5, 0, 0).Unix()) {
			keys = append(keys, r.key)
		}
		return true
	})
	for _, k := range keys {
		if _, err := s.write(t, k, nil, true); err != nil {
			panic(err) // a deletion has no limits
		}
	}
	return len(keys)
}

// Items returns the items of a table, in the order in which a scan finds them.
func (s *Server) Items(table string) (items []Item, err error) {
	err = s.with(table, func(t *tableState) error {
		t.items.from(nil, func(r *row) bool {
			items = append(items, r.item)
			return true
		})
		return nil
	})
	return items, err
}

// Log returns the changes of all tables, in their order.
func (s *Server) Log() []*Change {
	defer s.lock()()
	return slices.Clone(s.changes)
}

// changesSince returns the changes behind the first n of all tables, and what is closed when there are more.
func (s *Server) changesSince(n int) (more []*Change, next <-chan struct{}) {
	defer s.lock()()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changes[n:len(s.changes):len(s.changes)], s.changed
}

// Shard is what a test may know of a shard.
type Shard struct {
	ID, Parent, Stream string // Stream is its stream's ARN
	Open               bool
	Records            int    // that can be read
	Last               string // the sequence number of the last of them; empty = there is none
}

// Shards returns the shards of all streams of a table that are still there, hidden ones too.
func (s *Server) Shards(table string) (shards []Shard, err error) {
	err = s.with(table, func(t *tableState) error {
		for _, st := range t.streams {
			for _, h := range st.shards {
				if !h.gone {
					of := Shard{ID: h.id, Parent: h.parent, Stream: st.arn, Open: h.open(), Records: len(h.records) - h.trimmed}
					if of.Records > 0 {
						of.Last = h.records[len(h.records)-1].sequence.String()
					}
					shards = append(shards, of)
				}
			}
		}
		return nil
	})
	return shards, err
}

// Trim makes the first n records that a shard ever had unreadable, as retention does.
func (s *Server) Trim(table, shard string, n int) error {
	return s.withShard(table, shard, func(h *shardState) error {
		if n > len(h.records) {
			return fmt.Errorf("shard %s of table %s: %d records, of which %d are to be trimmed", shard, table, len(h.records), n)
		}
		h.trimmed = max(h.trimmed, n)
		return nil
	})
}

// Forget takes a shard out of its stream, as retention does with closed ones: it is neither listed
// nor read any more. Its children still name it.
func (s *Server) Forget(table, shard string) error {
	return s.withShard(table, shard, func(h *shardState) error {
		h.gone = true
		return nil
	})
}

// Hide takes a shard out of lists, or brings it back. It can be read meanwhile: lists may lag behind.
func (s *Server) Hide(table, shard string, hidden bool) error {
	return s.withShard(table, shard, func(h *shardState) error {
		h.hidden = hidden
		return nil
	})
}

// EmptyPages lets the next n reads of a shard come without records, whatever there is.
func (s *Server) EmptyPages(table, shard string, n int) error {
	return s.withShard(table, shard, func(h *shardState) error {
		h.emptyPages = n
		return nil
	})
}

// ItemsAt returns the items of a table as they were at a time, in no order: all changes up to then, that
// of the very microsecond included.
func (s *Server) ItemsAt(table string, at time.Time) (items []Item, err error) {
	err = s.with(table, func(t *tableState) error {
		for _, r := range s.rowsAt(t, at) {
			items = append(items, r.item)
		}
		return nil
	})
	return items, err
}

// rowsAt returns the images of a table's items at a time. The lock is held.
func (s *Server) rowsAt(t *tableState, at time.Time) map[primaryKey]*row {
	rows := map[primaryKey]*row{}
	for _, c := range s.changes {
		switch {
		case c.table != t || c.Time.After(at):
		case c.new != nil:
			rows[c.new.key] = c.new
		default:
			delete(rows, c.old.key)
		}
	}
	return rows
}
