package roles

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CPU is the CPU time of a run by role: of each lane, where a role has several.
type CPU map[string]time.Duration

// Total returns all CPU time, with and without a role.
func (c CPU) Total() (sum time.Duration) {
	for _, d := range c {
		sum += d
	}
	return sum
}

// split returns a role with an n for the number of its lane, and whether it has one.
func split(role string) (name string, lane bool) {
	if i := strings.LastIndexByte(role, ' '); i > 0 {
		if _, err := strconv.Atoi(role[i+1:]); err == nil {
			return role[:i] + " n", true
		}
	}
	return role, false
}

// Role is what the goroutines of one role took.
type Role struct {
	Name  string        // of lanes, with an n for their number
	Lanes int           // that took any; 0 = the role is of one goroutine
	CPU   time.Duration // of all lanes
	Most  time.Duration // of the busiest lane
}

// Roles returns the roles, those with the most CPU first.
func (c CPU) Roles() []Role {
	byName := map[string]*Role{}
	for role, d := range c {
		name, lane := split(role)
		r := byName[name]
		if r == nil {
			r = &Role{Name: name}
			byName[name] = r
		}
		if lane {
			r.Lanes++
		}
		r.CPU, r.Most = r.CPU+d, max(r.Most, d)
	}
	var all []Role
	for _, r := range byName {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Role) int { return cmp.Or(cmp.Compare(b.CPU, a.CPU), strings.Compare(a.Name, b.Name)) })
	return all
}

// sequences are roles of which only one runs at a time: the first waits for what it has the
// others do. The builder waits while the phases of an epoch run, and the committer while an
// epoch is saved.
var sequences = [][]string{{"builder", Phases}, {"committer", "saver n"}}

// Phases is the role of the goroutines that run the parts of phases.
const Phases = "phases n"

// PhasesLane returns the label of one of them.
func PhasesLane(n int) string { return strings.TrimSuffix(Phases, "n") + strconv.Itoa(n) }

// Busiest returns the goroutine with the most CPU. The roles of a sequence count as one
// goroutine, which plays the busiest lane of each. Goroutines without a role that began with the
// same function count as one, unless they are many by their nature: the collector's, the
// scheduler's, threads of C libraries, and merges of the state.
func Busiest(c CPU) (name string, most time.Duration) {
	left := map[string]time.Duration{} // the busiest lane of each role
	for _, r := range c.Roles() {
		if !slices.Contains(many, r.Name) {
			left[r.Name] = r.Most
		}
	}
	for _, s := range sequences {
		var sum time.Duration
		var played []string
		for _, role := range s {
			if d, ok := left[role]; ok {
				sum, played = sum+d, append(played, role)
				delete(left, role)
			}
		}
		left[strings.Join(played, " and ")] = sum
	}
	for _, role := range slices.Sorted(maps.Keys(left)) {
		if left[role] > most {
			name, most = role, left[role]
		}
	}
	return name, most
}

// Share returns a part of the whole in percent; 0 of nothing.
func Share(part, whole time.Duration) float64 {
	return 100 * part.Seconds() / max(whole.Seconds(), time.Nanosecond.Seconds())
}

// Print prints the roles, and for each the CPU and what it is a share of all.
func (c CPU) Print(w io.Writer) error {
	total := c.Total()
	for _, r := range c.Roles() {
		lanes := ""
		if r.Lanes > 0 {
			lanes = fmt.Sprintf("  %d lanes, the busiest %.1f %%", r.Lanes, Share(r.Most, total))
		}
		if _, err := fmt.Fprintf(w, "    %-40s %8.2f s %5.1f %%%s\n", r.Name, r.CPU.Seconds(), Share(r.CPU, total), lanes); err != nil {
			return fmt.Errorf("roles: %w", err)
		}
	}
	name, most := Busiest(c)
	_, err := fmt.Fprintf(w, "  busiest goroutine: %.0f %% (%s)\n", Share(most, total), cmp.Or(name, "none"))
	return err
}
