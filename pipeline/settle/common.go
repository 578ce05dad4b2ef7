package settle

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/overflow"
)

// common is what all goroutines use that settle, and none changes: of LogicalTables, neither
// numbers nor horizons change while the phases run.
type common struct {
	node    string
	showKey func([]byte) []byte
	tables  *LogicalTables
	schemas map[uint64]*schema // by id, of last-writer-wins
	byTable map[*pipeline.Table]*schema
	state   State
	// severalInputs says that changes without sequence numbers may come beside those with one.
	severalInputs bool
	policies      []*policy
	sizes         sizes
}

// sizes are bounds from which values are cut into pieces. Tests have smaller ones.
type sizes struct {
	page   int // of a page of a tree
	inline int // of a value in one entry
}

var usualSizes = sizes{page: btree.DefaultPageBytes, inline: overflow.DefaultInlineBytes}

// values returns what reads and writes the values of a keyspace that may be long.
func (s *common) values(k overflow.State) overflow.Values {
	return overflow.Values{State: k, InlineBytes: s.sizes.inline}
}
