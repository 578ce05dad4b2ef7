package draft

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// randomKind is a kind of items that a test makes.
type randomKind struct {
	pk, sk     []string // constants, and empty texts for what differs
	attributes []string
	items      []string
}

var (
	randomLabels = []string{"USER", "ORDER", "Invoice", "game", "p", "TENANT", "device_log", "Store"}
	randomPaths  = [][]string{{"PROFILE"}, {"LINE", ""}, {"NOTE", "", ""}, {"STATE", "", "EVENT", ""}, {"", "META", ""}}
)

// randomKinds returns kinds of items with other keys and attributes each.
func randomKinds(r *rand.Rand) []*randomKind {
	var kinds []*randomKind
	labels := r.Perm(len(randomLabels))
	for _, l := range labels[:1+r.IntN(3)] {
		pk := []string{randomLabels[l], ""}
		for _, p := range r.Perm(len(randomPaths))[:1+r.IntN(3)] {
			k := &randomKind{pk: pk, sk: randomPaths[p]}
			for a := range 1 + r.IntN(4) {
				k.attributes = append(k.attributes, fmt.Sprintf("a%d_%d_%d", l, p, a))
			}
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// fill makes items: identifiers have a digit, so that none looks like a constant.
func (k *randomKind) fill(r *rand.Rand) {
	seen := map[string]bool{}
	for range 3 + r.IntN(20) {
		key := func(parts []string) string {
			texts := make([]string, len(parts))
			for i, p := range parts {
				if texts[i] = p; p == "" && i > 0 {
					texts[i] = fmt.Sprintf("%c%d", 'a'+r.IntN(26), r.IntN(40))
				}
			}
			return strings.Join(texts, "#")
		}
		pk, sk := key(k.pk), key(k.sk)
		if seen[pk+" "+sk] {
			continue
		}
		seen[pk+" "+sk] = true
		item := fmt.Sprintf(`"PK":{"S":%q},"SK":{"S":%q}`, pk, sk)
		for i, a := range k.attributes {
			if i == 0 || r.IntN(3) > 0 {
				item += fmt.Sprintf(`,%q:{"N":"%d"}`, a, r.IntN(100))
			}
		}
		k.items = append(k.items, "{"+item+"}")
	}
}

// TestDraftFindsKinds: of random kinds of items, each is one table, whose where takes all of its
// items and no others, and no two rows of a table have one key.
func TestDraftFindsKinds(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for round := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, round))
		kinds := randomKinds(r)
		var all []string
		for _, k := range kinds {
			k.fill(r)
			all = append(all, k.items...)
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		path := filepath.Join(t.TempDir(), "input.ndjson")
		if err := os.WriteFile(path, []byte(strings.Join(all, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		a, text := drafted(t, path)
		tables := rowsOf(t, a)
		for _, k := range kinds {
			found := 0
			for _, table := range tables {
				if n := table.rowsWith(k.attributes[0]); n > 0 {
					if found++; n != len(k.items) || len(table.rows) != n {
						t.Errorf("seed %d, round %d: table %s has %d rows, %d of the %d items of %v / %v", seed, round, table.name, len(table.rows), n, len(k.items), k.pk, k.sk)
					}
				}
			}
			if found != 1 {
				t.Errorf("seed %d, round %d: %d tables have the items of %v / %v, want 1", seed, round, found, k.pk, k.sk)
			}
		}
		letters, rows := lettersOf(t, a)
		for _, table := range tables {
			if rows[table.name] != len(table.rows) {
				t.Errorf("seed %d, round %d: table %s has %d rows of %d items", seed, round, table.name, rows[table.name], len(table.rows))
			}
		}
		if letters > 0 || len(tables) != len(kinds) {
			t.Errorf("seed %d, round %d: %d dead letters, %d tables of %d kinds", seed, round, letters, len(tables), len(kinds))
		}
		if t.Failed() {
			t.Fatalf("%s", text)
		}
	}
}

// rowsWith returns the number of rows of items that have an attribute.
func (t *rowsTable) rowsWith(attribute string) (n int) {
	for of := range t.rows {
		if strings.Contains(of, `"`+attribute+`"`) {
			n++
		}
	}
	return n
}
