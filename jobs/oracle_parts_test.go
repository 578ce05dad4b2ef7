package jobs

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/jobs/internal/oracle"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
)

// arrangement is how the phases of epochs run, which must not show in any table.
type arrangement struct {
	Workers int
	Parts   int    // 0 = by the size of the epoch
	Shuffle uint64 // seed of the order of messages; 0 = as they are sent
}

// oracleParts are numbers of parts, of some of which key groups are no multiple.
var oracleParts = []int{0, 1, 2, 3, 16, pipeline.KeyGroups}

func drawArrangement(t *rapid.T) arrangement {
	return arrangement{
		Workers: rapid.SampledFrom([]int{1, 2, 7}).Draw(t, "workers of phases"),
		Parts:   rapid.SampledFrom(oracleParts).Draw(t, "parts"),
		Shuffle: rapid.Uint64Range(0, 2).Draw(t, "shuffled by"),
	}
}

func (a arrangement) runner() pipeline.Runner {
	r := &exchange.Runner{Workers: a.Workers, ForceParts: a.Parts}
	if a.Shuffle > 0 {
		r.ShuffleMessages = exchange.ShuffleBy(a.Shuffle)
	}
	return r
}

// TestOracleParts runs random cases twice, with other workers, parts and orders of messages,
// and compares the tables in all columns, surrogate keys too. The cuts of epochs must be the
// same for that: by records of one source, or one epoch a run, and no crashes.
func TestOracleParts(t *testing.T) {
	setRapid(t, "checks", fmt.Sprint((*cases/10+len(oraclePipelines)-1)/len(oraclePipelines)))
	setRapid(t, "nofailfile", "true")
	for i := range oraclePipelines {
		p := oraclePipelines[i]
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.load(t)
			parent := scratch(t)
			rapid.Check(t, func(rt *rapid.T) {
				c := drawCase(rt, &p)
				c.crashes = make([][]crash, len(c.crashes))
				if len(c.delivery.Sources) > 1 {
					c.epoch = 1 << 20 // which of several sources is read first is a matter of time
				}
				other := *c
				other.mappers, other.phases = 9-c.mappers, drawArrangement(rt)
				first, second := runArranged(rt, c, parent), runArranged(rt, &other, parent)
				for _, table := range slices.Sorted(maps.Keys(first)) {
					if !slices.Equal(first[table], second[table]) {
						c.show(rt, t.Name(), nil)
						rt.Fatalf("%+v gives of table %s\n%v, and %+v\n%v", c.phases, table, first[table], other.phases, second[table])
					}
				}
			})
		})
	}
}

// runArranged runs a case, and returns the rows of each table in some order.
func runArranged(t *rapid.T, c *oracleCase, parent string) map[string][]string {
	dir, err := os.MkdirTemp(parent, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // the parent goes with the test
	to := newMemoryWarehouse(func(map[string][]oracle.Row) error { return nil })
	if err := c.run(dir, to); err != nil {
		c.show(t, "TestOracleParts", err)
		t.Fatalf("differs from the model: %v", err)
	}
	rows := map[string][]string{}
	for table, all := range to.all() {
		for _, row := range all {
			rows[table] = append(rows[table], fmt.Sprint(map[string]string(row))) // by column
		}
		slices.Sort(rows[table])
	}
	return rows
}
