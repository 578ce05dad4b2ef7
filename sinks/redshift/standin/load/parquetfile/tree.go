package parquetfile

import (
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// node is a column of the file, or a part of one that is nested.
type node struct {
	format.SchemaElement
	children []*node
	// def and rep are the levels of a value that is there, and at the deepest repetition.
	def, rep int
	leaf     int // its number among the leaves; the first below it if it is a group
}

// maxDepth is how deep columns may be nested: as deep as the JSON of a SUPER is of use.
const maxDepth = 100

// tree makes the file's columns of the footer's list.
func tree(elements []format.SchemaElement) ([]*node, error) {
	if len(elements) == 0 {
		return nil, fmt.Errorf("the schema is empty")
	}
	b := builder{rest: elements[1:]}
	columns, err := b.children(int(elements[0].NumChildren.V), 0, 0, 0)
	if err == nil && len(b.rest) > 0 {
		err = fmt.Errorf("the schema has %d elements that belong to no column", len(b.rest))
	}
	return columns, err
}

type builder struct {
	rest   []format.SchemaElement
	leaves int
}

func (b *builder) children(count, def, rep, depth int) ([]*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("columns are nested deeper than %d", maxDepth)
	}
	if count < 0 || count > len(b.rest) {
		return nil, fmt.Errorf("the schema ends too early")
	}
	var nodes []*node
	for range count {
		if len(b.rest) == 0 {
			return nil, fmt.Errorf("the schema ends too early")
		}
		n := &node{SchemaElement: b.rest[0], def: def, rep: rep, leaf: b.leaves}
		b.rest = b.rest[1:]
		switch n.RepetitionType.V {
		case format.Optional:
			n.def++
		case format.Repeated:
			n.def++
			n.rep++
		}
		if n.Type.Valid {
			b.leaves++
		} else {
			if n.NumChildren.V <= 0 {
				return nil, fmt.Errorf("group %q has no members", n.Name)
			}
			var err error
			if n.children, err = b.children(int(n.NumChildren.V), n.def, n.rep, depth+1); err != nil {
				return nil, err
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// group tells whether the column is no single value: a group, or a list of values.
func (n *node) group() bool { return len(n.children) > 0 || n.RepetitionType.V == format.Repeated }

// converted is the annotation that version 1 of the format knows.
func (n *node) converted(t deprecated.ConvertedType) bool {
	return n.ConvertedType.Valid && n.ConvertedType.V == t
}

// bare tells whether the values are not annotated at all.
func (n *node) bare() bool { return !n.ConvertedType.Valid && n.LogicalType.Value == nil }

// walk does something with each leaf of a node, in their order.
func (n *node) walk(do func(*node)) {
	if len(n.children) == 0 {
		do(n)
	}
	for _, c := range n.children {
		c.walk(do)
	}
}

// newline ends a line of a schema in errors, where it is not one: a context has one line.
const newline = `\n`

// describe spells the column as the scan's errors do.
func (n *node) describe() string {
	var b strings.Builder
	n.describeTo(&b, "")
	return b.String()
}

func (n *node) describeTo(b *strings.Builder, indent string) {
	kind := "struct"
	if n.Type.Valid {
		kind = strings.ToLower(n.Type.V.String())
	}
	fmt.Fprintf(b, "%s%s %s %s [", indent, strings.ToLower(n.RepetitionType.V.String()), kind, n.Name)
	if len(n.children) == 0 {
		fmt.Fprintf(b, "i:%d ", n.leaf)
	}
	fmt.Fprintf(b, "d:%d r:%d]", n.def, n.rep)
	if len(n.children) > 0 {
		b.WriteString(" {" + newline)
		for _, c := range n.children {
			c.describeTo(b, indent+"  ")
		}
		b.WriteString(indent + "}")
	}
	b.WriteString(newline)
}
