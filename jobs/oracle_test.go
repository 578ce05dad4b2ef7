package jobs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

var cases = flag.Int("oracle.cases", 500, "cases that the memory warehouse is held to; DuckDB gets a tenth of them")

// TestOracleInMemory holds random cases of every pipeline against the model.
func TestOracleInMemory(t *testing.T) {
	checkOracle(t, *cases, func(c *oracleCase, _ string) target { return newMemoryWarehouse(c.judge()) })
}

// TestOracleInDuckDB does the same through a real warehouse.
func TestOracleInDuckDB(t *testing.T) {
	checkOracle(t, *cases/10, func(_ *oracleCase, dir string) target { return duckdbFile(filepath.Join(dir, "warehouse.duckdb")) })
}

// checkOracle checks a number of cases, spread over the pipelines. It may not
// run beside other tests: rapid has one number of checks for all.
func checkOracle(t *testing.T, cases int, open func(*oracleCase, string) target) {
	setRapid(t, "checks", fmt.Sprint((cases+len(oraclePipelines)-1)/len(oraclePipelines)))
	setRapid(t, "nofailfile", "true") // the case that failed is left as a pipeline
	for i := range oraclePipelines {
		p := oraclePipelines[i]
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.load(t)
			parent := scratch(t)
			rapid.Check(t, func(rt *rapid.T) {
				c := drawCase(rt, &p)
				dir, err := os.MkdirTemp(parent, "")
				if err != nil {
					rt.Fatal(err)
				}
				defer func() { _ = os.RemoveAll(dir) }() // the parent goes with the test
				if err := c.run(dir, open(c, dir)); err != nil {
					c.show(rt, t.Name(), err)
					rt.Fatalf("differs from the model: %v", err)
				}
			})
		})
	}
}

// scratch returns a folder for the cases, in memory where there is one: their
// state is synced often, and nothing of it has to outlive the machine.
func scratch(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "starlift-oracle")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// setRapid sets one of rapid's flags until the test ends.
func setRapid(t *testing.T, name, value string) {
	t.Helper()
	name = "rapid." + name
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := flag.Set(name, before); err != nil {
			t.Error(err)
		}
	})
}

func (w *memoryWarehouse) into(a *assembly.Pipeline) {
	editPlan(a, func(n *graph.Nodes) {
		for i := range n.Sinks {
			n.Sinks[i].Sink = w
		}
	})
}
