package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Keys are the surrogate keys of each dimension's members, by natural key.
type Keys map[string]map[string]string

// Translate returns tables as they are found in a sink the way Tables has them:
// facts refer to natural keys, and dimensions have no surrogate keys, and no
// inferred member that no fact refers to. It also returns the keys, and what is
// wrong besides the rows' values.
func (m *Model) Translate(found map[string][]Row) (Tables, Keys, []string) {
	tr := translation{m: m, tables: Tables{}, keys: Keys{}, natural: map[string]map[string]string{}}
	for _, d := range m.Star.Dimensions {
		tr.dimension(d.Name, found[d.Name])
	}
	used := map[string]map[string]bool{}
	for _, f := range m.Star.Facts {
		tr.fact(f.Name, found[f.Name], used)
	}
	for name, rows := range tr.tables {
		if _, ok := m.Star.Dimensions.Get(name); ok {
			maps.DeleteFunc(rows, func(nk string, r Row) bool { return r["is_inferred"] == "true" && !used[name][nk] })
		}
	}
	for _, t := range m.tables {
		if rows, ok := found[t.name]; ok {
			tr.add(t.name, rows, t.Key)
		}
	}
	return tr.tables, tr.keys, tr.mistakes
}

type translation struct {
	m        *Model
	tables   Tables
	keys     Keys
	natural  map[string]map[string]string // natural keys by dimension and surrogate key
	mistakes []string
}

func (tr *translation) report(format string, args ...any) {
	tr.mistakes = append(tr.mistakes, fmt.Sprintf(format, args...))
}

// add takes rows with a key of their own.
func (tr *translation) add(table string, rows []Row, key []string) {
	tr.tables[table] = Rows{}
	for _, r := range rows {
		k, ok := r.keyOf(key)
		if !ok {
			tr.report("%s: a null in the key of %v", table, r)
		}
		tr.put(table, k, r)
	}
}

func (tr *translation) put(table, key string, r Row) {
	if other, twice := tr.tables[table][key]; twice {
		tr.report("%s: two rows for %s: %v and %v", table, key, other, r)
	}
	tr.tables[table][key] = r
}

func (tr *translation) dimension(name string, rows []Row) {
	d, _ := tr.m.Star.Dimensions.Get(name)
	tr.tables[name], tr.keys[name], tr.natural[name] = Rows{}, map[string]string{}, map[string]string{}
	columns := d.NaturalKey
	if d.Calendar != nil {
		columns = []string{"date"}
	}
	for _, r := range rows {
		r = maps.Clone(r)
		surrogate := r[d.SurrogateKey]
		delete(r, d.SurrogateKey)
		nk, ok := r.keyOf(columns)
		switch {
		case surrogate == "0":
			nk = Unknown
		case !ok:
			tr.report("%s: member %s has a null in its natural key: %v", name, surrogate, r)
		case d.Calendar != nil && surrogate != strings.ReplaceAll(nk, "-", ""):
			tr.report("%s: %s has key %s", name, nk, surrogate)
		}
		if other, twice := tr.natural[name][surrogate]; twice {
			tr.report("%s: %s and %s have key %s", name, other, nk, surrogate)
		}
		tr.natural[name][surrogate] = nk
		tr.keys[name][nk] = surrogate
		tr.put(name, nk, r)
	}
	if d.Calendar == nil {
		tr.checkSequence(name, d.Keys, d.OnDelete)
	}
}

// checkSequence checks the keys of a dimension as far as its kind of keys says what
// they are: a sequence has no gaps, unless members are taken away.
func (tr *translation) checkSequence(name, kind, onDelete string) {
	var keys []int
	for s := range tr.natural[name] {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			tr.report("%s: a surrogate key %q", name, s)
		}
		keys = append(keys, n)
	}
	slices.Sort(keys)
	if kind == "hash" || onDelete == "delete" {
		return
	}
	for i, n := range keys {
		if n != i {
			tr.report("%s: keys of a sequence with gaps: %v", name, keys)
			return
		}
	}
}

func (tr *translation) fact(name string, rows []Row, used map[string]map[string]bool) {
	f, _ := tr.m.Star.Facts.Get(name)
	var translated []Row
	for _, r := range rows {
		r = maps.Clone(r)
		for _, d := range f.Dimensions {
			dim := d.Value.Dimension
			nk, ok := tr.natural[dim][r[d.Name]]
			if !ok {
				tr.report("%s: %v refers to member %q of %s, which is not there", name, r, r[d.Name], dim)
			}
			r[d.Name] = nk
			if used[dim] == nil {
				used[dim] = map[string]bool{}
			}
			used[dim][nk] = true
		}
		translated = append(translated, r)
	}
	tr.add(name, translated, f.Grain)
}

// Diff says in which rows tables differ from what is wanted; only tables that
// were got are compared.
func Diff(got, want Tables) []string {
	var lines []string
	for _, table := range slices.Sorted(maps.Keys(got)) {
		keys := maps.Clone(got[table])
		maps.Copy(keys, want[table])
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			g, isThere := got[table][key]
			w, isWanted := want[table][key]
			switch {
			case !isWanted:
				lines = append(lines, fmt.Sprintf("%s: %s should not be there: %v", table, key, g))
			case !isThere:
				lines = append(lines, fmt.Sprintf("%s: %s is missing: %v", table, key, w))
			case !maps.Equal(g, w):
				lines = append(lines, fmt.Sprintf("%s: %s is\n\t\t%v, want\n\t\t%v", table, key, g, w))
			}
		}
	}
	return lines
}

// ChangedKeys says which members have another key than before.
func ChangedKeys(before, after Keys) []string {
	var lines []string
	for _, d := range slices.Sorted(maps.Keys(before)) {
		for _, nk := range slices.Sorted(maps.Keys(before[d])) {
			if now, ok := after[d][nk]; ok && now != before[d][nk] {
				lines = append(lines, fmt.Sprintf("%s: %s had key %s and has %s", d, nk, before[d][nk], now))
			}
		}
	}
	return lines
}
