package star

import "github.com/starlift-etl/starlift/pipeline/spec"

// Config is a star node of a pipeline file.
type Config struct {
	Dimensions spec.Map[DimensionConfig] `yaml:"dimensions" change:"identity" desc:"The dimensions, by name."`
	Facts      spec.Map[FactConfig]      `yaml:"facts" change:"identity" desc:"The facts, by name."`
}

// DimensionConfig is one dimension: made of a table's rows, or a calendar.
type DimensionConfig struct {
	From         string          `yaml:"from" change:"identity" desc:"The table whose rows bring the members."`
	NaturalKey   []string        `yaml:"natural_key" change:"identity" desc:"The columns that identify a member. A row with a null in one of them brings none."`
	SurrogateKey string          `yaml:"surrogate_key" required:"true" change:"identity" desc:"The name of the surrogate key's column. Key 0 is the unknown member."`
	Keys         string          `yaml:"keys" default:"sequence" enum:"sequence,hash" change:"identity" desc:"How surrogate keys are made: a sequence from 1, in which the members that are new in an epoch follow by the hash of their natural key, or 63 bits of a hash of the dimension's name and the natural key, which is the same wherever it is computed."`
	Attributes   []string        `yaml:"attributes" change:"content" desc:"The columns that describe a member: those of the newest row ever seen with its natural key."`
	History      string          `yaml:"history" default:"none" enum:"none" change:"identity" desc:"Whether earlier attributes are kept. With none, only the newest are."`
	OnDelete     string          `yaml:"on_delete" default:"keep" enum:"delete,flag,keep" change:"identity" desc:"What becomes of a member when no row has its natural key any longer: keep leaves it; flag leaves it and says so in is_deleted and deleted_at; delete takes it out, or leaves an inferred member where facts refer to it."`
	Calendar     *CalendarConfig `yaml:"calendar" change:"identity" desc:"Makes the dimension a calendar, a member for each day; from, natural_key and attributes are left out."`
}

// CalendarConfig says which days a calendar has.
type CalendarConfig struct {
	From             string `yaml:"from" required:"true" pattern:"^\\d{4}-\\d{2}-\\d{2}$" form:"a day as YYYY-MM-DD" change:"identity" desc:"The first day, as 2010-01-01."`
	To               string `yaml:"to" required:"true" pattern:"^\\d{4}-\\d{2}-\\d{2}$" form:"a day as YYYY-MM-DD" change:"identity" desc:"The last day, as 2035-12-31."`
	FiscalYearStarts string `yaml:"fiscal_year_starts" default:"january" enum:"january,february,march,april,may,june,july,august,september,october,november,december" change:"identity" desc:"The month in which a fiscal year starts; it has the number of the calendar year in which it ends."`
}

// FactConfig is one fact: a row for each row of its base table.
type FactConfig struct {
	From       string                  `yaml:"from" required:"true" change:"identity" desc:"The base table: each of its rows is a fact."`
	Grain      []string                `yaml:"grain" required:"true" change:"identity" desc:"The columns that identify a fact: those of the base table's key."`
	Lookups    spec.Map[LookupConfig]  `yaml:"lookups" change:"identity" desc:"Rows of other tables that the fact uses, by alias. A lookup may use those above it."`
	Dimensions spec.Map[MemberConfig]  `yaml:"dimensions" change:"identity" desc:"The fact's members, by the name of the column that holds the surrogate key."`
	Measures   spec.Map[MeasureConfig] `yaml:"measures" change:"content" desc:"The fact's measures, by the name of their column."`
	Merge      string                  `yaml:"merge" default:"replace" enum:"replace,latest_non_null" change:"identity" desc:"How the changes of a base row become its values: replace takes the newest image; latest_non_null each column's newest value that is not null since the row was last deleted."`
	OnDelete   string                  `yaml:"on_delete" default:"delete" enum:"delete,flag,keep" change:"identity" desc:"What becomes of a fact whose base row is deleted: delete takes it out; flag leaves it and says so in is_deleted and deleted_at; keep leaves it."`
}

// LookupConfig is the current row of another table.
type LookupConfig struct {
	Table string           `yaml:"table" required:"true" change:"identity" desc:"The table that the row is looked up in."`
	On    spec.Map[string] `yaml:"on" required:"true" change:"identity" desc:"For each column of the table's key, the value it has to have: a column of the base table, or alias.column of a lookup above."`
}

// MemberConfig is one member that a fact refers to.
type MemberConfig struct {
	Dimension string   `yaml:"dimension" required:"true" change:"identity" desc:"The dimension."`
	On        OnConfig `yaml:"on" required:"true" change:"identity" desc:"For each column of the natural key, the value it has to have: a column of the base table, or alias.column of a lookup. Of a calendar, the one column with the date or timestamp."`
}

// OnConfig says which member is meant: by the values of its natural key, or, of
// a calendar, by the column that has the date.
type OnConfig struct {
	Date       string
	NaturalKey spec.Map[string]
}

// DecodeNode implements spec.NodeDecoder.
func (o *OnConfig) DecodeNode(n *spec.Node) error {
	if n.Kind() == spec.Mapping {
		return n.Decode(&o.NaturalKey)
	}
	return n.Decode(&o.Date)
}

// Alternatives implements spec.Alternatives.
func (OnConfig) Alternatives() []any { return []any{"", spec.Map[string]{}} }

// MeasureConfig is one measure: a column, or an expression with its type.
type MeasureConfig struct {
	Column     string
	Expression ExpressionConfig
}

// ExpressionConfig is a measure that is computed.
type ExpressionConfig struct {
	Expr    string `yaml:"expr" required:"true" change:"content" desc:"An expression (docs/expressions.md) over columns of the base table and alias.column of lookups. Numbers are exact; the result is rounded to the type's scale, half away from zero. It is null where a column that it uses is null, unless ?? gives another value."`
	Type    string `yaml:"type" required:"true" change:"identity" desc:"The measure's type: string, bool, int32, int64, double, decimal(p,s), date, time, timestamp, timestamptz, uuid, varchar(n), char(n) or list(T)."`
	OnError string `yaml:"on_error" default:"fail" enum:"fail,null" change:"content" desc:"What becomes of a result that does not fit the type, that a sink cannot store, or that can't be computed, as a division by zero: the end of the run, or null."`
}

// DecodeNode implements spec.NodeDecoder.
func (m *MeasureConfig) DecodeNode(n *spec.Node) error {
	if n.Kind() == spec.Mapping {
		return n.Decode(&m.Expression)
	}
	return n.Decode(&m.Column)
}

// Alternatives implements spec.Alternatives.
func (MeasureConfig) Alternatives() []any { return []any{"", ExpressionConfig{}} }
