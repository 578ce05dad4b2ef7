package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// inputs decodes what a transform or sink reads.
func (d *decoder) inputs(c *NodeConfig) {
	n := c.node.Get("inputs")
	if n == nil || n.kind == Null || n.kind == List && len(n.items) == 0 {
		at := c.node.owner()
		if n != nil {
			at = n.owner()
		}
		d.add(at, fmt.Sprintf("%s has no inputs", c.Name), "name what it reads, as in inputs: [node] or inputs: [node.table]")
		return
	}
	var names []string
	before := len(d.mistakes)
	d.decode(n, reflect.ValueOf(&names).Elem(), &field{})
	if len(d.mistakes) > before {
		return
	}
	for i, name := range names {
		node, table, dotted := strings.Cut(name, ".")
		item := n.items[i]
		switch {
		case item.kind == Unknown:
		case node == "" || dotted && table == "":
			d.want(item, "node or node.table", "")
		case slices.Contains(names[:i], name):
			d.add(item, fmt.Sprintf("%s reads %s twice", c.Name, item.shown()), "")
		default:
			c.Inputs = append(c.Inputs, Input{Node: node, Table: table, at: item})
		}
	}
}

// inputChecker knows the nodes by name while their inputs are checked.
type inputChecker struct {
	file  *File
	nodes map[string]*NodeConfig
	known []string        // names that can be read: those of sources and transforms
	read  map[string]bool // names that a node reads, or seems to mean
}

// checkInputs checks that inputs name nodes that can be read, in no circle, whatever
// the nodes are. What they give to each other is for package graph to check.
func checkInputs(f *File) {
	g := &inputChecker{file: f, nodes: map[string]*NodeConfig{}, read: map[string]bool{}}
	g.collect()
	for _, c := range f.nodes() {
		for _, in := range c.Inputs {
			g.input(c, in)
		}
	}
	g.cycles()
	g.unread()
	for _, section := range []string{"sources", "sinks"} {
		n := f.root.Get(section)
		if f.root.kind == Mapping && (n == nil || n.kind == Null || n.kind == Mapping && len(n.entries) == 0) {
			at := f.root
			if n != nil {
				at = n.owner()
			}
			f.add(at, "the pipeline has no "+section, "")
		}
	}
}

// nodes returns all nodes, in the order of the file's sections.
func (f *File) nodes() []*NodeConfig {
	var all []*NodeConfig
	for _, m := range []Map[*NodeConfig]{f.Sources, f.Transforms, f.Sinks} {
		for _, e := range m {
			all = append(all, e.Value)
		}
	}
	return all
}

// add notes a mistake of the node that the place belongs to.
func (f *parseState) add(at *Node, message, hint string) {
	f.mistakes = append(f.mistakes, at.Mistake(message, hint))
}

func (g *inputChecker) collect() {
	for _, c := range g.file.nodes() {
		first, twice := g.nodes[c.Name]
		if twice {
			g.file.add(c.key, fmt.Sprintf("%q names a node of %s already", c.Name, first.section),
				fmt.Sprintf("names are unique in the whole file; the other is at line %d, column %d", first.key.at.line, first.key.at.column))
			c.Sound = false
			continue
		}
		g.nodes[c.Name] = c
		if c.section != "sinks" {
			g.known = append(g.known, c.Name)
		}
	}
}

// input checks one input of a node.
func (g *inputChecker) input(c *NodeConfig, in Input) {
	from, ok := g.nodes[in.Node]
	fail := func(message, hint string) {
		g.file.add(in.at, message, hint)
		c.Sound = false
	}
	if !ok {
		g.read[Suggest(in.Node, g.known)] = true
		fail(fmt.Sprintf("there is no node %q to read", cut(in.at.shown(), 60)), didYouMean(in.Node, g.known))
		return
	}
	g.read[in.Node] = true
	whole := Input{Node: in.Node}
	switch {
	case from == c:
		fail(c.Name+" reads itself", "")
	case from.section == "sinks":
		fail(fmt.Sprintf("%s is a sink: nothing can read it", in.Node), "read what it reads")
	case from.section == "sources" && c.section == "sinks":
		fail(fmt.Sprintf("%s is a source: a sink cannot read undecoded changes", in.Node), "put an unnest transform between them")
	case from.section == "sources" && in.Table != "":
		fail(fmt.Sprintf("%s is a source: it has no tables", in.Node), fmt.Sprintf("write %q", in.Node))
	case in.Table != "" && slices.ContainsFunc(c.Inputs, func(o Input) bool { return o.String() == whole.String() }):
		fail(fmt.Sprintf("%s reads all tables of %s, and %s once more", c.Name, in.Node, in.Table), "leave one of the two out")
	}
}

// cycles reports each cycle once, at the input that closes it.
func (g *inputChecker) cycles() {
	const visiting, done = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(c *NodeConfig)
	visit = func(c *NodeConfig) {
		state[c.Name] = visiting
		path = append(path, c.Name)
		for _, in := range c.Inputs {
			from, ok := g.nodes[in.Node]
			switch {
			case !ok || from == c:
			case state[from.Name] == visiting:
				g.cycle(path[slices.Index(path, from.Name):], in)
			case state[from.Name] == 0:
				visit(from)
			}
		}
		path = path[:len(path)-1]
		state[c.Name] = done
	}
	for _, c := range g.file.nodes() {
		if state[c.Name] == 0 {
			visit(c)
		}
	}
}

// cycle reports a cycle in the direction of the data; path is in that of the inputs.
func (g *inputChecker) cycle(path []string, in Input) {
	names := slices.Clone(path)
	slices.Reverse(names)
	for _, name := range names {
		g.nodes[name].Sound = false
	}
	names = append(names, names[0])
	g.file.add(in.at, "the nodes feed each other in a cycle: "+strings.Join(names, " → "), "")
}

// unread reports sources and transforms that nothing reads. Where inputs could
// not be read it keeps quiet: they may be meant.
func (g *inputChecker) unread() {
	for _, c := range g.file.nodes() {
		if c.section != "sources" && (c.node.kind != Mapping || len(c.Inputs) == 0) {
			return
		}
	}
	for _, c := range g.file.nodes() {
		if c.section != "sinks" && !g.read[c.Name] && g.nodes[c.Name] == c {
			g.file.add(c.key, fmt.Sprintf("nothing reads %s", c.Name), "name it in the inputs of another node, or remove it")
		}
	}
}
