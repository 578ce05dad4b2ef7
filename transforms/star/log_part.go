package star

import (
	"bytes"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// epochLog is rows of a log that came with the epoch.
type epochLog struct {
	*pipeline.PackedLog
	first int64 // ordinal of the first change of its batch
}

// logPart sends some of the epoch's log to members and tracked rows. Of all that is brought
// to a member it sends the newest only: there are few products and very many that were sold.
type logPart struct {
	work   *scratch
	copies copier
}

// logUpsert is the newest upsert of a member so far.
type logUpsert struct {
	pipeline.Message
	time    int64
	itemKey []byte
	ties    []pipeline.Message // others of its time and item
}

// send sends the messages of logs, but for those of the rejected changes. Then the logs may be let go.
func (p *logPart) send(logs []epochLog, rejected []int64, toMember, toTracked func(to pipeline.Hash, body []byte)) {
	for _, log := range logs {
		for i := range log.Messages {
			if len(rejected) > 0 {
				if _, found := slices.BinarySearch(rejected, log.first+int64(log.Changes[i])); found {
					continue
				}
			}
			m := log.Messages[i]
			if log.Times != nil {
				m.Body = p.copies.copy(m.Body)
				setTime(m.Body[memberHeadBytes:], log.Times[i])
			}
			if m.Body[0] == trackedMessage {
				toTracked(m.To, m.Body)
				continue
			}
			p.add(&m)
		}
	}
	for i := range p.work.newest {
		n := &p.work.newest[i]
		toMember(n.To, n.Body)
		for _, m := range n.ties {
			toMember(m.To, m.Body)
		}
	}
}

// add takes an upsert unless there is a newer one.
func (p *logPart) add(m *pipeline.Message) {
	at, itemKey := readUpsertOrder(m.Body[memberHeadBytes:])
	w := p.work
	i, added := w.index.Add(m.To, int32(len(w.newest)))
	if added {
		w.newest = append(w.newest, logUpsert{Message: *m, time: at, itemKey: itemKey})
		return
	}
	n := &w.newest[i]
	order := 0
	switch {
	case at > n.time:
		order = 1
	case at < n.time:
		order = -1
	default:
		order = bytes.Compare(itemKey, n.itemKey)
	}
	switch {
	case order == 0:
		n.ties = append(n.ties, *m)
	case order > 0:
		*n = logUpsert{Message: *m, time: at, itemKey: itemKey, ties: n.ties[:0]}
	}
}
