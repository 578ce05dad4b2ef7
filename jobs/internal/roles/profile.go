package roles

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// label is the key of the label that names a goroutine's role.
const label = "role"

// Read returns the CPU time by role that a profile of package runtime/pprof holds. What has
// no role is under a name in parentheses.
func Read(r io.Reader) (CPU, error) {
	unpacked, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	p := profile{locations: map[uint64]uint64{}, functions: map[uint64]uint64{}}
	if err := p.parse(data); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return p.cpu()
}

// profile is what is of use of a profile in the format of pprof, a protocol buffer.
type profile struct {
	texts     []string
	samples   []sample
	locations map[uint64]uint64 // function of each location: of its outermost line
	functions map[uint64]uint64 // text of each function's name
}

type sample struct {
	stack  []uint64 // locations, the innermost first
	values []uint64 // number of samples and nanoseconds
	labels [][2]uint64
}

// The numbers of fields in profile.proto of pprof.
const (
	profileSample, profileLocation, profileFunction, profileText = 2, 4, 5, 6
	sampleLocation, sampleValue, sampleLabel                     = 1, 2, 3
	labelKey, labelText                                          = 1, 2
	locationID, locationLine, lineFunction                       = 1, 4, 1
	functionID, functionName                                     = 1, 2
)

func (p *profile) parse(data []byte) error {
	return eachField(data, func(field protowire.Number, _ uint64, b []byte) error {
		switch field {
		case profileText:
			p.texts = append(p.texts, string(b))
		case profileSample:
			s, err := parseSample(b)
			p.samples = append(p.samples, s)
			return err
		case profileLocation:
			return p.parseLocation(b)
		case profileFunction:
			var id, name uint64
			err := eachField(b, func(field protowire.Number, n uint64, _ []byte) error {
				switch field {
				case functionID:
					id = n
				case functionName:
					name = n
				}
				return nil
			})
			p.functions[id] = name
			return err
		}
		return nil
	})
}

func (p *profile) parseLocation(b []byte) error {
	var id, function uint64
	err := eachField(b, func(field protowire.Number, n uint64, line []byte) error {
		switch field {
		case locationID:
			id = n
		case locationLine: // the last one is the caller into which the others are inlined
			return eachField(line, func(field protowire.Number, n uint64, _ []byte) error {
				if field == lineFunction {
					function = n
				}
				return nil
			})
		}
		return nil
	})
	p.locations[id] = function
	return err
}

func parseSample(b []byte) (s sample, err error) {
	err = eachField(b, func(field protowire.Number, n uint64, b []byte) error {
		switch field {
		case sampleLocation:
			return appendNumbers(&s.stack, n, b)
		case sampleValue:
			return appendNumbers(&s.values, n, b)
		case sampleLabel:
			var l [2]uint64
			err := eachField(b, func(field protowire.Number, n uint64, _ []byte) error {
				switch field {
				case labelKey:
					l[0] = n
				case labelText:
					l[1] = n
				}
				return nil
			})
			s.labels = append(s.labels, l)
			return err
		}
		return nil
	})
	return s, err
}

// appendNumbers appends a repeated number, which may be packed.
func appendNumbers(to *[]uint64, n uint64, packed []byte) error {
	if packed == nil {
		*to = append(*to, n)
		return nil
	}
	for len(packed) > 0 {
		n, size := protowire.ConsumeVarint(packed)
		if size < 0 {
			return protowire.ParseError(size)
		}
		*to, packed = append(*to, n), packed[size:]
	}
	return nil
}

// eachField calls f with each field of a message: with its number, or with its bytes.
func eachField(b []byte, f func(field protowire.Number, n uint64, b []byte) error) error {
	for len(b) > 0 {
		field, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		var n uint64
		var inner []byte
		switch kind {
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			inner, size = protowire.ConsumeBytes(b)
		default:
			size = protowire.ConsumeFieldValue(field, kind, b)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		if err := f(field, n, inner); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

var errOtherProfile = errors.New("it is not a CPU profile of Go")

// cpu adds up the samples.
func (p *profile) cpu() (CPU, error) {
	text := func(i uint64) string {
		if i < uint64(len(p.texts)) {
			return p.texts[i]
		}
		return ""
	}
	all := CPU{}
	for _, s := range p.samples {
		if len(s.values) != 2 || len(s.stack) == 0 {
			return nil, errOtherProfile
		}
		role := ""
		for _, l := range s.labels {
			switch text(l[0]) {
			case label:
				role = text(l[1])
			case "pebble":
				role = databaseWork
			}
		}
		if role == "" {
			role = withoutRole(text(p.functions[p.locations[s.stack[len(s.stack)-1]]]))
		}
		all[role] += time.Duration(s.values[1])
	}
	return all, nil
}

// What has no role.
const (
	Collector    = "(garbage collector)"
	databaseWork = "(merges of the state)"
	scheduler    = "(scheduler)"
	Libraries    = "(threads of C libraries)"
)

// many are those that are of several goroutines or threads.
var many = []string{Collector, databaseWork, scheduler, Libraries}

// withoutRole names what has no role by the function that its goroutine or thread began with.
func withoutRole(first string) string {
	switch {
	case first == "runtime._ExternalCode":
		return Libraries
	case first == "runtime._GC", strings.HasPrefix(first, "runtime.gc"), first == "runtime.bgsweep", first == "runtime.bgscavenge":
		return Collector
	case strings.HasPrefix(first, "runtime.") && first != "runtime.main":
		return scheduler
	}
	return "(" + first[strings.LastIndexByte(first, '/')+1:] + ")" // without the path of its package
}
