package kinesis

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/sources/kinesis/page"
)

// position is a place in a shard, between two records. As a text it is the cursor of a
// partition:
//
//	trim_horizon                                    before the oldest record there is
//	at 2024-05-01T12:00:00Z                         before the first that arrived then or later
//	4962…/12 2024-05-01T12:00:00Z                   behind user record 12 of the record with that sequence number, which arrived then
//	4962… 2024-05-01T12:00:00Z                      behind all of that record
//	trim_horizon behind 4962… 2024-05-01T12:00:00Z  there too, when what comes next is gone, or may be
type position struct {
	kind     positionKind
	sequence string    // of behindRecord and behindGap
	user     int       // the user record of an aggregate; wholeRecord = the last, or the record is none
	time     time.Time // where atTime is; else when the record arrived; zero = not known
}

type positionKind uint8

const (
	atTrimHorizon positionKind = iota
	atTime
	behindRecord
	// behindGap is behindRecord, when the service may no longer know the record. Reading
	// begins at the trim horizon, if it does not, and passes over what was read.
	behindGap
)

// wholeRecord stands for the last user record of a record.
const wholeRecord = -1

const (
	trimHorizonText = "trim_horizon"
	atTimeText      = "at "
	behindGapText   = trimHorizonText + " behind "
)

func (p position) String() string {
	switch p.kind {
	case atTrimHorizon:
		return trimHorizonText
	case atTime:
		return atTimeText + timeText(p.time)
	}
	b := make([]byte, 0, 128)
	if p.kind == behindGap {
		b = append(b, behindGapText...)
	}
	b = appendPlace(b, p.sequence, p.user)
	if !p.time.IsZero() {
		b = append(append(b, ' '), timeText(p.time)...)
	}
	return string(b)
}

// appendPlace appends what people call the place of a record.
func appendPlace(b []byte, sequence string, user int) []byte {
	b = append(b, sequence...)
	if user != wholeRecord {
		b = strconv.AppendInt(append(b, '/'), int64(user), 10)
	}
	return b
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// parsePosition reads the text of a position.
func parsePosition(text string) (position, error) {
	wrong := fmt.Errorf("the cursor %q is none of a shard: the state folder is damaged, or of a newer version", text)
	if text == trimHorizonText {
		return position{}, nil
	}
	if rest, ok := strings.CutPrefix(text, atTimeText); ok {
		at, err := time.Parse(time.RFC3339Nano, rest)
		if err != nil {
			return position{}, wrong
		}
		return position{kind: atTime, time: at}, nil
	}
	p := position{kind: behindRecord, user: wholeRecord}
	rest, gap := strings.CutPrefix(text, behindGapText)
	if gap {
		p.kind = behindGap
	}
	place, arrived, timed := strings.Cut(rest, " ")
	sequence, user, within := strings.Cut(place, "/")
	if p.sequence = sequence; !digits(sequence) || within && !digits(user) {
		return position{}, wrong
	}
	var err error
	if within {
		if p.user, err = strconv.Atoi(user); err != nil {
			return position{}, wrong
		}
	}
	if timed {
		if p.time, err = time.Parse(time.RFC3339Nano, arrived); err != nil {
			return position{}, wrong
		}
	}
	return p, nil
}

func digits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// compareSequence orders sequence numbers of one shard: decimal numbers, which some servers
// write with leading zeros.
func compareSequence(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// passed returns how many user records of a record, which arrived then, lie before the position;
// wholeRecord = all.
func (p position) passed(sequence string, arrived int64) int {
	switch p.kind {
	case atTrimHorizon:
		return 0
	case atTime:
		// Some servers tell the arrival in whole seconds.
		if arrived != page.NoArrival && arrived < p.time.Truncate(time.Second).UnixMicro() {
			return wholeRecord
		}
		return 0
	}
	switch order := compareSequence(sequence, p.sequence); {
	case order > 0:
		return 0
	case order < 0 || p.user == wholeRecord:
		return wholeRecord
	}
	return p.user + 1
}
