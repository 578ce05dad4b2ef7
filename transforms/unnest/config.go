package unnest

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is an unnest node of a pipeline file.
type Config struct {
	Tables    spec.Map[TableConfig] `yaml:"tables" required:"true" change:"identity" added:"content" desc:"The tables, by name. Each item goes to every table whose where matches it."`
	Ignore    spec.Any              `yaml:"ignore" change:"content" desc:"An event pattern, as where: items that match it and that no table wants are known and not wanted. They are counted, and never unmatched."`
	Unmatched string                `yaml:"unmatched" default:"dead_letter" enum:"dead_letter,ignore,fail" change:"content" desc:"What becomes of an item that no table wants: a dead letter, nothing (it is counted), or the end of the run."`
}

// TableConfig is one table.
type TableConfig struct {
	Where    spec.Any               `yaml:"where" change:"content" desc:"An EventBridge event pattern over the item's plain values, with $and, and with $expr for an expression (docs/expressions.md) that has to be true; left out = every item."`
	Explode  *ExplodeConfig         `yaml:"explode" change:"content" desc:"Makes a row of each element of a list or set, or member of a map; left out = one row per item."`
	Key      []string               `yaml:"key" change:"identity" desc:"The columns that identify a row; left out = rows are only ever appended."`
	Columns  spec.Map[ColumnConfig] `yaml:"columns" required:"true" change:"content" desc:"The columns, by name, in the order of the table."`
	Keep     string                 `yaml:"keep" default:"last" enum:"last,first" change:"identity" desc:"Which row of an item stands, in sinks of settled rows and in stars: last, that of its newest change, and none if that does not match; first, that of the earliest change since the item was last removed that matches, in whatever order changes come."`
	OnDelete string                 `yaml:"on_delete" default:"delete" enum:"delete,flag,keep" change:"identity" desc:"What becomes, in sinks of settled rows, of a row that no item yields any longer: delete takes it out; flag leaves it with its last values, and says so in the columns is_deleted and deleted_at, which are added at the end; keep leaves it."`
	// TTLDeletes has no default: left out is not the same as delete.
	TTLDeletes string `yaml:"ttl_deletes" enum:"delete,flag,keep" change:"identity" desc:"What becomes of a row that goes because DynamoDB's time to live removes its item, instead of what on_delete says: delete, flag and keep as there. A row that is kept is released: nothing that the item does takes it away any more, but a change that yields its key replaces it. Left out = what the source says; without that, what on_delete says."`
}

// ExplodeConfig says which list, set or map becomes rows, and what in its elements.
type ExplodeConfig struct {
	From    spec.Paths     `yaml:"from" required:"true" change:"content" desc:"The document path of the list, set or map, or a list of paths, of which the first counts whose value is there and not null. Sets are read sorted, maps by their keys. Of an explode in another it begins with the name of an element around it."`
	As      string         `yaml:"as" required:"true" change:"content" desc:"The name under which columns refer to an element: as is the element, or the value of a map's member, as.name a value in it."`
	Key     string         `yaml:"key" change:"content" desc:"The name of a string column with the key of a map's member, null in lists and sets; appended to the columns unless one of them has the name. Left out = columns have it as as.key, and a value called key in a member is seen under another name only."`
	Outer   bool           `yaml:"outer" change:"content" desc:"Gives one row, with a null element and ordinal 0, when there is no element: the list is empty or missing."`
	Ordinal string         `yaml:"ordinal" change:"content" desc:"The name of an int64 column with the element's position, from 1, in a map that of its key among the sorted ones; appended to the columns unless it is among them."`
	OnError string         `yaml:"on_error" default:"dead_letter" enum:"dead_letter,null,row,fail" change:"content" desc:"What becomes of a value that is no list, set or map: the whole change is a dead letter, it is as if there were none, the item has one row without an element as outer gives it, or the run ends."`
	Explode *ExplodeConfig `yaml:"explode" change:"content" desc:"Makes rows of a list, set or map in each element, as explode does; levels may be as many as the item has."`
}

