package pipeline

// PathReporter is a ChangeTransform that tells which of the paths of its configuration
// lead to something in the records that it reads. One that never does is most
// likely a mistyped attribute.
type PathReporter interface {
	// Paths lists the paths. The list is always the same.
	Paths() []PathUse
}

// PathScope says what a path is looked for in.
type PathScope string

// The scopes.
const (
	ScopeTable   PathScope = "table"   // every item that the transform reads: not a path, but whether the table's where takes it
	ScopeWhere   PathScope = "where"   // every item that the transform reads
	ScopeItem    PathScope = "item"    // the items that the table's where takes
	ScopeElement PathScope = "element" // the elements of the list that the table explodes, of those items
)

// PathUse is a path that a table looks for in the records.
type PathUse struct {
	Table string
	Scope PathScope
	Path  string // as a pipeline file writes it; empty for ScopeTable
	// Use names what reads the value, for people: "columns city and country".
	Use string
}

// Coverage says in how many records a path was looked for. A Mapper reports a path that it
// found once, and looks for it no longer.
type Coverage struct {
	Path    int   // index into PathReporter.Paths
	Records int64 // of the batch, in which it was looked for
	Found   bool  // in the last of them
	// Near is a path of a record that differs from this one by little, where it was
	// not found; empty = none was seen, or it was told before.
	Near string
}
