package settle

// units says how fine the times of a table's changes are, in µs.
type units struct {
	coarsest int32 // of all; 0 = nothing is known
	known    int32 // the coarsest of the times whose unit is known; 0 = none
	// digits has, by source, the finest unit that the digits of its times show, where
	// records do not say the unit: a time without its trailing zeros only looks coarser
	// than the source's others.
	digits map[string]int32
}

// note takes the unit of a time into account.
func (u *units) note(source string, unit int32, byDigits bool) {
	if !byDigits {
		u.known = max(u.known, unit)
		u.coarsest = max(u.coarsest, unit)
		return
	}
	if finest := u.digits[source]; finest != 0 && finest <= unit {
		return
	}
	if u.digits == nil {
		u.digits = map[string]int32{}
	}
	u.digits[source] = unit
	u.sum()
}

// sum sets the coarsest of all.
func (u *units) sum() {
	u.coarsest = u.known
	for _, unit := range u.digits {
		u.coarsest = max(u.coarsest, unit)
	}
}
