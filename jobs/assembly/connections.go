package assembly

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Connections is what the sinks of a pipeline, and its dead letters, say of a start.
type Connections struct {
	Sinks []SinkRemarks `json:"sinks"`
	// Running says that the pipeline runs, and that nobody was asked therefore.
	Running bool `json:"running,omitempty"`
	// Problem is why nobody could be asked.
	Problem string `json:"problem,omitempty"`
}

// SinkRemarks is what one of them says.
type SinkRemarks struct {
	Sink    string            `json:"sink"`
	Remarks []pipeline.Remark `json:"remarks"`
}

// CheckConnections asks the sinks whether a start would take them. Nothing is changed.
func (p *Pipeline) CheckConnections(ctx context.Context) (*Connections, error) {
	checks, err := engine.CheckTargets(ctx, &p.Config)
	if errors.Is(err, state.ErrLocked) {
		return &Connections{Sinks: []SinkRemarks{}, Running: true}, nil
	}
	if err != nil {
		return nil, err
	}
	all := &Connections{}
	for _, c := range checks {
		one := SinkRemarks{Sink: cmp.Or(c.Sink, "dead_letters")}
		for _, f := range c.Remarks {
			f.Message = p.File.Redact(f.Message)
			one.Remarks = append(one.Remarks, f)
		}
		all.Sinks = append(all.Sinks, one)
	}
	return all, nil
}

// Failed reports whether a start would not take something.
func (c *Connections) Failed() bool {
	wrong := func(f pipeline.Remark) bool { return f.Level == pipeline.RemarkError }
	return c.Problem != "" || slices.ContainsFunc(c.Sinks, func(s SinkRemarks) bool { return slices.ContainsFunc(s.Remarks, wrong) })
}

// Err returns an error if a start would not take something; what, Text says.
func (c *Connections) Err(file string) error {
	if !c.Failed() {
		return nil
	}
	return fmt.Errorf("%s: a start would not take every sink as it is", file)
}

// Text writes the remarks for people.
func (c *Connections) Text(w io.Writer) error {
	var b strings.Builder
	if c.Running {
		b.WriteString("The pipeline runs: its sinks are connected, and were checked by its start\n")
	}
	for _, s := range c.Sinks {
		name := "Sink " + s.Sink
		if s.Sink == "dead_letters" {
			name = "Dead letters"
		}
		fmt.Fprintln(&b, name)
		for _, f := range s.Remarks {
			fmt.Fprintf(&b, "  %s: %s\n", f.Level, strings.ReplaceAll(f.Message, "\n", "\n    "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
