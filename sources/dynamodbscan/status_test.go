package dynamodbscan

import (
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
)

// TestScanStatus: how far a scan is, also after a restart, by the table's own count; and no text shows the
// key of an item.
func TestScanStatus(t *testing.T) {
	r := newRig(t, dynamodbtest.Options{}, dynamodbtest.Table{})
	r.put(0, 500)
	s, err := New("scan", r.cfg)
	r.must(err)
	if p := s.Phases(); len(p) != 1 || !p[0].Began.IsZero() || p[0].Done != 0 {
		t.Errorf("before it is opened: %+v", p)
	}
	r.open()
	for len(r.got) == 0 {
		r.must(r.step(t.Context(), 7))
	}
	r.open()
	p := r.source.Phases()[0]
	if p.Done < int64(len(r.got)) || p.Total != 500 || p.Unit != "items" || p.Began.IsZero() || !p.Ended.IsZero() {
		t.Errorf("half-way, %d items: %+v", len(r.got), p)
	}
	_, left := r.source.Size()
	r.toEnd()
	r.whole()
	p = r.source.Phases()[0]
	if p.Done != 500 || p.Ended.IsZero() || p.Detail != "8 of 8 segments are read to their end" {
		t.Errorf("at the end: %+v", p)
	}
	if read, total := r.source.Size(); read != total || total != left || total == 0 {
		t.Errorf("at the end %d of %d bytes are read, before it were %d", read, total, left)
	}
	for name, cursor := range r.cursors {
		if text := r.source.CursorText(name, cursor); !strings.HasPrefix(text, "the end, after ") || strings.Contains(text, "pk") {
			t.Errorf("the text of %s is %q", cursor, text)
		}
	}
	for _, one := range r.got {
		if strings.Contains(one.position, "k") || !strings.HasPrefix(one.position, "segment ") {
			t.Fatalf("an item is at %q", one.position)
		}
	}
}

// TestScanOldest: none of the items is older.
func TestScanOldest(t *testing.T) {
	r := newRig(t, dynamodbtest.Options{}, dynamodbtest.Table{})
	r.put(0, 1)
	s, err := New("scan", r.cfg)
	r.must(err)
	oldest, err := s.Oldest()
	r.must(err)
	r.open()
	r.toEnd()
	if at := r.got[0].format.ExportTime; oldest > at || time.UnixMicro(at).Sub(time.UnixMicro(oldest)) > 2*time.Hour {
		t.Errorf("%v is the oldest, an item is of %v", time.UnixMicro(oldest), time.UnixMicro(at))
	}
}
