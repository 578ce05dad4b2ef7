package deadletters

import (
	"time"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
)

// Letter is one dead letter as the folder keeps it.
type Letter struct {
	Time      time.Time       `json:"time"` // when the epoch was prepared
	Pipeline  string          `json:"pipeline"`
	Epoch     int64           `json:"epoch"`
	Node      string          `json:"node"`
	Reason    pipeline.Reason `json:"reason"`
	Message   string          `json:"message"`
	Source    string          `json:"source"`
	Partition string          `json:"partition"`
	Line      int64           `json:"line"`
	Offset    int64           `json:"offset,omitempty"` // of its first byte in the partition
	// Position is the place in the partition where it is no line: a sequence number.
	Position string `json:"position,omitempty"`
	// Row is what was left out of a record that had effect; nil = the record was.
	Row *pipeline.DeadRow `json:"row,omitempty"`
	// ReplayOf is the letter that was read again and became this one.
	ReplayOf string `json:"replay_of,omitempty"`
	// What follows is needed to read it again.
	Transform  string `json:"transform"`
	Order      uint16 `json:"order"` // that Ordinal counts in
	Ordinal    int64  `json:"ordinal"`
	Arrived    int64  `json:"arrived,omitempty"`
	ExportTime int64  `json:"export_time,omitempty"`
	Table      string `json:"table,omitempty"`
	// Record is the original record when it is valid UTF-8, else Binary is. Of letters of
	// rows of one record, the first has it.
	Record string `json:"record,omitempty"`
	Binary []byte `json:"record_base64,omitempty"`
}

// Original returns the record's bytes.
func (l *Letter) Original() []byte {
	if l.Binary != nil {
		return l.Binary
	}
	return []byte(l.Record)
}

func newLetter(name string, epoch int64, now time.Time, d *pipeline.DeadLetter) *Letter {
	l := &Letter{
		Time: now, Pipeline: name, Epoch: epoch, Node: d.Node, Reason: d.Reason, Message: d.Message,
		Source: d.Pos.Source, Partition: d.Pos.Partition, Line: d.Pos.Line, Offset: d.Pos.Offset, Position: d.Pos.Text,
		Transform: d.Origin.Transform, Order: d.Origin.Order, Ordinal: d.Origin.Ordinal, Arrived: d.Origin.Arrived, ExportTime: d.Origin.ExportTime, Table: d.Origin.Table,
		Row: d.Row,
	}
	if again := d.Origin.ReplayOf; again != nil {
		l.ReplayOf = again.ID
	}
	if utf8.Valid(d.Record) {
		l.Record = string(d.Record)
	} else {
		l.Binary = d.Record
	}
	return l
}

// Pos returns where the record stood in its source.
func (l *Letter) Pos() pipeline.Position {
	return pipeline.Position{Source: l.Source, Partition: l.Partition, Line: l.Line, Offset: l.Offset, Text: l.Position}
}

// isOfRecord reports whether a letter of a row has no record because that of the first of its
// rows, if it is this one, has it.
func (l *Letter) isOfRecord(first *Letter) bool {
	return len(l.Original()) == 0 && l.Pos() == first.Pos() && l.Node == first.Node && l.Epoch == first.Epoch
}

// replayed returns the letter as the engine reads it again.
func (l *Letter) replayed(id string) pipeline.Replay {
	return pipeline.Replay{
		Pos: l.Pos(),
		Origin: pipeline.Origin{
			Transform: l.Transform, Order: l.Order, Ordinal: l.Ordinal, Arrived: l.Arrived, ExportTime: l.ExportTime, Table: l.Table,
			ReplayOf: &pipeline.DeadLetterID{ID: id, Node: l.Node, Reason: l.Reason},
		},
	}
}

// mark names a letter that was read again.
type mark struct {
	ID     string          `json:"id"`
	Reason pipeline.Reason `json:"reason"`
	Time   time.Time       `json:"time"`
	Epoch  int64           `json:"epoch"` // in which it was
}
