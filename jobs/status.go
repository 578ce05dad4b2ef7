package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

func (s *streams) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status FILE",
		Short:   "Show how far a pipeline is, from its state folder",
		Long:    "Status reads the checkpoint of a pipeline that is not running: a running one has its state folder to itself.",
		Example: "  starlift status shop.yaml\n  starlift status shop.yaml --output json",
	}
	return onFile(cmd, 1, "one pipeline file", func(a *assembly, _ []string, output string) error {
		st, err := readStatus(a)
		if err != nil {
			return err
		}
		if output == "json" {
			return s.printJSON(st)
		}
		return s.printStatus(st)
	})
}

// status is how far a pipeline is.
type status struct {
	Pipeline    string                  `json:"pipeline"`
	StateID     string                  `json:"state_id,omitempty"`
	Epoch       int64                   `json:"epoch"`
	StateBytes  int64                   `json:"state_bytes"`
	Sources     map[string]sourceStatus `json:"sources"`
	Sinks       map[string]sinkStatus   `json:"sinks"`
	DeadLetters map[string]int64        `json:"dead_letters"`
}

type sourceStatus struct {
	Finished   bool `json:"finished"`
	Partitions int  `json:"partitions"` // begun or read
}

type sinkStatus struct {
	Published int64 `json:"published"` // the last epoch that had something to publish
	Gathering bool  `json:"gathering"` // rows wait to be published with a later epoch
}

func readStatus(a *assembly) (st *status, err error) {
	st = &status{Pipeline: a.file.Name, Sources: map[string]sourceStatus{}, Sinks: map[string]sinkStatus{}, DeadLetters: map[string]int64{}}
	err = deadletters.Each(a.file.DeadLetters.URL, func(_ string, l *deadletters.Letter) error {
		if l.Pipeline == a.file.Name {
			st.DeadLetters[string(l.Reason)]++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(a.config.StateDir, "db")); errors.Is(err, fs.ErrNotExist) {
		return st, nil // it has never run
	}
	store, err := state.Open(a.config.StateDir, state.Options{Pipeline: a.file.Name})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return st, st.fill(a, store)
}

func (st *status) fill(a *assembly, store *state.Store) error {
	cp, err := store.Checkpoint()
	if err != nil {
		return err
	}
	st.StateID, st.Epoch, st.StateBytes = store.ID(), cp.Epoch, store.Size()
	for _, src := range a.config.Sources {
		cursors, err := store.Cursors(src.Name)
		if err != nil {
			return err
		}
		st.Sources[src.Name] = sourceStatus{cp.Finished[src.Name], len(cursors)}
	}
	for _, sink := range a.config.Sinks {
		rc := cp.Receipts[sink.Name]
		st.Sinks[sink.Name] = sinkStatus{cp.Published[sink.Name], rc != nil && rc.Carry != nil}
	}
	return nil
}

func (s *streams) printStatus(st *status) error {
	if st.StateID == "" {
		_, err := fmt.Fprintf(s.out, "pipeline %s has not run yet\n", st.Pipeline)
		return err
	}
	fmt.Fprintf(s.out, "pipeline %s, state %s (%d bytes), epoch %d\n", st.Pipeline, st.StateID, st.StateBytes, st.Epoch)
	for _, name := range sortedKeys(st.Sources) {
		src := st.Sources[name]
		how := "not at its end"
		if src.Finished {
			how = "read to its end"
		}
		fmt.Fprintf(s.out, "source %s: %s, %d partitions\n", name, how, src.Partitions)
	}
	for _, name := range sortedKeys(st.Sinks) {
		sink := st.Sinks[name]
		wait := ""
		if sink.Gathering {
			wait = ", rows wait to be published"
		}
		fmt.Fprintf(s.out, "sink %s: epoch %d published%s\n", name, sink.Published, wait)
	}
	for _, reason := range sortedKeys(st.DeadLetters) {
		fmt.Fprintf(s.out, "dead letters, %s: %d\n", reason, st.DeadLetters[reason])
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
