package decode

import (
	"errors"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// exportKey says where the key attributes of a full export's items are.
type exportKey struct {
	names [][]byte // each has a slot
	first int      // slot of names[0]
}

// init takes the key's names and returns the paths of its slots, which start at
// first.
func (e *exportKey) init(key []string, first int) ([]Path, error) {
	if len(key) > keyAttributesMax {
		return nil, fmt.Errorf("key of a table has %d attributes: at most %d are possible", len(key), keyAttributesMax)
	}
	e.first = first
	var paths []Path
	for _, name := range key {
		paths = append(paths, Path{{Name: name}})
		e.names = append(e.names, []byte(name))
	}
	return paths, nil
}

// exportLine holds the fields of a line until all are read.
type exportLine struct {
	seen             uint32
	time             Value
	hasItem          bool
	deletes          bool // a request to delete
	newHash, oldHash uint64
	keys             int // where they are
}

// decodeExport decodes a line of a full export, {"Item": …}, or of an
// incremental one, {"Metadata": …, "Keys": …, "NewImage": …, "OldImage": …}; or
// a request to write, {"PutRequest": {"Item": …}} or {"DeleteRequest": {"Key": …}},
// with the name of its table beside it.
func (d *Decoder) decodeExport(r *Record) int {
	s := &d.s
	var l exportLine
	i, name := s.firstField(0)
	for ; name != nil; i, name = s.nextField(i) {
		switch string(name) {
		case "Item":
			if i = s.claimField(&l.seen, fieldItem|fieldNew, i); i >= 0 {
				i = d.image(i, &d.newImage, &l.newHash, &l.hasItem)
			}
		case "NewImage":
			if i = s.claimField(&l.seen, fieldNew, i); i >= 0 {
				i = d.image(i, &d.newImage, &l.newHash, &r.HasNew)
			}
		case "OldImage":
			if i = s.claimField(&l.seen, fieldOld, i); i >= 0 {
				i = d.image(i, &d.oldImage, &l.oldHash, &r.HasOld)
			}
		case "Keys":
			if i = s.claimField(&l.seen, fieldKeys, i); i >= 0 {
				l.keys = i
				i = d.key.scan(s, i)
			}
		case "Metadata":
			if i = s.claimField(&l.seen, fieldMetadata, i); i >= 0 {
				i = d.metadata(i, &l)
			}
		case "tableName", "TableName":
			i = s.textField(s.claimField(&l.seen, fieldTable, i), &r.Table)
		case "PutRequest", "DeleteRequest", "Put", "Delete":
			i = d.request(i, &l, r)
		default:
			i = s.skip(i, 1)
		}
	}
	if i = s.end(i); i < 0 {
		return -1
	}
	r.Version.New, r.Version.Old = l.newHash, l.oldHash
	switch {
	case l.hasItem:
		return d.finishItem(i, r)
	case l.deletes:
		return d.finishDelete(i, r)
	}
	return d.finishIncrement(i, &l, r)
}

// request reads what BatchWriteItem or TransactWriteItems is asked to do.
func (d *Decoder) request(i int, l *exportLine, r *Record) int {
	s := &d.s
	if s.peek(i) == 'n' {
		return s.literal(i, "null")
	}
	i, name := s.firstField(i)
	for ; name != nil; i, name = s.nextField(i) {
		switch string(name) {
		case "Item":
			if i = s.claimField(&l.seen, fieldItem|fieldNew, i); i >= 0 {
				i = d.image(i, &d.newImage, &l.newHash, &l.hasItem)
			}
		case "Key":
			if i = s.claimField(&l.seen, fieldKeys, i); i >= 0 {
				l.deletes = true
				i = d.key.scan(s, i)
			}
		case "TableName":
			i = s.textField(s.claimField(&l.seen, fieldTable, i), &r.Table)
		default:
			i = s.skip(i, 2)
		}
	}
	return i
}

// snapshotTime gives the record the time of its export, or else its place in the
// order of reading.
func (d *Decoder) snapshotTime(r *Record) {
	r.Version.Time, r.Version.ByArrival = d.f.ExportTime, d.f.ExportTime == 0
	if r.Unit, r.ByDigits = 0, false; d.f.ExportTime != 0 {
		r.Created, r.Unit = d.f.ExportTime, 1
	}
}

// finishDelete fills the record of a request to delete an item.
func (d *Decoder) finishDelete(i int, r *Record) int {
	r.Event = Remove
	d.snapshotTime(r)
	if d.needIdentity && !d.identifyByKeys(r) {
		return -1
	}
	return i
}

// metadata reads the write time of an incremental export's line.
func (d *Decoder) metadata(i int, l *exportLine) int {
	s := &d.s
	i, name := s.firstField(i)
	for ; name != nil; i, name = s.nextField(i) {
		if string(name) != "WriteTimestampMicros" {
			i = s.skip(i, 2)
			continue
		}
		s.slots = d.slot[:]
		at := i
		if i, _ = s.typed(i, leaf, 0); i < 0 {
			return -1
		}
		if d.slot[0].Kind != Number {
			return s.fail(at, "WriteTimestampMicros is not a number")
		}
		if l.time.Kind != Missing {
			return s.fail(at, "field of the change record twice")
		}
		l.time = d.slot[0]
	}
	return i
}

// finishItem fills the record of a full export's item. It is a snapshot, whose
// time is that of the export: what was there before is not known.
func (d *Decoder) finishItem(i int, r *Record) int {
	r.Event, r.HasNew, r.HasOld = Insert, true, false
	clear(d.oldImage.slots)
	r.Version.Old = 0
	d.snapshotTime(r)
	r.Version.Snapshot = d.f.Snapshot
	if !d.needIdentity {
		return i
	}
	if d.key.reset(); !d.exportKey() || !d.identify(r, true) {
		return -1
	}
	return i
}

// exportKey gathers the key attributes of a full export's item.
func (d *Decoder) exportKey() bool {
	e := &d.export
	if len(e.names) == 0 {
		d.contradiction = errNoExportKey
		return false
	}
	for i, name := range e.names {
		d.key.values[d.key.n] = d.newImage.slots[e.first+i]
		d.key.add(name, false)
	}
	return true
}

// errNoExportKey ends the run: a guess might take several items for one.
var errNoExportKey = errors.New("a full export does not say which attributes identify an item: set `key:` on the source to the table's key attributes")

// finishIncrement fills the record of an incremental export's line. Whether
// there was an old image is known only if the line has it: the export's view
// may leave it out.
func (d *Decoder) finishIncrement(i int, l *exportLine, r *Record) int {
	s := &d.s
	switch {
	case r.HasNew && r.HasOld:
		r.Event = Modify
	case r.HasNew:
		r.Event = Insert
	case l.seen&(fieldOld|fieldKeys) != 0:
		r.Event = Remove
	default:
		return s.fail(0, "line of an export with neither Item nor NewImage, OldImage or Keys"+foreign(s.b, "dynamodb_export"))
	}
	if l.time.Kind == Missing {
		return s.fail(0, "line of an incremental export without Metadata.WriteTimestampMicros")
	}
	t, ok := decimal.Cut(l.time.Raw(s.b), 0)
	if !ok || t < 0 || t > createdMax {
		return s.fail(int(l.time.Start), "WriteTimestampMicros is out of range")
	}
	if d.f.ExportTime != 0 {
		return s.fail(int(l.time.Start), "the line says when it was written, but the source has as_of, or its manifest says that the export is a full one: leave as_of out")
	}
	r.Created, r.Version.Time, r.Unit, r.ByDigits = t, t, 1, false
	r.Version.HasOld = r.HasOld && d.needIdentity
	r.Version.Existed = !r.HasOld && r.Event == Remove
	if r.Event == Remove && l.seen&fieldKeys != 0 {
		r.KeyNames = d.key.names[:d.key.n]
		if !r.HasOld {
			d.keysAsOld(l.keys, r)
		}
	}
	if !d.needIdentity {
		return i
	}
	if l.seen&fieldKeys == 0 {
		return s.fail(0, "line of an incremental export without Keys")
	}
	if !d.identifyByKeys(r) {
		return -1
	}
	return i
}
