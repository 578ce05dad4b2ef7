package unnest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/settle"
	"github.com/starlift-etl/starlift/pipeline/state"
)

func debezium() *pipeline.Format {
	return &pipeline.Format{
		Encoding: pipeline.JSON, Key: []string{"after.id"}, KeyElse: [][]string{{"before.id"}},
		Version:   pipeline.VersionColumn{From: "ts_ms", Type: "timestamp", Format: "unix_ms"},
		Operation: pipeline.OperationColumn{From: "op", Delete: []string{"d"}},
	}
}

const movedTables = `
unmatched: ignore
tables:
	person:
		where: {op: [c, u, d, r]}
		key: [id]
		columns: {id: {from: [after.id, before.id], type: int64}, name: {from: after.name}}
	phone:
		where: {op: [c, u, d, r]}
		explode: {from: after.phones, as: phone}
		key: [id, phone]
		columns: {id: {from: after.id, type: int64}, phone: {}}`

// TestMoved: a change of the key is a delete of the old item and a change of the
// new one, each with its rows; what no table wants needs no key.
func TestMoved(t *testing.T) {
	u := compiled(t, movedTables)
	r := records(debezium(),
		`{"before":null,"after":{"id":1,"name":"Ada","phones":["a","b"]},"op":"c","ts_ms":1}`,
		`{"before":{"id":1,"name":"Ada","phones":["a","b"]},"after":{"id":2,"name":"Eve","phones":["b"]},"op":"u","ts_ms":2}`,
		`{"before":{"id":2,"name":"Eve","phones":["b"]},"after":{"id":2,"name":"Eva","phones":[]},"op":"u","ts_ms":3}`,
		`{"before":{"id":2,"name":"Eva","phones":[]},"after":null,"op":"d","ts_ms":4}`,
		`null`,
		`{"ts_ms":5}`,
		`{"source":{"table":"person"},"ts_ms":6,"ddl":"CREATE TABLE person"}`,
		`{"before":{"name":"x"},"after":{"name":"y"},"op":"u","ts_ms":7}`,
		`{"before":null,"after":{"id":3,"name":[]},"op":"c","ts_ms":8}`,
		`{"before":{"id":4,"name":"Kim"},"after":{"id":3,"name":[]},"op":"u","ts_ms":9}`,
	)
	b := mapAll(t, u, everything(u), r)
	equal(t, "persons", dump(b, "person"), `0 upsert 1 "Ada"`, `1 delete 1 "Ada"`, `1 upsert 2 "Eve"`, `2 upsert 2 "Eva"`, `3 delete 2 "Eva"`)
	equal(t, "phones", dump(b, "phone"), `0 upsert 1 "a"`, `0 upsert 1 "b"`, `1 delete 1 "a"`, `1 delete 1 "b"`, `1 upsert 2 "b"`, `2 delete 2 "b"`)
	var changed []string
	for _, c := range b.Changes {
		changed = append(changed, fmt.Sprintf("%d %s %d %t", c.Record, c.Key, c.Version.Time, c.Version.New != 0))
	}
	equal(t, "changes", changed, `0 {"after.id":1} 1000 true`, `1 {"after.id":1} 2000 false`, `1 {"after.id":2} 2000 true`,
		`2 {"after.id":2} 3000 true`, `3 {"after.id":2} 4000 false`)
	if b.Ignored != 3 || len(b.DeadLetters) != 3 || b.DeadLetters[0].Pos.Line != 8 || b.DeadLetters[1].Pos.Line != 9 || b.DeadLetters[2].Pos.Line != 10 {
		t.Errorf("%d are ignored, dead letters %q", b.Ignored, letters(b))
	}
	for _, rows := range b.Tables {
		for i, op := range rows.Ops {
			if c := b.Changes[rows.Change[i]]; c.Record == 1 && (op == pipeline.OpDelete) != (c.Version.New == 0) {
				t.Errorf("table %s: a row of the wrong change", rows.Table.Name)
			}
		}
	}

	strict := compiled(t, strings.Replace(movedTables, "unmatched: ignore", "", 1))
	b = mapAll(t, strict, everything(strict), r)
	if got := letters(b); len(got) != 6 || !strings.HasPrefix(got[0], "unmatched: ") || !strings.HasPrefix(got[3], `bad_record: key attribute "after.id" is missing`) {
		t.Errorf("dead letters %q", got)
	}
}

// person is a row of the database whose changes are read.
type person struct {
	name string
	at   int64 // of its last change
}

