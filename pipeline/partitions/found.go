package partitions

import (
	"maps"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// open takes the partitions that the first discovery lists. Something is handed over at once in any
// case (pipeline.StartReporter).
func (d *dispatcher) open(found []pipeline.Partition, now time.Time) {
	d.tell(news{})
	d.discovered(found, now)
	d.enqueueAll(now)
}

// discovered takes the partitions that the last discovery lists.
func (d *dispatcher) discovered(found []pipeline.Partition, now time.Time) {
	d.nextDiscovery = now.Add(d.options.DiscoveryInterval)
	listed := map[string]bool{}
	for _, f := range found {
		listed[f.Name] = true
	}
	d.found(found, now)
	d.listedParents(now)
	if dropped := d.forget(listed, d.env.Now()); len(dropped) > 0 {
		d.tell(news{dropped: dropped})
	}
}

// found adds the partitions that are new, has their first cursors saved, and schedules those
// whose parents have ended, in the order of their names, so that a first reading is the same each
// time.
func (d *dispatcher) found(all []pipeline.Partition, now time.Time) {
	if n := d.addFound(all); len(n.positions) > 0 {
		d.tell(n)
	}
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.Name
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		d.enqueueReady(d.partitions[name], now)
	}
}

// addNamed is addFound of the children that the end of a partition names. One that has another
// parent, which is not known, waits: that may have come after the last discovery, as where
// several splits and merges follow each other, and one that begins now will list it.
func (d *dispatcher) addNamed(children []pipeline.Partition) news {
	var waiting []string
	for _, f := range children {
		if d.partitions[f.Name] == nil && d.lacksParents(f.Parents) {
			waiting = append(waiting, f.Name)
		}
	}
	n := d.addFound(children)
	for _, name := range waiting {
		p := d.partitions[name]
		p.namedAt, d.lastEnd = d.discoveries, d.discoveries
		d.named = append(d.named, p)
	}
	return n
}

// listedParents schedules the partitions whose parents are known by now, as far as they are
// there: a discovery has ended that began after the partitions were named.
func (d *dispatcher) listedParents(now time.Time) {
	d.named = slices.DeleteFunc(d.named, func(p *partition) bool {
		if p.namedAt >= d.discoveries {
			return false
		}
		p.namedAt = 0
		d.enqueueReady(p, now)
		return true
	})
}

// addFound adds the partitions that are new, and returns their first cursors.
func (d *dispatcher) addFound(all []pipeline.Partition) news {
	n := news{positions: map[string][]byte{}}
	for _, f := range all {
		p := d.partitions[f.Name]
		if p == nil {
			p = &partition{Partition: f, cursor: cursor{At: string(f.Start), Parents: f.Parents}}
			p.cursor.readUntil(f.StartTime)
			d.add(p)
			n.positions[p.Name] = p.cursor.encode()
			if f.Start != nil {
				p.unsaved, n.saveNow = n.positions[p.Name], true
				d.unsaved = append(d.unsaved, p)
			}
		} else if len(p.Parents) == 0 && !p.scheduled {
			d.setParents(p, f.Parents)
		}
		p.DisplayName = f.DisplayName
	}
	return n
}

// enqueueAll schedules all partitions that may be read.
func (d *dispatcher) enqueueAll(now time.Time) {
	for _, name := range slices.Sorted(maps.Keys(d.partitions)) {
		d.enqueueReady(d.partitions[name], now)
	}
}

// enqueueReady schedules a partition if it may be read.
func (d *dispatcher) enqueueReady(p *partition, now time.Time) {
	if p.scheduled || p.cursor.Ended || p.cursor.Gap != nil || p.unsaved != nil || p.namedAt > 0 || slices.ContainsFunc(p.Parents, d.stillOpen) {
		return
	}
	if first := d.firstOrdinal(p); p.cursor.Records == 0 && first > p.cursor.First {
		p.cursor.First = first
		d.tell(news{positions: map[string][]byte{p.Name: p.cursor.encode()}}) // before the parents are forgotten
	}
	d.setScheduled(p, true)
	d.scheduleAt(p, now)
}

// scheduleAt puts a partition into the schedule, behind those of the same time.
func (d *dispatcher) scheduleAt(p *partition, at time.Time) {
	d.turns++
	p.next, p.turn = at, d.turns
	d.schedule.add(p)
}

// setScheduled notes that a partition is read from now on, or not any longer.
func (d *dispatcher) setScheduled(p *partition, is bool) {
	if p.scheduled == is {
		return
	}
	p.scheduled = is
	if !p.caughtUp {
		if is {
			d.behind++
		} else {
			d.behind--
		}
	}
}
