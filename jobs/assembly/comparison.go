package assembly

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline/definition"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Comparison compares a pipeline file with a state: it lists the changes since the state was
// built, and what becomes of each.
type Comparison struct {
	Dir     string              `json:"dir"`
	Epoch   int64               `json:"epoch"` // the last one that is saved; 0 = none, or it is not known
	Refused bool                `json:"refused"`
	Changes []definition.Change `json:"changes"`
	// Problems are the reasons besides the changes for which the state refuses the file.
	Problems []string `json:"problems,omitempty"`

	file *spec.File
	// Next is what the state is to save. It is not shown: the salt of its secrets is in it.
	Next *definition.Definition `json:"-"`
}

// DefinitionInputs lists what each node reads, for the definition of the pipeline.
func (p *Pipeline) DefinitionInputs() []definition.Input {
	var all []definition.Input
	rows := func(section, reader string, inputs []graph.Output) {
		for _, in := range inputs {
			all = append(all, definition.Input{Section: section, Reader: reader, Node: in.Node, Table: in.Table.Name})
		}
	}
	changes := func(reader string, inputs []string) {
		for _, in := range inputs {
			all = append(all, definition.Input{Section: "transforms", Reader: reader, Node: in})
		}
	}
	for _, n := range p.Config.Filters {
		changes(n.Name, n.Inputs)
	}
	for _, n := range p.Config.Changes {
		changes(n.Name, n.Inputs)
	}
	for _, n := range p.Config.Rows {
		rows("transforms", n.Name, n.Inputs)
	}
	for _, n := range p.Config.Stateful {
		rows("transforms", n.Name, n.Inputs)
	}
	for _, n := range p.Config.Sinks {
		rows("sinks", n.Name, n.Inputs)
	}
	return all
}

// CompareWith compares the pipeline file with the contents of a state.
func (p *Pipeline) CompareWith(kept *state.Contents) (*Comparison, error) {
	was, err := definition.Parse(kept.Definition)
	if err != nil {
		return nil, err
	}
	if err := p.checkFromNow(was); err != nil {
		return nil, err
	}
	c := &Comparison{Dir: p.Config.StateDir, Epoch: kept.Checkpoint.Epoch, Changes: []definition.Change{}, file: p.File}
	found := &definition.Found{Definition: was, Epoch: kept.Checkpoint.Epoch, Read: func(source string) bool { return slices.Contains(kept.Read, source) }}
	changes, next, err := definition.Compare(found, p.File, p.DefinitionInputs(), p.FromNow)
	if err != nil {
		return nil, err
	}
	c.Changes, c.Next = append(c.Changes, changes...), next
	c.Refused = slices.ContainsFunc(changes, func(d definition.Change) bool { return d.Verdict == definition.Refused })
	identity := func(d definition.Change) bool { return d.Verdict == definition.Refused && d.Kind == spec.Identity }
	if slices.ContainsFunc(changes, identity) || c.Epoch == 0 {
		return c, nil // the other checks would repeat these refusals in other words
	}
	if err := engine.CheckState(&p.Config, kept); err != nil {
		c.Refused = true
		definition.WithoutFromNow(c.Changes)
		for line := range strings.Lines(err.Error()) {
			c.Problems = append(c.Problems, p.File.Redact(strings.TrimSuffix(line, "\n")))
		}
	}
	return c, nil
}

