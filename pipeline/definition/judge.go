package definition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// judge judges the differences of one file.
type judge struct {
	found   *Found
	file    *spec.File
	fromNow []string
	all     []spec.Difference
	changes []Change
}

const (
	beginAnew = "or begin anew: starlift reset FILE shows what that takes"
	putBack   = "put it back, "
)

// judge adds what is to be said of a difference; nothing where another one says it.
func (j *judge) judge(d *spec.Difference) {
	switch {
	case Key(d.Path) == "state.dir":
		return // where the state was found
	case d.Was == nil && j.renamed(d.Path) != "":
		return // told with the name that is gone
	case input(d.Path) && j.follows(d):
		return
	}
	c := Change{Key: Key(d.Path), Kind: d.Change, Verdict: Taken, Was: text(d.Was), Is: text(d.Is)}
	if node(d.Path) {
		c.Node = d.Path[1]
	}
	if len(d.Path) == 2 && c.Node != "" && d.Change == spec.Content && d.Path[0] == "sources" && d.Was == nil {
		c.Kind = spec.Free // what it brings is read, and what was there stays
	}
	switch {
	case c.Kind == spec.Free, j.unread(d.Path):
	case c.Kind == spec.Content && slices.Contains(j.fromNow, c.Node):
		c.Verdict = FromNow
	default:
		c.Verdict = Refused
	}
	at := d.Path
	if d.Is == nil && len(d.NewNames) > 0 && d.Change == spec.Identity {
		at = append(at[:len(at)-1:len(at)-1], d.NewNames[0])
	}
	c.Mistake = j.file.MistakeAt(at, j.message(d), j.hint(&c))
	j.changes = append(j.changes, c)
}

// node reports whether a path leads into a node.
func node(path []string) bool { return len(path) > 1 && slices.Contains(sections, path[0]) }

// input reports whether a path is of an input.
func input(path []string) bool { return node(path) && len(path) == 4 && path[2] == "inputs" }

// follows reports whether an input that came or went follows from the node or table
// that did.
func (j *judge) follows(d *spec.Difference) bool {
	of, table, _ := strings.Cut(d.Path[3], ".")
	for i := range j.all {
		o := &j.all[i]
		if !node(o.Path) || o.Path[1] != of || (o.Was == nil) != (d.Was == nil) || (o.Is == nil) != (d.Is == nil) {
			continue
		}
		if len(o.Path) == 2 || len(o.Path) == 4 && o.Path[3] == table {
			return true
		}
	}
	return false
}

// renamed returns the name that is gone where a new one stands that it may be.
func (j *judge) renamed(path []string) string {
	last := len(path) - 1
	for _, o := range j.all {
		if o.Is == nil && len(o.NewNames) == 1 && len(o.Path) == len(path) && slices.Equal(o.Path[:last], path[:last]) && o.NewNames[0] == path[last] && o.Change == spec.Identity {
			return o.Path[last]
		}
	}
	return ""
}

// unread reports a path of a source of which nothing was read.
func (j *judge) unread(path []string) bool {
	return node(path) && path[0] == "sources" && !j.found.Read(path[1])
}

// text returns the value of a setting for people.
func text(s *spec.Setting) string {
	if s == nil {
		return ""
	}
	return s.Text
}

// message says what was changed.
func (j *judge) message(d *spec.Difference) string {
	at := Key(d.Path)
	was, is := text(d.Was), text(d.Is)
	switch {
	case d.Is == nil && len(d.NewNames) == 1 && d.Change == spec.Identity:
		return fmt.Sprintf("%s was renamed: it is gone, and %s is new", at, d.NewNames[0])
	case d.Is == nil && len(d.NewNames) > 0 && d.Change == spec.Identity:
		return fmt.Sprintf("%s is gone, or was renamed: new are %s", at, strings.Join(d.NewNames, ", "))
	case input(d.Path) && d.Is == nil:
		return fmt.Sprintf("%s no longer reads %s", Key(d.Path[:2]), d.Path[3])
	case input(d.Path) && d.Was == nil:
		return fmt.Sprintf("%s did not read %s before", Key(d.Path[:2]), d.Path[3])
	case d.Is == nil && was == "":
		return at + " was there, and is gone"
	case d.Was == nil && is == "":
		return at + " is new"
	case d.Is == nil:
		return fmt.Sprintf("%s was %s, and is left out", at, was)
	case d.Was == nil:
		return fmt.Sprintf("%s was left out, and is %s", at, is)
	case was == is:
		return fmt.Sprintf("%s holds a secret, %s, that was another one", at, is)
	default:
		return fmt.Sprintf("%s was %s, and is %s", at, was, is)
	}
}

// hint says how to go on with a change that is refused.
func (j *judge) hint(c *Change) string {
	switch {
	case c.Verdict != Refused:
		return ""
	case c.Kind == spec.Content:
		return fmt.Sprintf("%sor take it for what is read from now on (rows that are there stay until their items change), with --from-now %s, %s", putBack, c.Node, beginAnew)
	default:
		return putBack + beginAnew
	}
}

// WithoutFromNow takes the offer of --from-now out of the hints: the state can't go on
// with the file whatever is taken.
func WithoutFromNow(changes []Change) {
	for i := range changes {
		if changes[i].Verdict == Refused {
			changes[i].Hint = putBack + beginAnew
		}
	}
}

// switches returns the definition's with those that are taken now.
func (j *judge) switches() []Switch {
	all := slices.Clone(j.found.Definition.Switches)
	for _, c := range j.changes {
		if c.Verdict != FromNow {
			continue
		}
		epoch := j.found.Epoch + 1
		i := slices.IndexFunc(all, func(s Switch) bool { return s.Node == c.Node })
		switch {
		case i < 0:
			all = append(all, Switch{Node: c.Node, Epoch: epoch, Keys: []string{c.Key}})
		case all[i].Epoch != epoch:
			all[i] = Switch{Node: c.Node, Epoch: epoch, Keys: []string{c.Key}}
		case !slices.Contains(all[i].Keys, c.Key):
			all[i].Keys = append(slices.Clone(all[i].Keys), c.Key)
		}
	}
	return all
}
