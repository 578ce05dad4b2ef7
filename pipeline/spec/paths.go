package spec

import "strconv"

// Paths are document paths: one, or a list of alternatives, of which the first
// counts whose value is there and not null.
type Paths []string

// DecodeNode implements NodeDecoder.
func (p *Paths) DecodeNode(n *Node) error {
	if n.Kind() == List {
		return n.Decode((*[]string)(p))
	}
	var one string
	if err := n.Decode(&one); err != nil {
		return err
	}
	*p = nil
	if one != "" {
		*p = Paths{one}
	}
	return nil
}

// Alternatives implements Alternatives.
func (Paths) Alternatives() []any { return []any{"", []string{}} }

// At returns the path of a FieldError about path i, below that of all of them.
func (p Paths) At(i int, path ...string) []string {
	if len(p) == 1 {
		return path
	}
	return append(path[:len(path):len(path)], strconv.Itoa(i))
}
