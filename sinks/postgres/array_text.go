package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/starlift-etl/starlift/pipeline/datetime"
)

// appendArrayText appends the text of an array, with its length, whose value in the binary format is given.
func appendArrayText(dst, array []byte, oid uint32) ([]byte, error) {
	if len(array) < emptyArray {
		return nil, errCutOff
	}
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, '{')
	if len(array) > emptyArray {
		for first, rest := true, array[arrayHeader:]; len(rest) > 0; first = false {
			n, err := cellBytes(rest)
			if err != nil {
				return nil, err
			}
			if !first {
				dst = append(dst, ',')
			}
			if string(rest[:4]) == nullCell {
				dst = append(dst, "NULL"...)
			} else if dst, err = appendElementText(dst, rest[4:n], oid); err != nil {
				return nil, err
			}
			rest = rest[n:]
		}
	}
	dst = append(dst, '}')
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst, nil
}

// appendElementText appends the text of an element of an array. Its length has been looked at by who wrote it.
func appendElementText(dst, value []byte, oid uint32) ([]byte, error) {
	switch oid {
	case oids["boolean"]:
		return strconv.AppendBool(dst, value[0] != 0), nil
	case oids["integer"]:
		return strconv.AppendInt(dst, int64(int32(binary.BigEndian.Uint32(value))), 10), nil
	case oids["bigint"]:
		return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(value)), 10), nil
	case oids["double precision"]:
		return strconv.AppendFloat(dst, math.Float64frombits(binary.BigEndian.Uint64(value)), 'g', -1, 64), nil
	case oids["numeric"]:
		return appendNumericText(dst, value), nil
	case oids["date"]:
		days := int64(int32(binary.BigEndian.Uint32(value))) + epochDays
		return time.Unix(days*86_400, 0).UTC().AppendFormat(dst, time.DateOnly), nil
	case oids["time without time zone"]:
		return datetime.AppendTimeOfDay(dst, int64(binary.BigEndian.Uint64(value))), nil
	case oids["timestamp without time zone"], oids["timestamp with time zone"]:
		return append(datetime.AppendTime(append(dst, '"'), int64(binary.BigEndian.Uint64(value))+epochMicros), '"'), nil
	case oids["uuid"]:
		return hex.AppendEncode(dst, value), nil
	case oids["text"], oids["character varying"], oids["bpchar"]:
		dst = append(dst, '"')
		for _, c := range value {
			if c == '"' || c == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		}
		return append(dst, '"'), nil
	}
	return nil, fmt.Errorf("an array of elements of type %d", oid)
}

// appendNumericText appends the text of a numeric: its digits up to the last decimal, and how many of them there are.
func appendNumericText(dst, value []byte) []byte {
	word := func(at int) int { return int(int16(binary.BigEndian.Uint16(value[at:]))) }
	n, weight, scale := word(0), word(2), word(6)
	if word(4) == numericNegative {
		dst = append(dst, '-')
	}
	from := len(dst)
	for i := range n {
		dst = fmt.Appendf(dst, "%04d", word(8+2*i))
	}
	decimals := numericDigits * (n - 1 - weight)
	if n == 0 {
		dst, decimals = append(dst, '0'), 0
	}
	for ; decimals < scale; decimals++ {
		dst = append(dst, '0')
	}
	dst = dst[:max(from+1, len(dst)-(decimals-scale))]
	return strconv.AppendInt(append(dst, 'e', '-'), int64(scale), 10)
}
