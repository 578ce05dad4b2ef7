package generate

// delivery carries changes to their reader as a real stream does: some come
// twice, some come late, by at most a window of records.
type delivery struct {
	out                    *lines
	draws                  source
	window                 int
	lateShare, repeatShare int // per million
	duplicates, late       int64
	position               int // of the next change, if it comes in time
	slots                  [][][]byte
}

func newDelivery(out *lines, o Options) *delivery {
	return &delivery{out: out, draws: derive(o.Seed, domainDelivery), window: o.Window,
		lateShare: perMillion(o.Late), repeatShare: perMillion(o.Duplicates),
		slots: make([][][]byte, 2*o.Window+1)} // a late change may be repeated a window later
}

// send delivers the next change, after the lines that wait for this position. It
// is sent twice only where again is true.
func (d *delivery) send(c *change, again bool) {
	d.release()
	start := len(d.out.buf)
	d.out.buf = c.appendTo(d.out.buf)
	line := d.out.buf[start:]
	delay := 0
	if d.draws.chance(d.lateShare) {
		delay = 1 + d.draws.below(d.window)
		d.late++
		d.hold(line, delay)
	}
	if d.draws.chance(d.repeatShare) && again {
		d.duplicates++
		d.hold(line, delay+1+d.draws.below(d.window))
	}
	if delay > 0 {
		d.out.buf = d.out.buf[:start]
	} else {
		d.out.end()
	}
	d.position++
}

// hold keeps a copy of the line until so many positions later.
func (d *delivery) hold(line []byte, delay int) {
	slot := &d.slots[(d.position+delay)%len(d.slots)]
	*slot = append(*slot, append([]byte(nil), line...))
}

// release writes the lines that wait for the current position.
func (d *delivery) release() {
	slot := &d.slots[d.position%len(d.slots)]
	for i, line := range *slot {
		d.out.buf = append(d.out.buf, line...)
		d.out.end()
		(*slot)[i] = nil
	}
	*slot = (*slot)[:0]
}

// drain writes all lines that still wait.
func (d *delivery) drain() {
	for range d.slots {
		d.release()
		d.position++
	}
}
