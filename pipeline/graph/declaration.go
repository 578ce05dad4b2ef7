package graph

import "github.com/starlift-etl/starlift/pipeline"

// Input names what a node reads: a node, or one table of it.
type Input struct {
	Node  string
	Table string // empty = all tables of the node
}

// Declaration is a pipeline as its file declares it. The names of nodes differ. Nodes
// that could not be made, for mistakes that are known already, are declared too:
// what hangs on them is not judged.
type Declaration struct {
	Sources    []SourceDeclaration
	Transforms []TransformDeclaration
	Sinks      []SinkDeclaration
	// ChangesMade, when set, is called once, when all transforms of changes are there
	// and before anything is made of their tables: it may complete them.
	ChangesMade func(all []ChangeNode)
}

// SourceDeclaration is a source.
type SourceDeclaration struct {
	Name   string
	Source pipeline.Source // nil = it could not be made
}

// TransformDeclaration is a transform, with a function for each thing that its type
// can be. Build calls one of them, at most once, when all that the transform reads is
// there. A function returns false where it can't make the transform, and has told
// why itself.
type TransformDeclaration struct {
	Name, Type string
	Inputs     []Input
	// Unsound says that the node has mistakes already: its inputs are not judged, and
	// it is made of no tables. Filter and Change know that themselves.
	Unsound bool
	// Change makes a transform of changes, and is told of which sources they are.
	Change func(sources []string) (pipeline.ChangeTransform, bool)
	// Filter makes a filter of changes. A type may have Row as well: what its first
	// input gives decides.
	Filter func() (pipeline.ChangeFilter, bool)
	// Row makes a row transform of tables.
	Row func(tables []*pipeline.Table) (pipeline.RowTransform, bool)
	// Stateful makes a stateful transform of tables.
	Stateful func(tables []*pipeline.Table) (pipeline.StatefulTransform, bool)
}

// SinkDeclaration is a sink.
type SinkDeclaration struct {
	Name   string
	Inputs []Input
	Sink   pipeline.Sink // nil = it could not be made
}
