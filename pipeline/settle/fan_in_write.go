package settle

// noteRows puts the rows that have changed into rows.
func (f *fanIn) noteRows(rows []rowChange) {
	for i := range f.keys {
		k := &f.keys[i]
		if k.tops[1] != nil {
			k.lastDied = k.byItem[k.tops[1].item()].indexed.deletedAt
		}
		if o, differs := f.changes[k.changes[1]-1].rowChange(k.before, f.currentRow(k)); differs {
			rows[k.row] = o
		}
	}
}

// putKeys writes the fan-in keys. One that has few contributions again gets an entry that
// has them all.
func (f *fanIn) putKeys() error {
	var fewer []*fanInKey
	for i := range f.keys {
		if k := &f.keys[i]; k.liveCount+k.deadCount <= 1 || k.bytes <= f.inlineBytes/2 {
			fewer = append(fewer, k)
		}
	}
	if err := f.makeInline(fewer); err != nil {
		return err
	}
	for i := range f.keys {
		k := &f.keys[i]
		if k.liveCount+k.deadCount <= 1 || k.bytes <= f.inlineBytes/2 {
			continue
		}
		if err := f.putKey(k); err != nil {
			return err
		}
	}
	return nil
}

// putKey writes one fan-in key.
func (f *fanIn) putKey(k *fanInKey) error {
	if k.inlineEntry != nil { // it may be in pages
		if err := f.long.Put(k.key, k.inlineEntry, nil); err != nil {
			return err
		}
	}
	for _, s := range k.contributions {
		if s.indexed == s.was {
			continue
		}
		if err := f.putContribution(s, s.indexed); err != nil {
			return err
		}
	}
	f.forest.Write(k.tree)
	f.encoded = k.append(f.encoded[:0])
	f.state.Put(k.key, f.encoded)
	return nil
}

func (f *fanIn) putContribution(s *fanInContribution, now *contribution) error {
	if now == nil {
		return f.long.Put(s.stateKey, s.entry, nil)
	}
	f.encoded = now.append(append(f.encoded[:0], contributionEntry))
	return f.long.Put(s.stateKey, s.entry, f.encoded)
}

// makeInline turns fan-in keys into keys whose entry has all their contributions.
func (f *fanIn) makeInline(keys []*fanInKey) error {
	err := f.forest.Read(len(keys), func(i int) bool { return f.forest.Each(keys[i].tree, nil, func([]byte) {}) })
	if err != nil {
		return err
	}
	for _, k := range keys {
		f.forest.Each(k.tree, nil, func(at []byte) {
			if at[0] != columnRank {
				f.contribution(k, rank(at).item())
			}
		})
	}
	if err := f.readContributions(); err != nil {
		return err
	}
	for _, k := range keys {
		var contributions []contribution
		for _, s := range k.contributions {
			if s.indexed != nil {
				contributions = append(contributions, *s.indexed)
			}
			if s.entry == nil {
				continue
			}
			if err := f.putContribution(s, nil); err != nil {
				return err
			}
		}
		f.forest.Clear(k.tree)
		f.forest.Write(k.tree)
		var value []byte
		if len(contributions) > 0 {
			f.encoded = appendContributions(f.encoded[:0], contributions)
			value = f.encoded
		}
		if err := f.long.Put(k.key, k.inlineEntry, value); err != nil {
			return err
		}
	}
	return nil
}

// drop deletes fan-in keys with all that they have.
func (f *fanIn) drop(emptied []fanInKey) error {
	err := f.forest.Read(len(emptied), func(i int) bool { return f.forest.Each(emptied[i].tree, nil, func([]byte) {}) })
	if err != nil {
		return err
	}
	for i := range emptied {
		k := &emptied[i]
		f.forest.Each(k.tree, nil, func(at []byte) { f.contribution(k, rank(at).item()) })
		f.forest.Clear(k.tree)
		f.forest.Write(k.tree)
		f.state.Put(k.key, nil)
	}
	if err := f.readContributions(); err != nil {
		return err
	}
	for i := range emptied {
		for _, s := range emptied[i].contributions {
			if err := f.putContribution(s, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
