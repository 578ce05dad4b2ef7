package partitions

import (
	"maps"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// open takes the partitions that the first discovery lists.
func (d *dispatcher) open(found []pipeline.Partition, now time.Time) {
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
	if p.scheduled || p.cursor.Ended || p.cursor.Gap != nil || p.unsaved != nil || slices.ContainsFunc(p.Parents, d.stillOpen) {
		return
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
