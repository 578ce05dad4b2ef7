package spec

// Change says what a changed value of a key means to a state that has rows.
type Change string

// The changes, as tag change of a field has them.
const (
	// Free is taken: the result is as if the pipeline had begun with it.
	Free Change = "free"
	// Content holds for what is read from then on: rows that are there stay as
	// they are until their items change.
	Content Change = "content"
	// Identity is refused: the state and the tables are of what it was before.
	Identity Change = "identity"
)

var changes = []Change{Free, Content, Identity}
