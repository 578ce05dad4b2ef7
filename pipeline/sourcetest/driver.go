package sourcetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
)

// readTimeout bounds a wait for a source that is to give something.
const readTimeout = 20 * time.Second

// record is one that a source gave.
type record struct {
	partition string // as people call it
	text      string
	position  string
	ordinal   int64
	cursors   map[string][]byte // all of the source, behind it
}

// sourceDriver is one opening of a source, from which records are taken as the engine does it.
type sourceDriver struct {
	t       testing.TB
	source  pipeline.Source
	cursors map[string][]byte // behind the last record that was taken
	rest    *pipeline.Records // of the last batch, not taken yet
	batch   *pipeline.Records
	notices chan pipeline.Notice
}

// open opens a source at cursors.
func open(t testing.TB, s pipeline.Source, cursors map[string][]byte) (*sourceDriver, error) {
	t.Helper()
	return openWith(t, s, pipeline.SourceOptions{Cursors: cursors})
}

// openWith opens a source.
func openWith(t testing.TB, s pipeline.Source, o pipeline.SourceOptions) (*sourceDriver, error) {
	t.Helper()
	cursors := o.Cursors
	r := &sourceDriver{t: t, source: s, cursors: maps.Clone(cursors), notices: make(chan pipeline.Notice, 100)}
	if r.cursors == nil {
		r.cursors = map[string][]byte{}
	}
	o.Env, o.Cursors = pipeline.NewEnv(), maps.Clone(cursors)
	o.Env.Notify = func(n pipeline.Notice) { r.notices <- n }
	return r, s.Open(t.Context(), o)
}

func mustOpen(t testing.TB, s pipeline.Source, cursors map[string][]byte) *sourceDriver {
	t.Helper()
	r, err := open(t, s, cursors)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	return r
}

// next takes a record; io.EOF = there are no more.
func (r *sourceDriver) next(ctx context.Context) (record, error) {
	for r.rest == nil || r.rest.Len() == 0 {
		if err := r.read(ctx); err != nil {
			return record{}, err
		}
	}
	one := r.rest.Slice(0, 1)
	r.rest = r.rest.Slice(1, r.rest.Len())
	r.move(one)
	r.cursors[one.Partition] = one.CursorAfter(1)
	return record{cmp.Or(one.DisplayName, one.Partition), strings.Clone(string(one.Bytes(0))), one.Position(0).String(), one.First, maps.Clone(r.cursors)}, nil
}

// read takes the next batch, which may have no records.
func (r *sourceDriver) read(ctx context.Context) error {
	r.release()
	batch, err := r.source.Read(ctx)
	if err != nil {
		return err
	}
	if batch.Source == "" || batch.Format == nil || batch.Len() > 0 && (batch.Partition == "" || batch.CursorAfter == nil) {
		r.t.Fatalf("records of source %q, partition %q, without what they need", batch.Source, batch.Partition)
	}
	r.batch, r.rest = batch, batch
	if batch.Len() > 0 {
		return nil
	}
	r.move(batch)
	if batch.SaveNow {
		return r.source.Committed(ctx, maps.Clone(r.cursors))
	}
	return nil
}

// move takes the positions that come with records.
func (r *sourceDriver) move(batch *pipeline.Records) {
	for _, p := range batch.Dropped {
		delete(r.cursors, p)
	}
	maps.Copy(r.cursors, batch.Positions)
}

// release gives the memory of the last batch back, and spoils it first.
func (r *sourceDriver) release() {
	if r.batch == nil {
		return
	}
	for i := range r.batch.Data {
		r.batch.Data[i] = '#'
	}
	if r.batch.Free != nil {
		r.batch.Free()
	}
	r.batch, r.rest = nil, nil
}

