package jobs

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// tableLocation is a table in a place that a sink writes to.
type tableLocation struct {
	sink, table string
	place       []string
}

// checkTargets refuses two sinks that write to one place, however they spell it:
// every row would be there twice.
func (a *assembly) checkTargets() {
	var all []tableLocation
	for _, s := range a.config.Sinks {
		if sink, ok := s.Sink.(targetLister); ok {
			all = append(all, a.checkTarget(s, sink, all)...)
		}
	}
}

func (a *assembly) checkTarget(s engine.SinkNode, sink targetLister, others []tableLocation) (mine []tableLocation) {
	said := map[string]bool{} // one mistake for each pair of sinks
	for _, in := range s.Inputs {
		key, places := sink.Targets(in.Table)
		for _, place := range places {
			for _, o := range others {
				within, around := begins(place, o.place), begins(o.place, place)
				if !within && !around || said[o.sink] {
					continue
				}
				said[o.sink] = true
				how := fmt.Sprintf("sinks %s and %s both write table %q to one place", o.sink, s.Name, in.Table.Name)
				switch {
				case !around:
					how = fmt.Sprintf("the folder of table %q lies in that of table %q of sink %s", in.Table.Name, o.table, o.sink)
				case !within:
					how = fmt.Sprintf("the folder of table %q of sink %s lies in that of table %q", o.table, o.sink, in.Table.Name)
				}
				a.file.Report("sinks", s.Name, &spec.FieldError{Path: []string{key}, Message: how + ": give each a place of its own, or make one sink of them"})
			}
			mine = append(mine, tableLocation{s.Name, in.Table.Name, place})
		}
	}
	return mine
}

// begins reports whether a place is another one, or lies in it.
func begins(place, other []string) bool {
	return len(place) >= len(other) && slices.Equal(place[:len(other)], other)
}
