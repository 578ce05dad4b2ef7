package locks

import (
	"cmp"
	"maps"
	"slices"
)

// graph is the serialization graph of the transactions under Serializable: an edge from one to another says
// that it comes before it in every serial order that gives the same results.
type graph struct {
	nodes   map[*Txn]*node
	readers map[Table]map[*node]struct{}
	writers map[Table]map[*node]struct{}
	// defined are the commits that defined a table anew, as long as they are in no snapshot of some that runs.
	defined map[Table]uint64
	// oldest is the snapshot up to which commits were looked at for forgetting.
	oldest uint64
}

// node is one transaction with what it has used.
type node struct {
	txn    *Txn
	commit uint64 // 0 while it runs
	reads  map[Table]struct{}
	writes map[Table]bool // true if the table was defined anew
	before map[*node]struct{}
	after  map[*node]struct{}
}

func newGraph() graph {
	return graph{
		nodes:   map[*Txn]*node{},
		readers: map[Table]map[*node]struct{}{},
		writers: map[Table]map[*node]struct{}{},
		defined: map[Table]uint64{},
	}
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

// sees says whether n, when it uses the table now, gets what w has written there. Changes by DDL and TRUNCATE
// are visible to all when they are committed (dg/c_serial_isolation, "Considerations"), and are themselves of
// the table as it is, not as it is in a snapshot.
func (g *graph) sees(n, w *node, table Table) bool {
	return w.commit != 0 && (n.writes[table] || w.commit <= max(*n.txn.snapshot, g.defined[table]))
}

// add notes a use, and gives the transactions of a cycle if it closes one, the using one first.
func (g *graph) add(t *Txn, u TableUse) []int64 {
	n := g.nodes[t]
	if n == nil {
		n = &node{txn: t, reads: map[Table]struct{}{}, writes: map[Table]bool{}, before: map[*node]struct{}{}, after: map[*node]struct{}{}}
		g.nodes[t] = n
	}
	before, after := map[*node]struct{}{}, map[*node]struct{}{}
	if u.Action.writes() {
		n.writes[u.Table] = n.writes[u.Table] || u.Action == ActionDefine
		index(g.writers, u.Table, n)
		maps.Copy(before, g.readers[u.Table])
	}
	if u.Action.reads() {
		n.reads[u.Table] = struct{}{}
		index(g.readers, u.Table, n)
		for w := range g.writers[u.Table] {
			if g.sees(n, w, u.Table) {
				before[w] = struct{}{}
			} else {
				after[w] = struct{}{}
			}
		}
	}
	delete(before, n)
	delete(after, n)
	g.link(n, u.Table, before, after)
	return g.cycle(n)
}

// link makes edges from those before n and to those after it, but none where a path through committed
// transactions that use the table says the same: otherwise the edges would grow with the square of the
// transactions that are kept. Such a path lasts as long as the edge would, since a committed node is deleted
// after all that are before it.
func (g *graph) link(n *node, table Table, before, after map[*node]struct{}) {
	users := slices.AppendSeq(slices.Collect(maps.Keys(g.readers[table])), maps.Keys(g.writers[table]))
	slices.SortFunc(users, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.commit, b.commit), cmp.Compare(a.txn.xid, b.txn.xid))
	})
	reach := committed(n.after)
	for _, x := range users {
		_, direct := after[x]
		through := meets(reach, x.before)
		if direct && !through {
			edge(n, x)
		}
		if direct || through {
			reach[x] = x.commit != 0
		}
	}
	slices.Reverse(users)
	reach = committed(n.before)
	for _, x := range users {
		_, direct := before[x]
		through := meets(reach, x.after)
		if direct && !through {
			edge(x, n)
		}
		if direct || through {
			reach[x] = x.commit != 0
		}
	}
}

// committed are those of the nodes that a path may go through.
func committed(nodes map[*node]struct{}) map[*node]bool {
	set := map[*node]bool{}
	for x := range nodes {
		set[x] = x.commit != 0
	}
	return set
}

func meets(set map[*node]bool, nodes map[*node]struct{}) bool {
	for x := range nodes {
		if set[x] {
			return true
		}
	}
	return false
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
		for table, anew := range n.writes {
			if anew {
				g.defined[table] = at
			}
		}
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

// drop deletes a node that can be part of no cycle any more: nothing is before it, and nothing can come to be,
// since all that run see what it has written, if anything.
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
	for table, at := range g.defined {
		if at <= oldest {
			delete(g.defined, table)
		}
	}
}
