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
	work *scratch
}

// logUpsert is the newest upsert of a member so far.
type logUpsert struct {
	logMessage
	time    int64
	itemKey []byte
	ties    []logMessage // others of its time and item
}

// logMessage is a message of a log.
type logMessage struct {
	to   pipeline.Hash
	body []byte
}

// send sends the messages of logs, but for those of the rejected changes. Then the logs may be let go.
func (p *logPart) send(logs []epochLog, rejected []int64, toMember, toTracked func(to pipeline.Hash, body []byte)) {
	for _, log := range logs {
		from := uint32(0)
		for i, end := range log.Ends {
			m := logMessage{log.To[i], log.Bodies[from:end:end]}
			from = end
			if len(rejected) > 0 {
				if _, found := slices.BinarySearch(rejected, log.first+int64(log.Changes[i])); found {
					continue
				}
			}
			if log.Times != nil {
				setTime(m.body[memberHeadBytes:], log.Times[i])
			}
			if m.body[0] == trackedMessage {
				toTracked(m.to, m.body)
				continue
			}
			p.add(m)
		}
	}
	for i := range p.work.newest {
		n := &p.work.newest[i]
		toMember(n.to, n.body)
		for _, m := range n.ties {
			toMember(m.to, m.body)
		}
	}
}

// add takes an upsert unless there is a newer one.
func (p *logPart) add(m logMessage) {
	at, itemKey := readUpsertOrder(m.body[memberHeadBytes:])
	w := p.work
	i, added := w.index.Add(m.to, int32(len(w.newest)))
	if added {
		w.newest = append(w.newest, logUpsert{logMessage: m, time: at, itemKey: itemKey})
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
		n.ties = append(n.ties, m)
	case order > 0:
		*n = logUpsert{logMessage: m, time: at, itemKey: itemKey, ties: n.ties[:0]}
	}
}
