// Package faults says which statements and logins have to fail, and how: a test asks for
// what a cluster does now and then, and the server does it.
//
// A Rule names a Kind, a pattern and a count. The server asks its Set before each statement
// and each login; the first rule that matches and is not used up is taken, and its count
// goes down by one. What the kind means is done by the server: this package only keeps the
// account, so that rules can come from Go, from a flag and from SQL alike.
package faults

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kind is what happens.
type Kind string

// The kinds of faults. Those of a statement are matched with its text, those of a login
// with the user's name.
const (
	// Serializable is error 1023: another transaction wrote what this one read.
	Serializable Kind = "1023"
	// NoRelation is error 1018: another transaction dropped what this one reads.
	NoRelation Kind = "1018"
	// Conflict is `could not complete because of conflict with concurrent transaction`.
	Conflict Kind = "conflict"
	// OpenRelation is `could not open relation with OID`, which readers of the catalog see
	// while tables are dropped.
	OpenRelation Kind = "oid"
	// Resize refuses a statement as during an elastic resize.
	Resize Kind = "resize"
	// LostBefore closes the connection before the statement runs: it never happened.
	LostBefore Kind = "lost-before"
	// LostAfter closes the connection when the statement has run: of a COMMIT the client
	// can't know that it is durable.
	LostAfter Kind = "lost-after"
	// Late closes the connection at once, and runs the statement after the rule's delay.
	// Until then the session holds its locks: a COMMIT that the server finishes when the
	// client is gone.
	Late Kind = "late"
	// Slow runs the statement after the rule's delay.
	Slow Kind = "slow"
	// Resume is a paused workgroup that wakes up: the login, or the statement, waits.
	Resume Kind = "resume"
	// Throttle refuses a login because there are too many.
	Throttle Kind = "throttle"
	// Expired refuses a login because its temporary password has expired.
	Expired Kind = "expired"
)

// delays of the kinds that wait, when a rule has none.
var delays = map[Kind]time.Duration{
	Late:   20 * time.Second,
	Slow:   30 * time.Second,
	Resume: 60 * time.Second,
}

var (
	statementKinds = []Kind{Serializable, NoRelation, Conflict, OpenRelation, Resize, LostBefore, LostAfter, Late, Slow, Resume}
	loginKinds     = []Kind{Resume, Throttle, Expired}
	// connectionKinds are those of statementKinds that are none of the statement's errors.
	connectionKinds = []Kind{LostBefore, LostAfter, Late, Slow, Resume}
)

// Kinds returns all kinds, for messages.
func Kinds() []Kind {
	return append(slices.Clone(statementKinds), Throttle, Expired)
}

// Rule is one fault.
type Rule struct {
	Kind Kind
	// Pattern is a regular expression; letters match in both cases, and a dot matches a
	// line's end. Empty matches everything.
	Pattern string
	// Database is the one whose sessions it is for; empty = any. Logins are of none.
	Database string
	// Count is how many times the fault happens; 0 is once, and a negative one always.
	Count int
	// Skip is how many matches go by before the first.
	Skip int
	// Delay is that of kinds that wait; 0 is the kind's own: Late 20 s, Slow 30 s, Resume 60 s.
	Delay time.Duration
}

// ParseRule reads a rule of the form kind[:count[:delay]][@pattern], as the command's flag
// takes it: 1023:2@^commit, late:1:5s@^commit, throttle:3.
func ParseRule(text string) (Rule, error) {
	head, pattern, _ := strings.Cut(text, "@")
	fields := strings.Split(head, ":")
	rule := Rule{Kind: Kind(fields[0]), Pattern: pattern}
	if len(fields) > 3 {
		return Rule{}, fmt.Errorf("fault %q: want kind[:count[:delay]][@pattern]", text)
	}
	if len(fields) > 1 {
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			return Rule{}, fmt.Errorf("fault %q: count: %w", text, err)
		}
		rule.Count = n
	}
	if len(fields) > 2 {
		d, err := time.ParseDuration(fields[2])
		if err != nil {
			return Rule{}, fmt.Errorf("fault %q: delay: %w", text, err)
		}
		rule.Delay = d
	}
	if _, err := rule.compile(); err != nil {
		return Rule{}, err
	}
	return rule, nil
}

func (r Rule) compile() (*entry, error) {
	if !slices.Contains(Kinds(), r.Kind) {
		return nil, fmt.Errorf("fault %q is none of %v", r.Kind, Kinds())
	}
	pattern, err := regexp.Compile("(?is)" + r.Pattern)
	if err != nil {
		return nil, fmt.Errorf("fault %s: pattern: %w", r.Kind, err)
	}
	if r.Delay == 0 {
		r.Delay = delays[r.Kind]
	}
	if r.Count == 0 {
		r.Count = 1
	}
	return &entry{rule: r, pattern: pattern}, nil
}

type entry struct {
	rule    Rule
	pattern *regexp.Regexp
}

// Set is the rules of a server. Its zero value has none. It may be used by several
// goroutines at once.
type Set struct {
	mu      sync.Mutex
	entries []*entry
}

// Add adds a rule behind those that there are.
func (s *Set) Add(rule Rule) error {
	e, err := rule.compile()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, e)
	return nil
}

// Clear takes all rules away.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = nil
}

// ClearDatabase takes those away that are for one database.
func (s *Set) ClearDatabase(database string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool { return e.rule.Database == database })
}

// Pending returns the rules that are not used up, with what is left of their counts.
func (s *Set) Pending() []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules := make([]Rule, len(s.entries))
	for i, e := range s.entries {
		rules[i] = e.rule
	}
	return rules
}

// Statement returns the fault of a statement that is about to run, if there is one. In a
// transaction that is aborted no statement runs that could fail in another way: only the
// connection's faults are taken there.
func (s *Set) Statement(database, sql string, aborted bool) (Rule, bool) {
	kinds := statementKinds
	if aborted {
		kinds = connectionKinds
	}
	return s.take(database, strings.TrimSpace(sql), kinds)
}

// Login returns the fault of a login, if there is one.
func (s *Set) Login(user string) (Rule, bool) {
	return s.take("", user, loginKinds)
}

func (s *Set) take(database, text string, kinds []Kind) (Rule, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range s.entries {
		if e.rule.Database != "" && e.rule.Database != database || !slices.Contains(kinds, e.rule.Kind) || !e.pattern.MatchString(text) {
			continue
		}
		if e.rule.Skip > 0 {
			e.rule.Skip--
			continue
		}
		if e.rule.Count > 0 {
			e.rule.Count--
			if e.rule.Count == 0 {
				s.entries = slices.Delete(s.entries, i, i+1)
			}
		}
		return e.rule, true
	}
	return Rule{}, false
}
