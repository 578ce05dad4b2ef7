package pipeline

import "slices"

// MergePolicy says how the changes of a row become its current values.
type MergePolicy uint8

// The merges.
const (
	// Replace takes the row of the newest image.
	Replace MergePolicy = iota
	// LatestNonNull takes each column's newest value that is not null since
	// the row was last deleted.
	LatestNonNull
	// First takes the row of the oldest change since the item's last removal that
	// yields it. Later changes neither change the row nor take it away; only a
	// removal does. Of several items the one with the oldest such change gives it.
	First
)

// OnDelete says what becomes of a row that no item yields any longer.
type OnDelete uint8

// The values of on_delete.
const (
	// Delete takes the row out.
	Delete OnDelete = iota
	// Flag leaves it with its last values, and says so in two more columns.
	Flag
	// Keep leaves it with its last values.
	Keep
)

// String returns the value as a pipeline file names it.
func (o OnDelete) String() string { return [...]string{"delete", "flag", "keep"}[o] }

// The columns that Flag adds at the end of a table.
const (
	IsDeletedColumn = "is_deleted" // bool
	DeletedAtColumn = "deleted_at" // timestamp; null while the row lives
)

// FlagColumns are the columns that Flag adds.
func FlagColumns() []Column {
	return []Column{{Name: IsDeletedColumn, Type: Type{Kind: Bool}}, {Name: DeletedAtColumn, Type: Type{Kind: Timestamp}}}
}

// Flagged returns a table without and with the columns of Flag. One of the two
// is t itself, as it has them already or not.
func Flagged(t *Table) (without, with *Table, err error) {
	n := len(t.Columns) - 2
	if n >= 0 && slices.Equal(t.Columns[n:], FlagColumns()) {
		without, err = NewTable(t.Name, t.Columns[:n], t.keyNames())
		return without, t, err
	}
	with, err = NewTable(t.Name, slices.Concat(t.Columns, FlagColumns()), t.keyNames())
	return t, with, err
}

// TTLDeletes says what becomes of a row that goes because DynamoDB's time to live
// removed its item. The zero value is what OnDelete says.
type TTLDeletes struct {
	Set  bool
	Fate OnDelete // where Set
}

// Policy says how the settled rows of a table follow its changes. The zero
// Policy is last-writer-wins.
type Policy struct {
	Merge      MergePolicy
	OnDelete   OnDelete
	TTLDeletes TTLDeletes
}

// TTLFate returns what becomes of a row that goes with an expired item.
func (p Policy) TTLFate() OnDelete {
	if p.TTLDeletes.Set {
		return p.TTLDeletes.Fate
	}
	return p.OnDelete
}

// Flags reports whether rows of the policy have the columns of Flag.
func (p Policy) Flags() bool { return p.OnDelete == Flag || p.TTLFate() == Flag }

// Retains reports whether some rows stay that no item yields any longer.
func (p Policy) Retains() bool { return p.OnDelete != Delete || p.TTLFate() != Delete }

// For returns the policy by which a reader with a policy of its own gets the rows
// of a table with policy p: what merge and on_delete are is the reader's to say,
// but first rows stay first, and what is said of TTL's deletes holds for all.
func (p Policy) For(reader Policy) Policy {
	if p.Merge == First {
		reader.Merge = First
	}
	if p.TTLDeletes.Set {
		reader.TTLDeletes = p.TTLDeletes
	}
	return reader.Normal()
}

// Normal returns the policy that says the same, and nothing twice.
func (p Policy) Normal() Policy {
	if p.TTLFate() == p.OnDelete {
		p.TTLDeletes = TTLDeletes{}
	}
	return p
}
