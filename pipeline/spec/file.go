package spec

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
)

// File is a pipeline file, read and checked.
type File struct {
	Name        string      `yaml:"name" required:"true" pattern:"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$" form:"at most 63 letters, digits, _ and -, the first a letter or a digit" change:"identity" desc:"Name of the pipeline: a part of folder names, object names and the warehouse's epoch table."`
	Epoch       Epoch       `yaml:"epoch" change:"free" desc:"When an epoch ends: at whichever limit is reached first."`
	State       State       `yaml:"state" change:"free" desc:"The state folder: checkpoint, settled state, spool."`
	DeadLetters DeadLetters `yaml:"dead_letters" change:"free" desc:"Where records go that cannot take effect, and how many may."`
	HTTP        HTTP        `yaml:"http" change:"free" desc:"Metrics, health and status over HTTP; left out = none."`

	Tests []Test `yaml:"tests" change:"free" desc:"Tests of the pipeline, which starlift test runs. They may also stand in a file of their own, beside this one and named as it with _test before .yaml."`

	Sources    Map[*NodeConfig] `yaml:"-"`
	Transforms Map[*NodeConfig] `yaml:"-"`
	Sinks      Map[*NodeConfig] `yaml:"-"`

	parseState
}

// parseState is a file while it is read and checked.
type parseState struct {
	root     *Node
	mistakes []*Mistake
	warnings []*Mistake
	redactor *redactor
}

// newReading puts settings and variables into the tree of a file.
func newReading(root *Node, mistakes []*Mistake, opts Options) parseState {
	r := parseState{root: root, mistakes: mistakes}
	for _, s := range opts.Set {
		if m := applySet(root, s); m != nil {
			r.mistakes = append(r.mistakes, m)
		}
	}
	x := &expander{lookup: opts.Env}
	root.hideWritten()
	x.expand(root)
	r.mistakes = append(r.mistakes, x.mistakes...)
	return r
}

// Epoch says when an epoch ends.
type Epoch struct {
	Interval      Interval `yaml:"interval" default:"auto" min:"1ms" change:"free" desc:"The longest time that an epoch reads. auto = an epoch ends as soon as the one before is committed, when its first record is 20ms old, and after 1s in any case; where all sources are bounded, only at max_records or max_bytes."`
	MaxRecords    int64    `yaml:"max_records" default:"125000" min:"1" change:"free" desc:"The most records of input in an epoch."`
	MaxBytes      Bytes    `yaml:"max_bytes" default:"128MiB" min:"1" change:"free" desc:"The most bytes of input in an epoch; a longer record is an epoch of its own."`
	CommitTimeout Duration `yaml:"commit_timeout" default:"10m" min:"1s" change:"free" desc:"How long the commit of a saved epoch is tried before the run ends; the epoch is committed at the next start. Left out, a commit to Redshift, which is maintained for half an hour at times, is tried for 45m. Any other call to a sink, a source or a disk may get no further for as long."`
}

// State says where and how state is kept.
type State struct {
	Dir        string   `yaml:"dir" change:"identity" desc:"The folder; one process at a time uses it. Default: ./data/state/<name>."`
	Memory     Bytes    `yaml:"memory" default:"256MiB" min:"1MiB" change:"free" desc:"The memory that state may take."`
	Tombstones Duration `yaml:"tombstones" default:"8d" min:"1s" change:"free" desc:"How long deleted keys are remembered, by the clock of the sources; an older change without state is a dead letter. While a source that ends is read, none is forgotten."`
}

// DeadLetters says where dead letters go, and how many there may be.
type DeadLetters struct {
	URL       string   `yaml:"url" change:"free" desc:"The folder: a local one, or s3://bucket/prefix. Default: ./data/dead-letters/<name>."`
	MaxRatio  float64  `yaml:"max_ratio" default:"0.01" min:"0" max:"1" change:"free" desc:"The run stops when more than this part of the last 10,000 records are dead letters, judged after the first 1,000; 0 = at the first. Where all sources are bounded it fails at their end when more than this part of all records are."`
	Retention Duration `yaml:"retention" default:"30d" min:"1m" change:"free" desc:"How long dead letters are kept. Those that wait to be read again stay."`
	// Store points to what Kinds.DeadLetters gave, filled; nil = it gave nothing.
	Store any `yaml:"-"`
}

// HTTP says where the process serves metrics, health and status.
type HTTP struct {
	Listen string `yaml:"listen" pattern:"^$|:" form:"a host and a port, as in 127.0.0.1:8080" change:"free" desc:"Host and port, as in 127.0.0.1:8080; empty = no server."`
}

// Kinds are the node types that a pipeline file can name, by section.
type Kinds struct {
	Sources, Transforms, Sinks map[string]Kind
	// DeadLetters returns a pointer to a new, zero configuration struct: its keys say, among
	// those of dead_letters, how the store of their url is reached. nil = there are none.
	DeadLetters func() any
}

// Kind is one node type.
type Kind struct {
	// New returns a pointer to a new, zero configuration struct.
	New  func() any
	Desc string // one line for the schema and the reference
}

