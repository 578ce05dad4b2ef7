package partitions

import (
	"maps"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// outbox holds what is to be handed over, in the order in which it came about. What has no
// records is joined, so that while nobody takes it, it stays as small as the records before it
// and the number of partitions allow.
type outbox struct {
	source string
	queue  []*pipeline.Records
	sizes  []int64 // of the records of each in the queue, in bytes
	bytes  int64   // their sum
}

// readAheadMax bounds the bytes that wait to be handed over for further reads to begin: more
// would not make anybody faster who takes them, and fills memory for nothing while nobody does.
const readAheadMax = 16 << 20

// full reports whether reading further is of no use now.
func (o *outbox) full() bool { return o.bytes >= readAheadMax }

// head returns what is to be handed over next; nil = nothing is.
func (o *outbox) head() *pipeline.Records {
	if len(o.queue) == 0 {
		return nil
	}
	return o.queue[0]
}

// taken notes that the head was handed over.
func (o *outbox) taken() {
	o.bytes -= o.sizes[0] // the records are their taker's by now
	o.queue, o.sizes = slices.Delete(o.queue, 0, 1), slices.Delete(o.sizes, 0, 1)
}

// put adds records.
func (o *outbox) put(r *pipeline.Records) {
	size := sizeOf(r)
	o.queue, o.sizes, o.bytes = append(o.queue, r), append(o.sizes, size), o.bytes+size
}

// news is what has changed without records.
type news struct {
	positions map[string][]byte
	dropped   []string
	progress  *pipeline.Progress // nil = nothing has changed but Unread
	saveNow   bool
}

// tell adds news; unread is the number of partitions of which nothing was read.
func (o *outbox) tell(n news, unread int) {
	var last *pipeline.Records
	if len(o.queue) > 0 {
		last = o.queue[len(o.queue)-1]
	}
	if last == nil || last.Len() > 0 {
		last = &pipeline.Records{Source: o.source, Format: &pipeline.Format{}, Progress: &pipeline.Progress{}, Positions: map[string][]byte{}}
		o.queue, o.sizes = append(o.queue, last), append(o.sizes, 0)
	}
	for _, name := range n.dropped {
		delete(last.Positions, name)
		last.Progress.CaughtUp = without(last.Progress.CaughtUp, name)
		last.Progress.Behind = without(last.Progress.Behind, name)
	}
	last.Dropped = append(last.Dropped, n.dropped...)
	maps.Copy(last.Positions, n.positions)
	last.SaveNow = last.SaveNow || n.saveNow
	if n.progress != nil {
		for _, name := range n.progress.CaughtUp {
			last.Progress.Behind = without(last.Progress.Behind, name)
			last.Progress.CaughtUp = append(without(last.Progress.CaughtUp, name), name)
		}
		for _, name := range n.progress.Behind {
			last.Progress.CaughtUp = without(last.Progress.CaughtUp, name)
			last.Progress.Behind = append(without(last.Progress.Behind, name), name)
		}
	}
	last.Progress.Unread = unread
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(names, func(other string) bool { return other == name })
}
