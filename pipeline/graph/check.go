package graph

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// check holds the nodes against each other. incomplete are the sinks that read what
// could not be made.
func (c *compiler) check(incomplete map[string]bool) {
	for i := range c.Changes {
		c.checkReadOrder(&c.Changes[i])
		c.checkRegions(&c.Changes[i])
	}
	for i := range c.Rows {
		c.checkRow(&c.Rows[i])
	}
	for i := range c.Stateful {
		c.checkStateful(&c.Stateful[i])
	}
	for i := range c.Sinks {
		c.checkSink(&c.Sinks[i], !incomplete[c.Sinks[i].Name])
	}
	c.checkTargets()
}

// checkReadOrder refuses sources of one table of which one has nothing but the order of
// reading that tells which record is newer: that is an order in one source only.
func (c *compiler) checkReadOrder(n *ChangeNode) {
	formats := map[string]pipeline.Format{}
	for _, s := range c.Sources {
		k, ok := s.Source.(pipeline.KeylessSource)
		r, reports := s.Source.(pipeline.FormatReporter)
		if slices.Contains(n.Sources, s.Name) && reports && !(ok && k.Keyless()) {
			formats[s.Name] = r.Format()
		}
	}
	for i, name := range n.Sources {
		f, ok := formats[name]
		if !ok || !unversioned(f) {
			continue
		}
		for k, other := range n.Sources {
			o, ok := formats[other]
			if k == i || !ok || !sameTable(name, f, other, o) || unversioned(o) && k > i {
				continue // of two, the later one is to blame
			}
			c.node(SectionSources, name, []string{"version"}, "version is missing: %s reads %s and %s, whose records are of one table, and nothing tells which of their changes is newer: "+
				"say where the version is, as `version: {from: updated_at, type: timestamp}`, or give the records of each source a table of their own (table)", n.Name, other, name)
			break
		}
	}
}

// checkRegions refuses sources that read one table in two Regions: the replicas of a global table have each change with
// a time and sequence numbers of their own, which order nothing together.
func (c *compiler) checkRegions(n *ChangeNode) {
	type replica struct{ source, region string }
	first := map[string]replica{} // by logical table
	for _, s := range c.Sources {
		r, ok := s.Source.(pipeline.RegionReporter)
		if !ok || !slices.Contains(n.Sources, s.Name) {
			continue
		}
		table, region := r.Region()
		before, there := first[table]
		switch {
		case table == "":
		case !there:
			first[table] = replica{s.Name, region}
		case before.region != region:
			c.node(SectionSources, s.Name, []string{"region"}, "%s reads table %s in Region %s here and in %s by %s: read it in one Region, and write the same region in both sources",
				n.Name, table, regionText(region), regionText(before.region), before.source)
		}
	}
}

func regionText(region string) string {
	if region == "" {
		return "of the environment"
	}
	return region
}

// unversioned reports whether the order of reading is all that records have.
func unversioned(f pipeline.Format) bool {
	return f.Encoding == pipeline.JSON && f.Version.From == ""
}

// sameTable reports whether records of two sources are of one table. Plain JSON names
// none: where the source does not either, a table of the source's name is meant as its.
func sameTable(name string, f pipeline.Format, other string, o pipeline.Format) bool {
	return f.Table == o.Table ||
		f.Encoding == pipeline.JSON && f.Table == "" && o.Table == name ||
		o.Encoding == pipeline.JSON && o.Table == "" && f.Table == other
}

// checkRow refuses what a row transform can't do to settled rows.
func (c *compiler) checkRow(n *RowNode) {
	for _, in := range n.Inputs {
		if !c.settledOnly(in) {
			continue
		}
		rejects, ok := n.Transform.(pipeline.RowRejecter)
		switch {
		case n.Transform.Drops():
			c.read(SectionTransforms, n.Name, in, "table %q of %s has settled rows only, and %s may leave rows out, which takes the log: put it before %s",
				in.Table.Name, in.Node, n.Name, c.origin(in).Node)
		case ok && rejects.DeadLetters():
			c.read(SectionTransforms, n.Name, in, "table %q of %s has settled rows only, which have no record to make a dead letter of: give the columns of %s an on_error of null or fail",
				in.Table.Name, in.Node, n.Name)
		}
	}
}

// checkStateful refuses what a stateful transform can't be given.
func (c *compiler) checkStateful(n *StatefulNode) {
	if k := n.Transform.Keyspaces(); k > pipeline.MaxKeyspaces {
		c.node(SectionTransforms, n.Name, nil, "it wants %d keyspaces, and gets up to %d", k, pipeline.MaxKeyspaces)
	}
	reader := settledReader{SectionTransforms, n.Name, "keeps rows by their keys", "give the table a key"}
	var checked []*pipeline.Table
	for _, in := range n.Transform.Inputs() {
		o := n.output(in.Table)
		if o == nil {
			c.node(SectionTransforms, n.Name, nil, "it reads table %q, which is not among its inputs", in.Table.Name)
			continue
		}
		if !slices.Contains(checked, in.Table) {
			checked = append(checked, in.Table)
			c.checkSettled(reader, *o)
		}
		c.checkFirst(n, *o, in)
		if c.settledOnly(*o) && (in.Log || in.Policy != (pipeline.Policy{})) {
			c.read(SectionTransforms, n.Name, *o, "table %q of %s has settled rows only, and %s wants its log, or merges or keeps its rows: read the table of an unnest transform",
				in.Table.Name, o.Node, n.Name)
		}
	}
}