// NodeConfig is one node as the file describes it.
type NodeConfig struct {
	Name, Type string
	Inputs     []Input // in the order written; none for sources
	// Config points to the struct that the kind's New gave, filled; nil where
	// the type is unknown.
	Config any
	// Sound says that no mistake was found in the node: one that is not sound
	// is not worth building.
	Sound bool

	section string
	node    *Node
	key     *Node
}

// Says reports whether a key of a section has a value in the file itself: another than by
// default.
func (f *File) Says(section, key string) bool {
	in := f.root.Get(section)
	return in != nil && in.Get(key) != nil
}

// Input names what a node reads.
type Input struct {
	Node  string
	Table string // empty = all tables of the node

	at *Node
}

// String returns the input as the file writes it.
func (in Input) String() string {
	if in.Table == "" {
		return in.Node
	}
	return in.Node + "." + in.Table
}

// Options are what Load takes from outside the file.
type Options struct {
	// Set holds key=value settings that go over the file: a dotted path from
	// the top and a YAML scalar, list or mapping.
	Set []string
	// Env looks an environment variable up; nil = there are none.
	Env func(string) (string, bool)
}

// Load reads a pipeline file; name is used in messages. The error is an
// *Errors with every mistake. The file is returned with the error too, as far
// as it could be read, so that its sound nodes can be checked further; it is
// nil where the text is not YAML.
func Load(name string, data []byte, kinds Kinds, opts Options) (*File, error) {
	root, mistakes := parse(name, data)
	if root == nil {
		return nil, notRead(mistakes)
	}
	f := &File{parseState: newReading(root, mistakes, opts)}
	d := &decoder{beside: map[reflect.Type]reflect.Value{}}
	if kinds.DeadLetters != nil {
		f.DeadLetters.Store = kinds.DeadLetters()
		d.beside[reflect.TypeFor[DeadLetters]()] = reflect.ValueOf(f.DeadLetters.Store).Elem()
		setDefaults(d.beside[reflect.TypeFor[DeadLetters]()])
	}
	d.structure(root, reflect.ValueOf(f).Elem(), sections)
	if f.State.Dir == "" {
		f.State.Dir = "./data/state/" + f.Name
	}
	if f.DeadLetters.URL == "" {
		f.DeadLetters.URL = "./data/dead-letters/" + f.Name
	}
	if root.kind == Mapping {
		f.Sources = d.section(root, "sources", kinds.Sources)
		f.Transforms = d.section(root, "transforms", kinds.Transforms)
		f.Sinks = d.section(root, "sinks", kinds.Sinks)
	}
	f.mistakes = append(f.mistakes, d.mistakes...)
	checkInputs(f)
	checkTests(&f.parseState, f.Tests)
	return f, f.Err()
}

var nodeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// section decodes the nodes of one section.
func (d *decoder) section(root *Node, section string, kinds map[string]Kind) Map[*NodeConfig] {
	n := root.Get(section)
	if n == nil || n.kind == Null || n.kind == Unknown {
		return nil
	}
	if n.kind != Mapping {
		d.want(n, "a mapping of node names", "")
		return nil
	}
	var nodes Map[*NodeConfig]
	for _, e := range n.entries {
		before := len(d.mistakes)
		if !nodeName.MatchString(e.key.text) {
			d.add(e.key, fmt.Sprintf("%q cannot be the name of a node", e.key.text), "a name has letters, digits and _, and begins with a letter")
		}
		c := &NodeConfig{Name: e.key.text, section: section, node: e.value, key: e.key}
		d.node(c, kinds)
		c.Sound = len(d.mistakes) == before && !e.value.broken()
		nodes = append(nodes, Entry[*NodeConfig]{Name: c.Name, Value: c})
	}
	return nodes
}

// broken reports that a mistake was found in the tree before it was decoded.
func (n *Node) broken() bool {
	return n.kind == Unknown ||
		slices.ContainsFunc(n.entries, func(e entry) bool { return e.value.broken() }) ||
		slices.ContainsFunc(n.items, (*Node).broken)
}

// node decodes one node: its type, its inputs, and all else by the type.
func (d *decoder) node(c *NodeConfig, kinds map[string]Kind) {
	n := c.node
	if n.kind != Mapping {
		if n.kind != Unknown {
			d.want(n, "a mapping", "a node has at least a type")
		}
		return
	}
	extra := []string{"type"}
	if c.section != "sources" {
		extra = append(extra, "inputs")
		d.inputs(c)
	}
	t := n.Get("type")
	if t == nil || t.kind == Null {
		d.add(n.owner(), fmt.Sprintf("%s has no type", c.Name), didYouMean("", kindNames(kinds)))
		return
	}
	before := len(d.mistakes)
	d.decode(t, reflect.ValueOf(&c.Type).Elem(), &field{})
	if len(d.mistakes) > before || t.kind == Unknown {
		return
	}
	kind, ok := kinds[c.Type]
	if !ok {
		n.hideNamed()
		d.add(t, fmt.Sprintf("unknown type %q", t.shown()), didYouMean(t.shown(), kindNames(kinds)))
		return
	}
	c.Config = kind.New()
	d.structure(n, reflect.ValueOf(c.Config).Elem(), extra)
}

func kindNames(kinds map[string]Kind) []string {
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
