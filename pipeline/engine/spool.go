package engine

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/starlift-etl/starlift/pipeline"
)

// spool is the folder in which sinks prepare epochs: a folder an epoch and, in it, one
// a sink.
type spool struct{ root string }

func newSpool(stateDir string) spool { return spool{filepath.Join(stateDir, "spool")} }

// dir returns the folder of a sink for an epoch; the sink makes it.
func (s spool) dir(epoch int64, sink string) string {
	return filepath.Join(s.root, strconv.FormatInt(epoch, 10), sink)
}

// allEpochs is greater than the number of any epoch.
const allEpochs = math.MaxInt64

// clean deletes all folders of epochs up to one, but those that the committables
// retain.
func (s spool) clean(upTo int64, committables map[string]*pipeline.Committable) error {
	retained := map[string]bool{}
	for sink, rc := range committables {
		for _, e := range rc.RetainEpochs {
			retained[s.dir(e, sink)] = true
		}
	}
	epochs, err := os.ReadDir(s.root)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cleaning the spool: %w", err)
	}
	for _, e := range epochs {
		epoch, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil || epoch > upTo {
			continue
		}
		if err := s.cleanEpoch(e.Name(), retained); err != nil {
			return fmt.Errorf("cleaning the spool: %w", err)
		}
	}
	return nil
}

func (s spool) cleanEpoch(epoch string, retained map[string]bool) error {
	dir := filepath.Join(s.root, epoch)
	sinks, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	left := 0
	for _, sink := range sinks {
		if at := filepath.Join(dir, sink.Name()); retained[at] {
			left++
		} else if err := os.RemoveAll(at); err != nil {
			return err
		}
	}
	if left > 0 {
		return nil
	}
	return os.RemoveAll(dir)
}
