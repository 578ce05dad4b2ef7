package dynamodbstreams

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// position is a place in a shard, between two records. As a text it is the cursor of a
// partition:
//
//	trim_horizon                                     before the oldest record there is
//	4961… 2024-05-01T12:00:00Z                       behind the record of that sequence number, which was made then
//	trim_horizon behind 4961… 2024-05-01T12:00:00Z   there too, when what comes next is gone, or may be
//
// and, behind each of them,
//
//	from 2024-05-01T11:00:00Z                       older records have no effect: start said so
type position struct {
	kind     positionKind
	sequence string    // of behindRecord and behindGap
	time     time.Time // when the record was made; zero = not known
	from     time.Time // zero = all records have an effect
}

type positionKind uint8

const (
	atTrimHorizon positionKind = iota
	behindRecord
	// behindGap is behindRecord, when the service may no longer know the record. Reading
	// begins at the trim horizon then, and passes over what was read.
	behindGap
)

const (
	trimHorizonText = "trim_horizon"
	behindGapText   = trimHorizonText + " behind "
	fromText        = " from "
)

func (p position) String() string {
	b := make([]byte, 0, 128)
	switch p.kind {
	case atTrimHorizon:
		b = append(b, trimHorizonText...)
	case behindGap:
		b = append(b, behindGapText...)
	}
	b = append(b, p.sequence...)
	if !p.time.IsZero() {
		b = append(append(b, ' '), timeText(p.time)...)
	}
	if !p.from.IsZero() {
		b = append(append(b, fromText...), timeText(p.from)...)
	}
	return string(b)
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// parsePosition reads the text of a position.
func parsePosition(text string) (p position, err error) {
	wrong := fmt.Errorf("the cursor %q is none of a shard: the state folder is damaged, or of a newer version", text)
	place, from, starts := strings.Cut(text, fromText)
	if starts {
		if p.from, err = time.Parse(time.RFC3339Nano, from); err != nil {
			return position{}, wrong
		}
	}
	if place == trimHorizonText {
		return p, nil
	}
	p.kind = behindRecord
	rest, gap := strings.CutPrefix(place, behindGapText)
	if gap {
		p.kind = behindGap
	}
	sequence, made, timed := strings.Cut(rest, " ")
	if p.sequence = sequence; !digits(sequence) {
		return position{}, wrong
	}
	if timed {
		if p.time, err = time.Parse(time.RFC3339Nano, made); err != nil {
			return position{}, wrong
		}
	}
	return p, nil
}

func digits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// compareSequence orders sequence numbers: decimal numbers of 21 digits and more.
func compareSequence(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}
