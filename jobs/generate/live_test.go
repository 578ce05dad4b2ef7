package generate

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"
)

// TestLiveTableStays: a table that reached its size keeps it, by changes most of
// which modify an item; neither the customers, nor their addresses, nor the
// orders of one of them become ever more.
func TestLiveTableStays(t *testing.T) {
	const live = 2_000
	var out bytes.Buffer
	if _, err := EcommerceCDC(t.Context(), &out, nil, Options{Seed: 8, Records: 30_000, Live: live}); err != nil {
		t.Fatal(err)
	}
	table := map[string]string{} // key: its partition
	customers, addresses := map[string]bool{}, map[string]bool{}
	events := map[string]int{}
	grown, before := 0, map[string]bool{}
	for line := range bytes.Lines(out.Bytes()) {
		var r changeRecord
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		key := itemKey(r.Dynamodb.Keys)
		delete(table, key)
		if image := r.Dynamodb.NewImage; image != nil {
			partition := image["PK"].(map[string]any)["S"].(string)
			table[key] = partition
			if home, ok := image["address"]; ok {
				address, err := json.Marshal(home)
				if err != nil {
					t.Fatal(err)
				}
				customers[partition], addresses[partition+string(address)] = true, true
			}
		}
		switch {
		case grown == 0 && len(table) < live:
			continue
		case grown == 0:
			before = maps.Clone(customers)
		}
		grown++
		events[r.EventName]++
		if len(table) < live-maxLines-2 || len(table) > live+maxLines+2 {
			t.Fatalf("%d items after %d changes at %d", len(table), grown, live)
		}
	}
	if grown < 25_000 || !maps.Equal(before, customers) {
		t.Errorf("%d changes of a table that is grown, from %d customers to %d", grown, len(before), len(customers))
	}
	if n := len(addresses); n < 2*len(customers) || n > maxHouses*len(customers) {
		t.Errorf("%d addresses of %d customers", n, len(customers))
	}
	if events[modify] < grown*65/100 || events[insert] < grown/10 || events[remove] < grown/10 {
		t.Errorf("of %d changes %v", grown, events)
	}
	orders := map[string]int{}
	for _, partition := range table {
		orders[partition]++
	}
	for partition, n := range orders {
		if n > 30 {
			t.Errorf("%s has %d items", partition, n)
		}
	}
}
