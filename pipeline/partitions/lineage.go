package partitions

import (
	"slices"
	"time"
)

// lineage holds the partitions of an opening, and who is whose child.
type lineage struct {
	partitions map[string]*partition
	children   map[string][]*partition // by the parent's name, whether it is known or not
	unread     int                     // partitions that have not ended and of which nothing was read in this opening

	named []*partition // whose namedAt is set

	discoveries int // that have begun
	lastEnd     int // of discoveries, when a partition ended last whose children are to be found
}

func newLineage() lineage {
	return lineage{partitions: map[string]*partition{}, children: map[string][]*partition{}, discoveries: 1}
}

// names are those of all partitions.
func (l *lineage) names() map[string]bool {
	all := make(map[string]bool, len(l.partitions))
	for name := range l.partitions {
		all[name] = true
	}
	return all
}

// add adds a partition.
func (l *lineage) add(p *partition) {
	l.partitions[p.Name] = p
	for _, parent := range p.Parents {
		l.children[parent] = append(l.children[parent], p)
	}
	if !p.cursor.Ended {
		l.unread++
	}
}

// remove takes out a partition that has ended.
func (l *lineage) remove(p *partition) {
	delete(l.partitions, p.Name)
	for _, parent := range p.Parents {
		l.children[parent] = slices.DeleteFunc(l.children[parent], func(other *partition) bool { return other == p })
		if len(l.children[parent]) == 0 {
			delete(l.children, parent)
		}
	}
}

// lacksParents reports whether some of the parents are not known.
func (l *lineage) lacksParents(parents []string) bool {
	return slices.ContainsFunc(parents, func(name string) bool { return l.partitions[name] == nil })
}

// firstOrdinal returns the ordinal of a partition's first record, when its parents have ended.
func (l *lineage) firstOrdinal(p *partition) (first int64) {
	for _, name := range p.Parents {
		if parent := l.partitions[name]; parent != nil {
			first = max(first, parent.cursor.First+parent.cursor.Records)
		}
	}
	return first
}

// setParents adds the parents of a partition that was found before they were known.
func (l *lineage) setParents(p *partition, parents []string) {
	p.Parents, p.cursor.Parents = parents, parents
	for _, parent := range parents {
		l.children[parent] = append(l.children[parent], p)
	}
}

// noteRead notes that something was read of a partition, or nothing that was there.
func (l *lineage) noteRead(p *partition) {
	if !p.read {
		p.read = true
		l.unread--
	}
}

// noteEnd notes that a partition has ended.
func (l *lineage) noteEnd(p *partition) {
	l.noteRead(p)
	p.endedAt = l.discoveries
}

// stillOpen reports whether a partition is there, or was read, and has not ended (I4).
func (l *lineage) stillOpen(name string) bool {
	p := l.partitions[name]
	return p != nil && !p.cursor.Ended
}

// discoveryWanted reports whether a partition has ended since the last discovery began
// whose children have to be found.
func (l *lineage) discoveryWanted() bool { return l.lastEnd >= l.discoveries }

// behindGap reports whether a partition, or one of those before it, has a gap.
func (l *lineage) behindGap(p *partition) bool {
	return l.hasGap(p, map[string]bool{})
}

func (l *lineage) hasGap(p *partition, seen map[string]bool) bool {
	if p.cursor.Gap != nil {
		return true
	}
	seen[p.Name] = true
	for _, name := range p.Parents {
		if parent := l.partitions[name]; parent != nil && !seen[name] && !parent.cursor.Ended && l.hasGap(parent, seen) {
			return true
		}
	}
	return false
}

// parentsReadUntil returns up to when the parents of a partition were read, the least of them;
// zero = that is not known.
func (l *lineage) parentsReadUntil(p *partition) (least time.Time) {
	for _, name := range p.Parents {
		parent := l.partitions[name]
		if parent == nil {
			continue
		}
		until := parent.cursor.ReadUntil
		if until.IsZero() {
			return until
		}
		if least.IsZero() || until.Before(least) {
			least = until
		}
	}
	return least
}

// forget takes out the partitions that have ended, are not listed any longer, and whose
// children, which a discovery has found that began after the end, are being read.
func (l *lineage) forget(listed map[string]bool, now time.Time) (dropped []string) {
	for name, p := range l.partitions {
		if !p.cursor.Ended || listed[name] || p.endedAt >= l.discoveries || p.cursor.keptForGap(now) {
			continue
		}
		if !slices.ContainsFunc(l.children[name], func(child *partition) bool { return !child.read && !child.cursor.Ended }) {
			dropped = append(dropped, name)
		}
	}
	slices.Sort(dropped)
	for _, name := range dropped {
		l.remove(l.partitions[name])
	}
	return dropped
}
