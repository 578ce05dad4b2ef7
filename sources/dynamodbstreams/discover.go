package dynamodbstreams

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/internal/start"
)

// retention is how long a stream keeps records.
const retention = 24 * time.Hour

// boundary is, in the place of a shard, the partition between two streams of a table: it has no records, the last
// shards of the old one are its parents, and it is that of the first ones of the new one. So a cursor has one
// parent, however many shards there are.
const boundary = "begin"

// EventStreamChanged is the event of the notice that a table has another stream than before, or none any longer.
const EventStreamChanged = "stream_changed"

// partitionName is what identifies a shard for ever: its stream's label, and its id.
func partitionName(label, shard string) string { return label + "/" + shard }

// parsePartitionName returns a stream's label and a shard's id.
func parsePartitionName(name string) (label, shard string, err error) {
	label, shard, ok := strings.Cut(name, "/")
	if !ok || label == "" || shard == "" {
		return "", "", fmt.Errorf("partition %q is no shard of a stream: the state folder is damaged, or of a newer version", name)
	}
	return label, shard, nil
}

// partitionOf returns a shard as a partition.
func partitionOf(label string, shard *types.Shard) pipeline.Partition {
	p := pipeline.Partition{Name: partitionName(label, aws.ToString(shard.ShardId))}
	if parent := aws.ToString(shard.ParentShardId); parent != "" {
		p.Parents = []string{partitionName(label, parent)}
	}
	return p
}

// Discover lists the shards, open and closed, of the table's stream, and of those that it had before as long as
// something is known of them. At a first start of all, those of its stream begin where the configuration says; shards
// that come later begin with their first record.
func (t *table) Discover(ctx context.Context, known map[string]bool) ([]pipeline.Partition, error) {
	begun := t.clock.Now() // before the listing: what a shard that is not in it has came later
	d, err := t.describe(ctx)
	if err != nil {
		return nil, err
	}
	problem := t.problem(d)
	if problem != nil && (len(known) == 0 || d.enabled && !t.opened) {
		return nil, problem
	}
	labels, err := t.streamsToRead(ctx, d, known)
	if err != nil {
		return nil, err
	}
	found, err := t.listAll(ctx, labels, known)
	if err != nil {
		return nil, err
	}
	if len(known) == 0 {
		if err := t.begin(found, begun); err != nil {
			return nil, err
		}
	}
	t.tell(d, labels, known)
	first := !t.opened
	t.opened = true
	if problem != nil && !first && !slices.ContainsFunc(found, func(p pipeline.Partition) bool { return !known[p.Name] }) {
		return nil, problem // and what is known is read all the same
	}
	return found, nil
}

// streamsToRead returns the labels of the streams that there is something to read of, the oldest first: that of the
// table's stream, if it can be read, and of those between what is known and that.
func (t *table) streamsToRead(ctx context.Context, d description, known map[string]bool) (labels []string, err error) {
	for name := range known {
		label, _, err := parsePartitionName(name)
		if err != nil {
			return nil, err
		}
		labels = append(labels, label)
	}
	slices.Sort(labels) // they are times
	labels = slices.Compact(labels)
	oldest, others := d.latest, len(labels) > 0 && (len(labels) > 1 || labels[0] != d.latest)
	if others {
		oldest = labels[0]
		// The table may have had more streams than one since it was looked at last.
		between, err := t.labels(ctx)
		if err != nil {
			return nil, err
		}
		labels = append(labels, between...)
	}
	if d.latest != "" {
		labels = append(labels, d.latest)
	}
	slices.Sort(labels)
	labels = slices.Compact(labels)
	return slices.DeleteFunc(labels, func(label string) bool {
		return label < oldest || label == d.latest && d.enabled && !readable(string(d.view))
	}), nil
}

// listAll lists the shards of streams.
func (t *table) listAll(ctx context.Context, labels []string, known map[string]bool) (found []pipeline.Partition, err error) {
	var last []string // the last partitions of the stream before
	for _, label := range labels {
		l, err := t.list(ctx, t.stream(label), 0)
		if err != nil {
			return nil, err
		}
		shards := t.partitions(label, l, known, &found)
		if shards == 0 && l.gone {
			continue // the shards that are known of it, if any, are gaps
		}
		if b := partitionName(label, boundary); len(last) > 0 && (known[b] || !knownLabel(known, label)) {
			found = append(found, pipeline.Partition{Name: b, Parents: last})
		}
		last = t.lastOf(label, l, known)
	}
	return found, nil
}