// output returns the input of the node that has the rows of a table; nil = none has.
func (n *StatefulNode) output(t *pipeline.Table) *Output {
	return find(n.Inputs, func(o *Output) bool { return o.Table == t })
}

// checkFirst refuses inputs that contradict a table of first rows.
func (c *compiler) checkFirst(n *StatefulNode, o Output, in pipeline.Input) {
	if c.ownPolicy(o).Merge != pipeline.First {
		return
	}
	origin := c.origin(o)
	inserts, ok := c.change(origin.Node).Transform.(pipeline.InsertOnlyLog)
	switch {
	case in.Policy.Merge == pipeline.LatestNonNull:
		c.read(SectionTransforms, n.Name, o, "table %q has keep: first, so its row is that of one change, and merge: latest_non_null of %s takes values of several: "+
			"leave one of the two out", in.Table.Name, n.Name)
	case in.Log && !(ok && inserts.InsertsOnly(origin.Table)):
		c.read(SectionTransforms, n.Name, o, "table %q has keep: first, and a dimension of %s would show the newest row of its log instead: "+
			"make the dimension of a table without keep, or let where take inserts only ($meta.event_name: [INSERT])", in.Table.Name, n.Name)
	}
}

// checkSink refuses tables that a sink can't take. A sink that reads what could not be
// made is not asked about its tables as a whole.
func (c *compiler) checkSink(n *SinkNode, complete bool) {
	if n.Sink.Mode() == pipeline.Settled {
		for _, in := range n.Inputs {
			c.checkSettled(settledReader{SectionSinks, n.Name, "takes settled rows", "give the table a key, or use a parquet sink with mode append"}, in)
		}
	}
	distinct := distinctNames(&c.mistakes, SectionSinks, n.Name, n.Inputs, foldCase)
	if checker, ok := n.Sink.(pipeline.TableChecker); ok && complete {
		// Of tables of one name the sink sees one, since it would say the same again.
		if err := checker.CheckTables(Tables(distinct)); err != nil {
			c.all = append(c.all, &Mistake{Section: SectionSinks, Node: n.Name, Message: err.Error(), Err: err})
		}
	}
}

// settledReader is a node that takes settled rows.
type settledReader struct {
	section Section
	name    string
	does    string // with the rows
	remedy  string // for a table without a key
}

// checkSettled refuses what can't be settled: rows without a key, and records of which
// nobody knows which item they are of.
func (c *compiler) checkSettled(reader settledReader, o Output) {
	if len(o.Table.Key) == 0 {
		c.read(reader.section, reader.name, o, "table %q has no key, so its rows can only be appended, and this %s %s: %s",
			o.Table.Name, reader.section.node(), reader.does, reader.remedy)
	}
	for _, s := range c.keyless(o) {
		c.node(SectionSources, s.Name, nil, "the records have no key, so they can only be appended, and %s %q %s: give the source a key",
			reader.section.node(), reader.name, reader.does)
	}
}

// CanSettle reports whether the rows of an output can be settled.
func (p *Plan) CanSettle(o Output) bool { return len(o.Table.Key) > 0 && len(p.keyless(o)) == 0 }

// target is a place that a sink writes a table to.
type target struct {
	sink, table string
	path        []string
}

// checkTargets refuses two sinks that write to one place, however they spell it: every
// row would be there twice.
func (c *compiler) checkTargets() {
	var all []target
	for i := range c.Sinks {
		if lister, ok := c.Sinks[i].Sink.(pipeline.TargetLister); ok {
			all = append(all, c.checkTarget(&c.Sinks[i], lister, all)...)
		}
	}
}

func (c *compiler) checkTarget(s *SinkNode, lister pipeline.TargetLister, others []target) (own []target) {
	reported := map[string]bool{} // one mistake for each pair of sinks
	for _, in := range s.Inputs {
		key, paths := lister.Targets(in.Table)
		for _, path := range paths {
			for _, o := range others {
				within, around := hasPrefix(path, o.path), hasPrefix(o.path, path)
				if !within && !around || reported[o.sink] {
					continue
				}
				reported[o.sink] = true
				format, args := "sinks %s and %s both write table %q to one place", []any{o.sink, s.Name, in.Table.Name}
				switch {
				case !around:
					format, args = "the folder of table %q lies in that of table %q of sink %s", []any{in.Table.Name, o.table, o.sink}
				case !within:
					format, args = "the folder of table %q of sink %s lies in that of table %q", []any{o.table, o.sink, in.Table.Name}
				}
				c.node(SectionSinks, s.Name, []string{key}, format+": give each a place of its own, or make one sink of them", args...)
			}
			own = append(own, target{s.Name, in.Table.Name, path})
		}
	}
	return own
}

// hasPrefix reports whether a path is another one, or lies in it.
func hasPrefix(path, other []string) bool {
	return len(path) >= len(other) && slices.Equal(path[:len(other)], other)
}
