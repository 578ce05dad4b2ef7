package server

import (
	"encoding/hex"
	"slices"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// The OIDs of Redshift's own types (dbt-redshift and Amazon's JDBC driver know them so).
const (
	hllSketchOID           = 2935
	geometryOID            = 3000
	geographyOID           = 3001
	superOID               = 4000
	varbyteOID             = 6551
	intervalYearToMonthOID = 1188
	intervalDayToSecondOID = 1190
)

// superModifier is the type modifier of SUPER: the bytes that a value may have.
const superModifier = 16384000

// ownTypes are the OIDs of the types of schema rs.
var ownTypes = map[string]uint32{
	"super": superOID, "varbyte": varbyteOID, "geometry": geometryOID, "geography": geographyOID, "hllsketch": hllSketchOID,
}

// The fields of an interval, in the upper half of its type modifier.
const (
	yearToMonthMask = 1<<2 | 1<<1
	dayToSecondMask = 1<<3 | 1<<10 | 1<<11 | 1<<12
)

// shape is what a statement takes and gives.
type shape struct {
	parameters []uint32                    // types, Redshift's
	fields     []pgproto3.FieldDescription // Redshift's; nil = it gives no rows
	// texts tells of each column whether PostgreSQL is asked for its text whatever the
	// client wants, since the binary form is another.
	texts []bool
	// varbytes tells of each column whether its text begins with \x, which Redshift's does not.
	varbytes []bool
	plain    bool // nothing of a row has to be changed
}

// redshiftOID returns the OID that a client sees.
func (s *session) redshiftOID(oid uint32, modifier int32) uint32 {
	switch oid {
	case pgtype.TextOID:
		return pgtype.VarcharOID // text is never on the wire
	case pgtype.IntervalOID:
		switch mask := modifier >> 16; {
		case modifier < 0:
		case mask&yearToMonthMask != 0 && mask&^yearToMonthMask == 0:
			return intervalYearToMonthOID
		case mask&dayToSecondMask != 0 && mask&^dayToSecondMask == 0:
			return intervalDayToSecondOID
		}
	}
	if own, ok := s.types[oid]; ok {
		return own
	}
	return oid
}

// backendOID returns the OID that PostgreSQL knows.
func (s *session) backendOID(oid uint32) uint32 {
	if oid == intervalYearToMonthOID || oid == intervalDayToSecondOID {
		return pgtype.IntervalOID
	}
	for backend, redshift := range s.types {
		if redshift == oid {
			return backend
		}
	}
	return oid
}

// describe makes the client's description of PostgreSQL's.
func (s *session) describe(sh *shape, m *pgproto3.RowDescription) {
	n := len(m.Fields)
	sh.fields, sh.texts, sh.varbytes = make([]pgproto3.FieldDescription, n), make([]bool, n), make([]bool, n)
	sh.plain = true
	for i, f := range m.Fields {
		_, own := s.types[f.DataTypeOID]
		sh.texts[i] = own
		f.DataTypeOID = s.redshiftOID(f.DataTypeOID, f.TypeModifier)
		if f.DataTypeOID == superOID {
			f.TypeModifier = superModifier
		}
		f.Name = []byte(s.pg.FullName(string(f.Name)))
		f.Format = pgproto3.TextFormat
		sh.varbytes[i] = f.DataTypeOID == varbyteOID
		sh.plain = sh.plain && !sh.varbytes[i]
		sh.fields[i] = f
	}
}

// sameFields tells whether two results have the same columns.
func (sh *shape) sameFields(other *shape) bool {
	return slices.EqualFunc(sh.fields, other.fields, func(a, b pgproto3.FieldDescription) bool {
		return a.DataTypeOID == b.DataTypeOID && a.TypeModifier == b.TypeModifier && string(a.Name) == string(b.Name)
	})
}

// formats spreads the format codes of a Bind over n columns.
func formats(codes []int16, n int) []int16 {
	spread := make([]int16, n)
	for i := range spread {
		switch {
		case len(codes) == 1:
			spread[i] = codes[0]
		case i < len(codes):
			spread[i] = codes[i]
		}
	}
	return spread
}

// described returns the fields with the formats that the client wants.
func (sh *shape) described(codes []int16) *pgproto3.RowDescription {
	fields := make([]pgproto3.FieldDescription, len(sh.fields))
	copy(fields, sh.fields)
	for i, format := range formats(codes, len(fields)) {
		fields[i].Format = format
	}
	return &pgproto3.RowDescription{Fields: fields}
}

// backendFormats are the formats that PostgreSQL is asked for.
func (sh *shape) backendFormats(codes []int16) []int16 {
	spread := formats(codes, len(sh.fields))
	for i := range spread {
		if sh.texts[i] {
			spread[i] = pgproto3.TextFormat
		}
	}
	return spread
}

// change makes the client's row of PostgreSQL's. VARBYTE's text is hexadecimal, and its
// binary form its bytes; SUPER's binary form is its text, as that of VARCHAR.
func (sh *shape) change(row *pgproto3.DataRow, codes []int16) error {
	if sh.plain {
		return nil
	}
	spread := formats(codes, len(sh.fields))
	for i, value := range row.Values {
		if value == nil || !sh.varbytes[i] {
			continue
		}
		value = trimHex(value)
		if spread[i] == pgproto3.BinaryFormat {
			raw := make([]byte, hex.DecodedLen(len(value)))
			if _, err := hex.Decode(raw, value); err != nil {
				return err
			}
			value = raw
		}
		row.Values[i] = value
	}
	return nil
}

func trimHex(value []byte) []byte {
	if len(value) >= 2 && value[0] == '\\' && value[1] == 'x' {
		return value[2:]
	}
	return value
}

// textShape is the shape of a result of the server's own, all of whose columns are texts.
func textShape(names ...string) *shape {
	sh := &shape{plain: true, texts: make([]bool, len(names)), varbytes: make([]bool, len(names))}
	for _, name := range names {
		sh.fields = append(sh.fields, pgproto3.FieldDescription{
			Name: []byte(name), DataTypeOID: pgtype.VarcharOID, DataTypeSize: -1, TypeModifier: -1,
		})
	}
	return sh
}
