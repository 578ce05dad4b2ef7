package kinesistest

import (
	"crypto/md5"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strings"
	"time"
)

// Record is one record of a stream.
type Record struct {
	Shard        string
	Sequence     string // decimal, 56 digits
	PartitionKey string
	Data         []byte
	Arrived      time.Time // in whole milliseconds
}

// fakeStream is one stream. The server's lock guards it.
type fakeStream struct {
	name      string
	arn       string
	created   time.Time // in whole seconds
	mode      string    // PROVISIONED or ON_DEMAND
	retention time.Duration
	status    string // CREATING, ACTIVE, UPDATING or DELETING
	maxRecord int    // bytes of key and data
	counter   uint64 // of records
	shards    []*fakeShard
	swept     time.Time                // when advance has looked at all shards
	consumers map[string]*fakeConsumer // by name
	// lastConsumer is when the newest of them was registered.
	lastConsumer time.Time
	// busyUntil is when a change of the stream is done, and change what it does then.
	busyUntil time.Time
	change    func(now time.Time)
}

// fakeShard is one shard of a stream.
type fakeShard struct {
	id              string
	number          uint32
	made            int64 // second, as in its sequence numbers
	created, closed time.Time
	start, end      *big.Int // hash keys, both included
	parents         []string // the parent, and the adjacent one
	first           string   // starting sequence number
	last            string   // ending sequence number; empty = open
	records         []Record
	trimmed         int // how many of the first can no longer be read
	hidden, gone    bool
	emptyPages      int // how many reads come without records yet
	reads           paceLimit
	writes          paceLimit
}

func (h *fakeShard) open() bool { return h.last == "" }

func (h *fakeShard) contains(key *big.Int) bool { return h.start.Cmp(key) <= 0 && key.Cmp(h.end) <= 0 }

// hashKey returns where a partition key belongs: its MD5 as a number.
func hashKey(partitionKey string) *big.Int {
	sum := md5.Sum([]byte(partitionKey))
	return new(big.Int).SetBytes(sum[:])
}

// addShard makes a shard of a range of hash keys.
func (st *fakeStream) addShard(now time.Time, start, end *big.Int, parents ...*fakeShard) *fakeShard {
	h := &fakeShard{number: uint32(len(st.shards)), made: max(now.Unix(), st.created.Unix()), created: now, start: start, end: end}
	for _, p := range parents {
		h.parents = append(h.parents, p.id)
		h.made = max(h.made, p.made+1)
	}
	h.id = fmt.Sprintf("shardId-%012d", h.number)
	h.first = sequence{created: h.made, shard: h.number, second: h.made}.String()
	st.shards = append(st.shards, h)
	return h
}

func (st *fakeStream) close(h *fakeShard, now time.Time) {
	h.closed = now
	h.last = sequence{created: h.made, shard: h.number, counter: lastCounter, second: now.Unix()}.String()
}

// middle is the hash key that splits a shard in two of one size.
func (h *fakeShard) middle() *big.Int {
	sum := new(big.Int).Add(h.start, h.end)
	return sum.Add(sum, big.NewInt(1)).Rsh(sum, 1)
}

// put adds a record to a shard.
func (st *fakeStream) put(h *fakeShard, now time.Time, key string, data []byte) Record {
	st.counter++
	r := Record{
		Shard: h.id, PartitionKey: key, Data: data, Arrived: now.Truncate(time.Millisecond),
		Sequence: sequence{created: h.made, counter: st.counter, second: now.Unix(), shard: h.number}.String(),
	}
	h.records = append(h.records, r)
	return r
}

// shard finds one that has not left the stream by its id.
func (st *fakeStream) shard(id string) *fakeShard {
	var number uint32
	if n, err := fmt.Sscanf(id, "shardId-%012d", &number); n != 1 || err != nil || int64(number) >= int64(len(st.shards)) {
		return nil
	}
	// Shards are never taken out of the list, and their ids count.
	if h := st.shards[number]; h.id == id && !h.gone {
		return h
	}
	return nil
}

