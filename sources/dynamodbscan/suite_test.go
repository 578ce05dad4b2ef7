package dynamodbscan

import (
	"fmt"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
)

// suiteInput is a table of a fake, as the suite of sources sees it.
type suiteInput struct {
	*rig
	want []sourcetest.Partition
}

func newSuiteInput(t *testing.T) *suiteInput {
	in := &suiteInput{rig: newRig(t, dynamodbtest.Options{}, dynamodbtest.Table{})}
	in.cfg.Segments = 3
	in.put(0, 20)
	in.open()
	in.toEnd()
	in.whole()
	for i := range in.cfg.Segments { // what a segment has, and in which order, nobody knows but the table
		p := sourcetest.Partition{Name: fmt.Sprintf("segment %d of %d", i+1, in.cfg.Segments)}
		for _, one := range in.got {
			if one.segment == p.Name {
				p.Records = append(p.Records, one.text)
			}
		}
		in.want = append(in.want, p)
	}
	return in
}

func (in *suiteInput) Source(testing.TB) pipeline.Source {
	t, err := newTable("scan", in.cfg)
	in.must(err)
	return newSource("scan", t, quick)
}

func (in *suiteInput) Want() []sourcetest.Partition { return in.want }

// TestConformance: what holds for every source.
func TestConformance(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(tb testing.TB) sourcetest.Input { return newSuiteInput(tb.(*testing.T)) })
}