// ColumnConfig is one column. Its value is what from leads to, then at most one
// of after, split, extract and expr, then the type.
type ColumnConfig struct {
	From        spec.Paths `yaml:"from" change:"content" desc:"Where the value is: a document path (names with dots and [n]; [-1] is the last element of a list), the explode's alias or ordinal, $item (the whole item, as json), $rest (what no column of the table has by its from, as json), or $meta.event_name, created_at, arrived_at, event_id, table or ttl; left out = the attribute with the column's name. Of a list of paths, the first counts whose value is there and not null."`
	After       string     `yaml:"after" change:"content" desc:"Takes the text after this prefix; null when the text does not begin with it."`
	Split       string     `yaml:"split" change:"content" desc:"Cuts the text at each occurrence of this separator and takes the part given by part; null when there are fewer."`
	Part        int        `yaml:"part" change:"content" desc:"Which part split takes, from 1."`
	Extract     string     `yaml:"extract" change:"content" desc:"Takes what this regular expression (RE2) finds: its first group, or the whole match when it has none; null when it does not match."`
	Expr        string     `yaml:"expr" change:"content" desc:"Computes the value with an expression (docs/expressions.md) over the item; value is what from leads to, other names are document paths. Numbers are exact; the result is rounded to the type's scale, half away from zero. It is null where a value that it uses is missing or null, unless ?? gives another."`
	Type        string     `yaml:"type" change:"identity" desc:"The column's type: string (also when left out, but for the ordinal, which is an int64, and $item and $rest, which are json), bool, int32, int64, double, decimal(p,s), date, time, timestamp, timestamptz, uuid, varchar(n), char(n), binary, json, list(T) of any of these but binary and json."`
	Format      string     `yaml:"format" change:"content" desc:"How a date or timestamp is written: a layout as Go has them (Jan 2 15:04:05 2006), unix, unix_ms or unix_us (seconds, milliseconds or microseconds since 1970); left out = RFC 3339."`
	Zone        string     `yaml:"zone" change:"content" desc:"The time zone of dates and timestamps that are written without an offset, by its IANA name, as Europe/Berlin; left out = UTC. Of two instants with one local time it is the earlier; a local time that clocks skip is taken as if they had not been put forward yet. Of an instant, a date is the one in the zone."`
	Precision   string     `yaml:"precision" enum:"truncate,round" change:"content" desc:"What becomes of the part of a timestamp that is finer than microseconds: truncate leaves it out, round takes the nearest microsecond; left out = it does not fit unless it is zero."`
	TrueValues  []string   `yaml:"true_values" change:"content" desc:"Texts that mean true in a column of type bool, besides true and 1."`
	FalseValues []string   `yaml:"false_values" change:"content" desc:"Texts that mean false in a column of type bool, besides false and 0."`
	Mask        bool       `yaml:"mask" change:"free" desc:"Keeps the value out of messages, logs, and what is shown of dead letters: for what not everybody may see who looks after the pipeline. Sinks get it as it is."`
	OnError     string     `yaml:"on_error" default:"dead_letter" enum:"dead_letter,null,fail,drop_row" change:"content" desc:"What becomes of a value that does not fit the type, or that a sink cannot store: the whole change is a dead letter, the value is null, or the run ends. drop_row, in tables with explode, leaves the row alone out, also where its key is null; what only a sink cannot store makes the change a dead letter even so."`
}

// The choices of ColumnConfig.OnError; empty means the first.
const (
	onErrorDeadLetter = "dead_letter"
	onErrorNull       = "null"
	onErrorFail       = "fail"
	onErrorDropRow    = "drop_row"
)

// The choices of TableConfig.Keep; empty means the first.
const (
	keepLast  = "last"
	keepFirst = "first"
)

// InheritTTLDeletes gives what the source says of TTL's deletes to the tables with a
// key that do not say it themselves, and reports whether there are any.
func (c *Config) InheritTTLDeletes(fate string) (some bool) {
	for i := range c.Tables {
		if t := &c.Tables[i].Value; t.TTLDeletes == "" && len(t.Key) > 0 {
			t.TTLDeletes, some = fate, true
		}
	}
	return some
}

// onDeleteByName are the choices of TableConfig.OnDelete and TTLDeletes; empty means
// delete and what OnDelete says.
var onDeleteByName = map[string]pipeline.OnDelete{"": pipeline.Delete, "delete": pipeline.Delete, "flag": pipeline.Flag, "keep": pipeline.Keep}

// The choices of Config.Unmatched; empty means the first.
const (
	unmatchedDeadLetter = "dead_letter"
	unmatchedIgnore     = "ignore"
	unmatchedFail       = "fail"
)

var _ spec.Canonical = TableConfig{}

// Canonical implements spec.Canonical: columns say where they are from, and their
// type.
func (t TableConfig) Canonical(string) any {
	columns := make(spec.Map[ColumnConfig], len(t.Columns))
	for i, e := range t.Columns {
		c := e.Value
		if len(c.From) == 0 {
			c.From = spec.Paths{e.Name}
		}
		switch parsed, err := pipeline.ParseType(c.Type); {
		case c.Type == "" && t.hasOrdinal(c.From):
			c.Type = pipeline.Type{Kind: pipeline.Int64}.String()
		case c.Type == "" && c.Expr == "" && (slices.Equal(c.From, spec.Paths{itemName}) || slices.Equal(c.From, spec.Paths{restName})):
			c.Type = pipeline.Type{Kind: pipeline.JSONText}.String()
		case c.Type == "":
			c.Type = pipeline.Type{Kind: pipeline.String}.String()
		case err == nil:
			c.Type = parsed.String()
		}
		columns[i] = spec.Entry[ColumnConfig]{Name: e.Name, Value: c}
	}
	t.Columns = columns
	return t
}

// hasOrdinal reports whether the paths are an explode's ordinal.
func (t *TableConfig) hasOrdinal(from spec.Paths) bool {
	for e := t.Explode; e != nil; e = e.Explode {
		if slices.Equal(from, spec.Paths{e.Ordinal}) {
			return true
		}
	}
	return false
}