// openShards returns the shards that take records, in the order of their hash keys.
func (st *fakeStream) openShards() []*fakeShard {
	var open []*fakeShard
	for _, h := range st.shards {
		if h.open() && !h.gone {
			open = append(open, h)
		}
	}
	slices.SortFunc(open, func(a, b *fakeShard) int { return a.start.Cmp(b.start) })
	return open
}

// children returns the shards that came out of one.
func (st *fakeStream) children(id string) []*fakeShard {
	var of []*fakeShard
	for _, h := range st.shards {
		if slices.Contains(h.parents, id) && !h.gone {
			of = append(of, h)
		}
	}
	return of
}

// forShard returns the open shard of a hash key.
func (st *fakeStream) forShard(key *big.Int) *fakeShard {
	for _, h := range st.shards {
		if h.open() && h.contains(key) {
			return h
		}
	}
	return nil
}

// sweepInterval is how exact trimming is: thousands of shards aren't looked at in each request.
const sweepInterval = 10 * time.Millisecond

// advance does what time does: finishes a change, trims records, and lets closed shards
// leave the list, one retention after they were closed.
func (st *fakeStream) advance(now time.Time) {
	if st.change != nil && !now.Before(st.busyUntil) {
		change := st.change
		st.change, st.status = nil, "ACTIVE"
		change(now)
	}
	if since := now.Sub(st.swept); since >= 0 && since < sweepInterval {
		return
	}
	st.swept = now
	horizon := now.Add(-st.retention)
	for _, h := range st.shards {
		for h.trimmed < len(h.records) && h.records[h.trimmed].Arrived.Before(horizon) {
			h.trimmed++
		}
		if !h.open() && h.closed.Before(horizon) {
			h.gone = true
		}
	}
}

// splitShard closes a shard and gives its hash keys to two: those from key on to the second.
func (st *fakeStream) splitShard(now time.Time, h *fakeShard, key *big.Int) []*fakeShard {
	st.close(h, now)
	return []*fakeShard{
		st.addShard(now, h.start, new(big.Int).Sub(key, big.NewInt(1)), h),
		st.addShard(now, key, h.end, h),
	}
}

// mergeShards closes two shards, and gives their hash keys to one.
func (st *fakeStream) mergeShards(now time.Time, low, high *fakeShard) *fakeShard {
	st.close(low, now)
	st.close(high, now)
	return st.addShard(now, low.start, high.end, low, high)
}

// resize splits shards at the bounds of n equal ones, and merges what lies within one of
// those, as UpdateShardCount does. Shards that were made on the way are closed again.
func (st *fakeStream) resize(now time.Time, n int) {
	for i := 1; i < n; i++ {
		bound := rangeStart(i, n)
		if h := st.forShard(bound); h.start.Cmp(bound) != 0 {
			st.splitShard(now, h, bound)
		}
	}
	for i := range n {
		end := rangeEnd(i, n)
		for h := st.forShard(rangeStart(i, n)); h.end.Cmp(end) < 0; {
			h = st.mergeShards(now, h, st.forShard(new(big.Int).Add(h.end, big.NewInt(1))))
		}
	}
}

// rangeStart is the first hash key of range i of n equal ones, rangeEnd the last.
func rangeStart(i, n int) *big.Int {
	k := new(big.Int).Add(maxHashKey, big.NewInt(1))
	k.Div(k, big.NewInt(int64(n)))
	return k.Mul(k, big.NewInt(int64(i)))
}

func rangeEnd(i, n int) *big.Int {
	if i == n-1 {
		return maxHashKey
	}
	return new(big.Int).Sub(rangeStart(i+1, n), big.NewInt(1))
}

// from returns the index of the first record at a sequence number, or behind it.
func (h *fakeShard) from(sequence string, included bool) int {
	i := sort.Search(len(h.records), func(i int) bool {
		c := strings.Compare(h.records[i].Sequence, sequence)
		return c > 0 || c == 0 && included
	})
	return max(i, h.trimmed)
}