// checkFromNow refuses names of --from-now that no node has or had.
func (p *Pipeline) checkFromNow(was *definition.Definition) error {
	known := was.Nodes()
	for _, section := range []spec.Map[*spec.NodeConfig]{p.File.Sources, p.File.Transforms, p.File.Sinks} {
		for _, e := range section {
			known = append(known, e.Name)
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for _, name := range p.FromNow {
		if !slices.Contains(known, name) {
			return usage.Wrap(usage.NotKnown("--from-now", name, known))
		}
	}
	return nil
}

// Compare implements engine.Config.Compare: it refuses a state that does not fit the file,
// logs the changes that are taken, and returns the definition that the state is to save.
func (p *Pipeline) Compare(kept *state.Contents) ([]byte, error) {
	c, err := p.CompareWith(kept)
	if err != nil {
		return nil, err
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	for _, d := range c.Changes {
		switch d.Verdict {
		case definition.FromNow:
			p.Config.Log.Warn("changed from now on: "+d.Message, "node", d.Node, "epoch", c.Epoch+1)
		default:
			p.Config.Log.Info("changed: " + d.Message)
		}
	}
	return json.Marshal(c.Next)
}

// Err returns an error if the state refuses the file.
func (c *Comparison) Err() error {
	if !c.Refused {
		return nil
	}
	refused := func(d definition.Change) bool { return d.Verdict == definition.Refused }
	text := fmt.Sprintf("the state in %s can't go on with this pipeline file:", c.Dir)
	if slices.ContainsFunc(c.Changes, refused) {
		text = fmt.Sprintf("the state in %s was built by another pipeline file, and can't go on with this one:", c.Dir)
	}
	for _, d := range c.Changes {
		if refused(d) {
			text += "\n" + d.Mistake.Error()
		}
	}
	return errors.New(strings.Join(append([]string{text}, c.Problems...), "\n"))
}

// Text writes for people what becomes of each change.
func (c *Comparison) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "State folder %s", c.Dir)
	if c.Epoch > 0 {
		fmt.Fprintf(&b, ", epoch %d", c.Epoch)
	}
	b.WriteByte('\n')
	if len(c.Changes)+len(c.Problems) == 0 {
		b.WriteString("  no changes\n")
	}
	words := map[definition.Verdict]string{definition.Taken: "taken", definition.FromNow: "taken from now on", definition.Refused: "refused"}
	for _, d := range c.Changes {
		fmt.Fprintf(&b, "  %s: %s\n", words[d.Verdict], d.Message)
	}
	for _, p := range c.Problems {
		fmt.Fprintf(&b, "  refused: %s\n", p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// CompareState compares the file with a state folder; empty = the one that the file names.
// fromNow are nodes whose content may change from now on. It returns nil if the file's folder
// has no state. The state is only read; a process that has it open is asked.
func (p *Pipeline) CompareState(ctx context.Context, dir string, fromNow []string) (*Comparison, error) {
	if dir != "" {
		p.Config.StateDir = dir
	}
	p.FromNow = fromNow
	if _, err := os.Stat(filepath.Join(p.Config.StateDir, "db")); errors.Is(err, fs.ErrNotExist) {
		if dir != "" {
			return nil, usage.Wrap(fmt.Errorf("--state %s: there is no state", dir))
		}
		return nil, p.checkFromNow(nil)
	}
	kept, err := p.findContents(ctx)
	if c := p.OtherName(err); c != nil {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	return p.CompareWith(kept)
}

// OtherName returns the comparison with the state of a pipeline that has another name, if err
// says that the state is one; else nil.
func (p *Pipeline) OtherName(err error) *Comparison {
	var e *state.OtherPipelineError
	if !errors.As(err, &e) {
		return nil
	}
	at := p.File.MistakeAt([]string{"name"}, fmt.Sprintf("name was %s, and is %s", e.Was, e.Is), "put it back, or give each pipeline a state folder of its own (state.dir)")
	return &Comparison{Dir: p.Config.StateDir, Refused: true, file: p.File,
		Changes: []definition.Change{{Key: "name", Kind: spec.Identity, Verdict: definition.Refused, Was: e.Was, Is: e.Is, Mistake: at}}}
}

// findContents returns the contents of the state: it reads them, or asks the process that has
// the state open.
func (p *Pipeline) findContents(ctx context.Context) (kept *state.Contents, err error) {
	store, err := state.Inspect(p.Config.StateDir, state.Options{Pipeline: p.File.Name})
	if errors.Is(err, state.ErrLocked) {
		kept, why := status.AskContents(ctx, p.Config.StateDir)
		if why == nil {
			return kept, nil
		}
		return nil, fmt.Errorf("%w (%w)", err, why)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Contents()
}