// history returns the changes of a table whose rows come, change, go, and take each
// other's keys in chains and circles, and the table as it is at last.
func history(r *rand.Rand, n int) (lines []string, table map[int]person) {
	table = map[int]person{}
	image := func(id int, p person) string { return fmt.Sprintf(`{"id":%d,"name":%q}`, id, p.name) }
	for at := int64(1); len(lines) < n; at++ {
		id, other := r.IntN(5), r.IntN(5)
		now := person{fmt.Sprintf("n%d", at), at}
		was, there := table[id]
		_, taken := table[other]
		switch {
		case !there:
			lines = append(lines, fmt.Sprintf(`{"before":null,"after":%s,"op":"c","ts_ms":%d}`, image(id, now), at))
			table[id] = now
		case r.IntN(4) == 0:
			lines = append(lines, fmt.Sprintf(`{"before":%s,"after":null,"op":"d","ts_ms":%d}`, image(id, was), at))
			delete(table, id)
		case taken:
			lines = append(lines, fmt.Sprintf(`{"before":%s,"after":%s,"op":"u","ts_ms":%d}`, image(id, was), image(id, now), at))
			table[id] = now
		default:
			lines = append(lines, fmt.Sprintf(`{"before":%s,"after":%s,"op":"u","ts_ms":%d}`, image(id, was), image(other, now), at))
			delete(table, id)
			table[other] = now
		}
	}
	return lines, table
}

// TestMovedAgainstAModel: whatever keys were taken, in whatever order and epochs
// the changes come, repeated ones too, the settled rows and the newest of the log
// are the database's.
func TestMovedAgainstAModel(t *testing.T) {
	u := compiled(t, strings.Split(movedTables, "\tphone:")[0])
	for range 30 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		lines, table := history(r, 1+r.IntN(24))
		for range r.IntN(4) {
			lines = append(lines, lines[r.IntN(len(lines))])
		}
		if r.IntN(3) > 0 {
			r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		}
		want := map[int64]string{}
		for id, p := range table {
			want[int64(id)] = p.name
		}
		s := newSettling(t, u)
		log := map[int64]entry{}
		for epoch := range slices.Chunk(lines, 1+r.IntN(len(lines))) {
			s.epoch(epoch, log)
		}
		maps.DeleteFunc(log, func(_ int64, l entry) bool { return l.op == pipeline.OpDelete })
		last := map[int64]string{}
		for id, l := range log {
			last[id] = l.name
		}
		if !maps.Equal(s.table, want) || !maps.Equal(last, want) {
			t.Fatalf("seed %d\n%s\nsettled %v\nlog %v\nwant %v", seed, strings.Join(lines, "\n"), s.table, last, want)
		}
	}
}

type entry struct {
	op   pipeline.Op
	at   int64
	name string
}

// settling keeps the settled table of an unnest.
type settling struct {
	t       *testing.T
	u       *Unnest
	mapper  pipeline.Mapper
	settler *settle.Settler
	format  *pipeline.Format
	table   map[int64]string
	read    int64
}

func newSettling(t *testing.T, u *Unnest) *settling {
	s := &settling{t: t, u: u, mapper: u.NewMapper(everything(u)), format: debezium(), table: map[int64]string{}}
	store, err := state.Open(t.TempDir(), state.Options{Pipeline: "p", Memory: 8 << 20})
	s.check(err)
	t.Cleanup(func() { s.check(store.Close()) })
	spaces, err := store.Keyspaces(0, 1)
	s.check(err)
	tables := make([]settle.Table, len(u.Tables()))
	for i, t := range u.Tables() {
		tables[i] = settle.Table{Table: t, StateName: t.Name}
	}
	s.settler, err = settle.New(settle.Options{Node: "items", Tables: tables, Retention: 1 << 40, State: settle.State{Items: spaces.All[0], Keys: spaces.All[1]}})
	s.check(err)
	return s
}

func (s *settling) check(err error) {
	if err != nil {
		s.t.Fatal(err)
	}
}

// epoch settles records as one epoch, and takes the log's rows.
func (s *settling) epoch(lines []string, log map[int64]entry) {
	r := records(s.format, lines...)
	r.First = s.read
	s.read += int64(len(lines))
	b, err := s.mapper.Map(context.Background(), r)
	s.check(err)
	defer b.Release()
	if len(b.DeadLetters) > 0 {
		s.t.Fatalf("dead letters %q", letters(b))
	}
	for _, rows := range b.Tables {
		for i, op := range rows.Ops {
			at := b.Changes[rows.Change[i]].Version.Time
			if id := rows.Record.Column(0).(*array.Int64).Value(i); log[id].at <= at {
				log[id] = entry{op, at, rows.Record.Column(1).(*array.String).Value(i)}
			}
		}
	}
	packet, err := s.settler.NewPacker().Pack(b)
	s.check(err)
	s.check(s.settler.Add(packet, b, 0))
	result, err := s.settler.Settle(&exchange.Runner{Workers: 2})
	s.check(err)
	for _, table := range result.Rows {
		rows := table.Columnar()
		for i, op := range rows.Ops {
			id := rows.Record.Column(0).(*array.Int64).Value(i)
			if op == pipeline.OpDelete {
				delete(s.table, id)
			} else {
				s.table[id] = rows.Record.Column(1).(*array.String).Value(i)
			}
		}
		rows.Record.Release()
	}
	s.settler.Release()
}
