package backend

import (
	"context"
	"strings"
	"sync"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
)

// fullNames are names by their short forms. It grows with the names of more than 63 bytes
// that clients use; a hash leads to one name only, so entries never go wrong.
type fullNames struct{ m sync.Map }

// KeepNames keeps full names that a statement is about to use by their short forms: in this
// process, so that results are named by them, and in the database, so that its catalog
// shows them. Names that have no short form need none.
func (c *Conn) KeepNames(ctx context.Context, full ...string) error {
	var long []string
	for _, name := range full {
		if short := c.cluster.keepName(name); short != name {
			long = append(long, "("+literal(short)+","+literal(name)+")")
		}
	}
	if long == nil {
		return nil
	}
	return c.Exec(ctx, "INSERT INTO rs.long_names SELECT * FROM (VALUES "+strings.Join(long, ",")+
		") AS v(short, full_name) WHERE NOT EXISTS (SELECT FROM rs.long_names AS l WHERE l.short = v.short)")
}

// FullName returns the name that a name of PostgreSQL stands for.
func (c *Conn) FullName(name string) string { return c.cluster.fullName(name) }

// keepName keeps a full name in this process, and returns its short form.
func (c *Cluster) keepName(full string) string {
	short := names.Short(full)
	if short != full {
		c.full.m.Store(short, full)
	}
	return short
}

func (c *Cluster) fullName(name string) string {
	if !names.IsShort(name) {
		return name
	}
	if full, ok := c.full.m.Load(name); ok {
		return full.(string)
	}
	return name
}