// partitions appends the shards of a stream, and returns how many they are. The first ones come behind the boundary.
func (t *table) partitions(label string, l *streamDescription, known map[string]bool, found *[]pipeline.Partition) int {
	for i := range l.shards {
		p := partitionOf(label, &l.shards[i])
		if len(p.Parents) == 0 || !known[p.Parents[0]] && !l.has(aws.ToString(l.shards[i].ParentShardId)) {
			p.Parents = append(p.Parents, partitionName(label, boundary)) // it need not be there
		}
		*found = append(*found, p)
	}
	return len(l.shards)
}

// lastOf returns the partitions of a stream that those of the next one come behind.
func (t *table) lastOf(label string, l *streamDescription, known map[string]bool) (names []string) {
	for _, id := range l.leaves() {
		names = append(names, partitionName(label, id))
	}
	if len(names) > 0 {
		return names
	}
	for name := range known {
		if of, _, err := parsePartitionName(name); err == nil && of == label {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// knownLabel reports whether a partition of a stream is known.
func knownLabel(known map[string]bool, label string) bool {
	for name := range known {
		if strings.HasPrefix(name, label+"/") {
			return true
		}
	}
	return false
}

// begin sets where shards begin at a first start. begun is when the discovery began, by the service's clock.
func (t *table) begin(found []pipeline.Partition, begun time.Time) error {
	at, complete := position{}, t.away(begun)
	switch from := t.start.At; {
	case t.start.Word == start.Latest:
		at.from = begun
	case t.start.Word == start.TrimHorizon:
	case from.After(begun):
		return fmt.Errorf("start: %s has not come yet: it is %s at the service", timeText(from), timeText(begun))
	default:
		at.from = from
		if from.Before(begun.Add(-retention)) {
			t.env.Log.Warn("the stream no longer has records of the time to start at: reading begins with the oldest that it has", "start", timeText(from), "retention", retention)
		}
	}
	until := complete
	for i := range found {
		found[i].Start, found[i].StartTime = []byte(at.String()), until
		label, _, err := parsePartitionName(found[i].Name)
		if err != nil {
			return err
		}
		if created := t.created(label); created.After(complete) {
			complete = created
		}
	}
	if at.from.After(complete) {
		complete = at.from
	}
	t.startTime.Store(&complete)
	return nil
}

// away returns up to when a shard counts as read whose reading begins at the trim horizon now: the oldest records
// are dropped while they are being read, and are no gap.
func (t *table) away(now time.Time) time.Time { return now.Add(trimGrace - retention) }

// trimGrace is how long a reading that begins at the trim horizon has to get away from it.
const trimGrace = time.Hour

// created returns when a stream was made; zero = that is not known.
func (t *table) created(label string) time.Time {
	if l := t.stream(label).listed.Known(); l != nil && !(*l).created.IsZero() {
		return (*l).created
	}
	at, err := time.Parse("2006-01-02T15:04:05.999999999", label)
	if err != nil {
		return time.Time{}
	}
	return at
}

// tell tells people that the table has another stream than it had.
func (t *table) tell(d description, labels []string, known map[string]bool) {
	if d.latest == "" || len(known) == 0 {
		return
	}
	key := fmt.Sprintf("%s %t", d.latest, d.enabled)
	switch {
	case t.told[key]:
		return
	case !d.enabled:
		t.env.Notify(pipeline.Notice{Event: EventStreamChanged, Message: fmt.Sprintf(
			"the stream of table %s, %s, is disabled: it is read to its end. %s", t.cfg.Table, d.latest, unseen)})
	case !knownLabel(known, d.latest):
		before := labels[max(0, slices.Index(labels, d.latest)-1)]
		again := ""
		if old := t.created(before); d.created.After(old) && !old.IsZero() {
			again = fmt.Sprintf(" The table itself was made again at %s: items that the old one had when it was deleted are in no stream either.", timeText(d.created))
		}
		t.env.Notify(pipeline.Notice{Event: EventStreamChanged, Message: fmt.Sprintf(
			"table %s has a new stream, %s, in the place of %s, which is read to its end before. %s.%s", t.cfg.Table, d.latest, before, unseen, again)})
	default:
		return
	}
	t.told[key] = true
}

const unseen = "What is written while no stream is enabled is in none: if anything is, mend it from an export that is made later (docs/dynamodb.md)"
