package dynamodbscan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// scan is what one reading of a table is fixed by.
type scan struct {
	began    time.Time // by the service's clock, in whole µs
	table    string    // the id of the table
	segments int
}

// asOf is the version of all items, in µs since 1970.
func (s scan) asOf() int64 { return s.began.Add(-pipeline.SnapshotMargin).UnixMicro() }

// partitionName is what identifies a segment, from 0, for ever: with the scan that it is one of.
func (s scan) partitionName(segment int) string {
	return fmt.Sprintf("%d/%d@%s@%s", segment, s.segments, s.began.UTC().Format(time.RFC3339Nano), s.table)
}

// parsePartitionName reads the name of a partition.
func parsePartitionName(name string) (s scan, segment int, err error) {
	wrong := fmt.Errorf("partition %q is no segment of a scan: the state folder is damaged, or of a newer version", name)
	place, rest, ok := strings.Cut(name, "@")
	began, table, whole := strings.Cut(rest, "@")
	first, of, both := strings.Cut(place, "/")
	if !ok || !whole || !both {
		return s, 0, wrong
	}
	var errs [3]error
	segment, errs[0] = strconv.Atoi(first)
	s.segments, errs[1] = strconv.Atoi(of)
	s.began, errs[2] = time.Parse(time.RFC3339Nano, began)
	s.table = table
	if errs != [3]error{} || segment < 0 || segment >= s.segments || s.segments > segmentsMax || s.partitionName(segment) != name {
		return s, 0, wrong
	}
	return s, segment, nil
}

// scanOf returns the scan that the partitions belong to which are saved.
func scanOf(known map[string]bool) (s scan, err error) {
	var first string
	for name := range known {
		one, _, err := parsePartitionName(name)
		if err != nil {
			return s, err
		}
		if first == "" {
			s, first = one, name
		} else if one.table != s.table || one.segments != s.segments || !one.began.Equal(s.began) {
			return s, fmt.Errorf("partitions %q and %q are of two scans: the state folder is damaged", first, name)
		}
	}
	return s, nil
}

// partitions returns all segments.
func (s scan) partitions() (all []pipeline.Partition) {
	for i := range s.segments {
		all = append(all, pipeline.Partition{Name: s.partitionName(i), DisplayName: fmt.Sprintf("segment %d of %d", i+1, s.segments)})
	}
	return all
}
