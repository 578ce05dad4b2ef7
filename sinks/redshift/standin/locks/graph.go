package locks

// graph is the serialization graph of the transactions under Serializable: an edge from one to another says that it comes before it in every
// serial order that gives the same results.
type graph struct {
	nodes   map[*Txn]*node
	readers map[Table]map[*node]struct{}
	writers map[Table]map[*node]struct{}
	// oldest is the snapshot up to which commits were looked at for forgetting.
	oldest uint64
}

// node is one transaction with what it has used.
type node struct {
	txn    *Txn
	commit uint64 // 0 while it runs
	reads  map[Table]struct{}
	writes map[Table]bool // true if the table was defined anew, which all see at once
	before map[*node]struct{}
	after  map[*node]struct{}
}

func newGraph() graph {
	return graph{nodes: map[*Txn]*node{}, readers: map[Table]map[*node]struct{}{}, writers: map[Table]map[*node]struct{}{}}
}

func index(of map[Table]map[*node]struct{}, t Table, n *node) {
	if of[t] == nil {
		of[t] = map[*node]struct{}{}
	}
	of[t][n] = struct{}{}
}

func unindex(of map[Table]map[*node]struct{}, t Table, n *node) {
	delete(of[t], n)
	if len(of[t]) == 0 {
		delete(of, t)
	}
}

func edge(from, to *node) {
	from.after[to] = struct{}{}
	to.before[from] = struct{}{}
}

// sees says whether n, when it uses the table now, gets what w has written there. Changes by DDL and TRUNCATE are visible to all when they
// are committed (dg/c_serial_isolation, "Considerations"), and are themselves of the table as it is, not as it is in a snapshot.
func (n *node) sees(w *node, table Table) bool {
	return w.commit != 0 && (w.commit <= *n.txn.snapshot || w.writes[table] || n.writes[table])
}

// add notes a use, and gives the transactions of a cycle if it closes one, the using one first.
func (g *graph) add(t *Txn, u Use) []int64 {
	n := g.nodes[t]
	if n == nil {
		n = &node{txn: t, reads: map[Table]struct{}{}, writes: map[Table]bool{}, before: map[*node]struct{}{}, after: map[*node]struct{}{}}
		g.nodes[t] = n
	}
	if u.Action.writes() {
		n.writes[u.Table] = n.writes[u.Table] || u.Action == ActionDefine
		index(g.writers, u.Table, n)
		for r := range g.readers[u.Table] {
			if r != n {
				edge(r, n)
			}
		}
	}
	if u.Action.reads() {
		n.reads[u.Table] = struct{}{}
		index(g.readers, u.Table, n)
		for w := range g.writers[u.Table] {
			switch {
			case w == n:
			case n.sees(w, u.Table):
				edge(w, n)
			default:
				edge(n, w)
			}
		}
	}
	return g.cycle(n)
}

// cycle are the transactions of a shortest cycle through n.
func (g *graph) cycle(n *node) []int64 {
	from := map[*node]*node{}
	for queue := []*node{n}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, next := range sortedNodes(at.after) {
			if next == n {
				var xids []int64
				for ; at != n; at = from[at] {
					xids = append(xids, at.txn.xid)
				}
				xids = append(xids, n.txn.xid)
				for i, j := 0, len(xids)-1; i < j; i, j = i+1, j-1 {
					xids[i], xids[j] = xids[j], xids[i]
				}
				return xids
			}
			if _, ok := from[next]; !ok {
				from[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

func (g *graph) commit(t *Txn, at uint64) {
	if n := g.nodes[t]; n != nil {
		n.commit = at
		g.drop(n)
	}
}

// remove takes a transaction out that has no effect.
func (g *graph) remove(t *Txn) {
	if n := g.nodes[t]; n != nil {
		g.delete(n)
	}
}

// delete takes a node out, and those after it that nothing keeps any longer.
func (g *graph) delete(n *node) {
	delete(g.nodes, n.txn)
	for t := range n.reads {
		unindex(g.readers, t, n)
	}
	for t := range n.writes {
		unindex(g.writers, t, n)
	}
	for p := range n.before {
		delete(p.after, n)
	}
	for s := range n.after {
		delete(s.before, n)
	}
	for s := range n.after {
		g.drop(s)
	}
}

// drop deletes a node that can be part of no cycle any more: nothing is before it, and nothing can come to be, since all that run see what
// it has written, if anything.
func (g *graph) drop(n *node) {
	if g.nodes[n.txn] != n || n.commit == 0 || len(n.before) > 0 {
		return
	}
	if len(n.writes) == 0 || n.commit <= g.oldest {
		g.delete(n)
	}
}

// forget deletes what is of no use to transactions with snapshots from oldest on.
func (g *graph) forget(oldest uint64) {
	if oldest == g.oldest {
		return
	}
	g.oldest = oldest
	for _, n := range g.nodes {
		g.drop(n)
	}
}