// take takes n records, or all that there are with n < 0 of a bounded source.
func (r *sourceDriver) take(n int) (all []record) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), readTimeout)
	defer cancel()
	for n < 0 || len(all) < n {
		one, err := r.next(ctx)
		if errors.Is(err, io.EOF) && n < 0 {
			return all
		}
		if err != nil {
			r.t.Fatalf("after %d of %d records: %v", len(all), n, err)
		}
		all = append(all, one)
	}
	return all
}

// close ends the reading, as a process that was killed does, but for its goroutines.
func (r *sourceDriver) close() {
	r.t.Helper()
	for range 2 {
		if err := r.source.Close(); err != nil {
			r.t.Errorf("closing: %v", err)
		}
	}
	if _, err := r.source.Read(r.t.Context()); err == nil || errors.Is(err, io.EOF) {
		r.t.Errorf("reading after Close: %v", err)
	}
	r.batch, r.rest = nil, nil // never freed, as after a failure
}

// account holds what was read and saved against what the input has.
type account struct {
	read     map[string][]string // by partition
	order    []record
	ordinals map[string]int64 // by record
}

func newAccount() *account {
	return &account{read: map[string][]string{}, ordinals: map[string]int64{}}
}

// add takes a record whose cursor is saved.
func (a *account) add(t testing.TB, one record) {
	t.Helper()
	a.see(t, one)
	a.read[one.partition] = append(a.read[one.partition], one.text)
	a.order = append(a.order, one)
}

// see holds the ordinal of a record against that of an earlier reading.
func (a *account) see(t testing.TB, one record) {
	t.Helper()
	if before, again := a.ordinals[one.text]; again && before != one.ordinal {
		t.Errorf("record %s has the ordinal %d, and had %d", one.text, one.ordinal, before)
	}
	a.ordinals[one.text] = one.ordinal
}

// check compares with all that is wanted but what is lost: each record once, in the order
// of its partition, with rising ordinals, and behind those of the parents (I4), with greater ordinals.
func (a *account) check(t testing.TB, want []Partition, lost ...string) {
	t.Helper()
	gone := map[string]bool{}
	for _, text := range lost {
		gone[text] = true
	}
	all := 0
	place := map[string]int{}
	for i, one := range a.order {
		place[one.text] = i
	}
	last, highest := map[string]int{}, map[string]int64{}
	for _, p := range want {
		var texts []string
		for _, text := range p.Records {
			if !gone[text] {
				texts = append(texts, text)
			}
		}
		all += len(texts)
		if got := a.read[p.Name]; fmt.Sprint(got) != fmt.Sprint(texts) {
			t.Errorf("partition %s gave\n%v\nwant\n%v", p.Name, got, texts)
		}
		for i := 1; i < len(texts); i++ {
			if a.ordinals[texts[i]] <= a.ordinals[texts[i-1]] {
				t.Errorf("the ordinal of %s is not above that of the record before", texts[i])
			}
		}
		if len(texts) > 0 {
			last[p.Name] = place[texts[len(texts)-1]]
			highest[p.Name] = a.ordinals[texts[len(texts)-1]]
			for _, parent := range p.Parents {
				if at, ok := last[parent]; ok && at > place[texts[0]] {
					t.Errorf("partition %s was read before its parent %s had ended", p.Name, parent)
				}
				if n, ok := highest[parent]; ok && a.ordinals[texts[0]] <= n {
					t.Errorf("the ordinals of partition %s begin with %d, and those of its parent %s end with %d", p.Name, a.ordinals[texts[0]], parent, n)
				}
			}
		}
	}
	if len(a.order) != all {
		t.Errorf("%d records were read, want %d", len(a.order), all)
	}
}

// checkText holds the text of a cursor to what people need.
func checkText(t testing.TB, s pipeline.Source, partition string, cursor []byte) string {
	t.Helper()
	text := s.CursorText(partition, cursor)
	if text == "" || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n") {
		t.Errorf("cursor %q of %s: its text is %q", cursor, partition, text)
	}
	return text
}
