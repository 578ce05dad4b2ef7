package roles

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func seconds(of map[string]float64) CPU {
	c := CPU{}
	for role, s := range of {
		c[role] = time.Duration(s * float64(time.Second))
	}
	return c
}

// TestBusiest: lanes are goroutines of their own, the roles of a sequence are one goroutine,
// and what has no role is none.
func TestBusiest(t *testing.T) {
	for _, tt := range []struct {
		cpu  map[string]float64
		want string
		most float64
	}{
		{map[string]float64{}, "", 0},
		{map[string]float64{"reader changes": 3, "mapper 0": 2, "mapper 1": 2}, "reader changes", 3},
		{map[string]float64{"reader changes": 3, "reader changes 0": 2, "reader changes 1": 1}, "reader changes", 3},
		{map[string]float64{"reader changes 0": 3, "reader changes 1": 2, "mapper 0": 2, "mapper 1": 4}, "mapper n", 4},
		{map[string]float64{"builder": 2, "phases 0": 2, "phases 1": 1.5, "mapper 0": 3}, "builder and phases n", 4},
		{map[string]float64{"committer": 2, "saver 0": 1, "saver 1": 3, "mapper 0": 4}, "committer and saver n", 5},
		{map[string]float64{"builder": 2, Collector: 9, Libraries: 7, scheduler: 5, databaseWork: 6}, "builder", 2},
		{map[string]float64{"builder": 2, "(file.run)": 3}, "(file.run)", 3},
		{map[string]float64{"builder": 2, "committer": 3, "splitter": 1}, "committer", 3},
	} {
		name, most := Busiest(seconds(tt.cpu))
		if name != tt.want || most.Seconds() != tt.most {
			t.Errorf("%v: %q with %v, want %q with %v", tt.cpu, name, most.Seconds(), tt.want, tt.most)
		}
	}
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	if err := seconds(map[string]float64{"builder": 1, "phases 0": 2, "phases 11": 3, Collector: 4}).Print(&out); err != nil {
		t.Fatal(err)
	}
	want := `phases n 5.00 s 50.0 % 2 lanes, the busiest 30.0 %
(garbage collector) 4.00 s 40.0 %
builder 1.00 s 10.0 %
busiest goroutine: 40 % (builder and phases n)
`
	var got strings.Builder
	for line := range strings.Lines(out.String()) {
		got.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	if got.String() != want {
		t.Errorf("printed\n%s, want\n%s", got.String(), want)
	}
}

// TestRead takes a profile of this process, in which goroutines with and without a role do the
// same amount of work.
func TestRead(t *testing.T) {
	var file bytes.Buffer
	if err := pprof.StartCPUProfile(&file); err != nil {
		t.Skip(err) // the test is run with a profile of its own
	}
	var wg sync.WaitGroup
	var done atomic.Uint64
	busy := func(context.Context) {
		sum := uint64(1)
		for i := range uint64(150_000_000) {
			sum = sum*31 ^ i
		}
		done.Add(sum)
	}
	for _, role := range []string{"builder", "mapper 3"} {
		wg.Go(func() { pprof.Do(t.Context(), pprof.Labels("role", role, "phase", "x"), busy) })
	}
	wg.Go(func() { pprof.Do(t.Context(), pprof.Labels("pebble", "compact"), busy) })
	wg.Go(func() { busy(t.Context()) })
	wg.Wait()
	pprof.StopCPUProfile()
	c, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if len(c) < 4 {
		t.Fatalf("got %v, want two roles, merges, and what has none", c)
	}
	// How the machine shares its processors is its own affair.
	for _, role := range []string{"builder", "mapper 3", databaseWork, "(sync.(*WaitGroup).Go.func1)"} {
		if c[role] == 0 {
			t.Errorf("%s has no CPU: %v", role, c)
		}
	}
	if sum := c.Total(); sum < 50*time.Millisecond || sum > time.Minute {
		t.Errorf("all CPU is %s, want some of a second", sum)
	}
}

func TestReadRefusesOthers(t *testing.T) {
	var heap bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&heap, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(&heap); err == nil {
		t.Error("a profile of the heap is read")
	}
	if _, err := Read(strings.NewReader("text")); err == nil {
		t.Error("a text is read")
	}
	cut := bytes.NewReader(heap.Bytes()[:heap.Len()/2])
	if _, err := Read(cut); err == nil {
		t.Error("half a profile is read")
	}
}

func TestWithoutRole(t *testing.T) {
	for first, want := range map[string]string{
		"runtime._ExternalCode": Libraries, "runtime.gcBgMarkWorker": Collector, "runtime.bgsweep": Collector,
		"runtime.mcall": scheduler, "runtime.main": "(runtime.main)", "net/http.(*Server).Serve": "(http.(*Server).Serve)",
	} {
		if got := withoutRole(first); got != want {
			t.Errorf("%s is %s, want %s", first, got, want)
		}
	}
}
