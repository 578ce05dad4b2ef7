package dynamodbtest

import (
	"encoding/json"
	"slices"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// batchInput is the input of operations about items of several tables.
type batchInput[T any] struct {
	RequestItems map[string]T
	capacity
}

// aboutBatch says which table a batch is about, if it is one.
func aboutBatch[T any](in *batchInput[T]) (string, string) {
	if len(in.RequestItems) == 1 {
		for name := range in.RequestItems {
			return name, ""
		}
	}
	return "", ""
}

type writeRequest struct {
	PutRequest    *struct{ Item Item } `json:",omitempty"`
	DeleteRequest *struct{ Key Item }  `json:",omitempty"`
}

// plannedWrite is one of a batch that has been found to be allowed.
type plannedWrite struct {
	table *tableState
	key   primaryKey
	item  Item // nil = delete
	of    writeRequest
}

// The bounds of batches.
const (
	maxBatchWrites = 25
	maxBatchReads  = 100
)

func (s *Server) onBatchWriteItem(c *awsfake.Call, in *batchInput[[]writeRequest]) (any, error) {
	writes, err := s.planBatch(c.Region, in.RequestItems)
	if err != nil {
		return nil, err
	}
	unprocessed := map[string][]writeRequest{}
	units := map[*tableState]float64{}
	for n, w := range writes {
		if c.FailEntries && n%2 == 1 {
			unprocessed[w.table.name] = append(unprocessed[w.table.name], w.of)
			continue
		}
		old, err := s.write(w.table, w.key, w.item, false)
		if err != nil {
			return nil, err
		}
		units[w.table] += writeUnits(old, w.table.items.get(w.key))
		c.Records++
	}
	out := map[string]any{"UnprocessedItems": unprocessed}
	in.addAll(out, units)
	return out, nil
}

// addAll says how many units a batch took of each table.
func (c capacity) addAll(out map[string]any, units map[*tableState]float64) {
	var all []any
	for t, n := range units {
		one := map[string]any{}
		if c.add(one, t, n); len(one) > 0 {
			all = append(all, one["ConsumedCapacity"])
		}
	}
	if len(all) > 0 {
		out["ConsumedCapacity"] = all
	}
}

func (s *Server) planBatch(region string, tables map[string][]writeRequest) (writes []plannedWrite, err error) {
	for name, requests := range tables {
		t, err := s.find(region, name)
		if err != nil {
			return nil, err
		}
		for _, r := range requests {
			w := plannedWrite{table: t, of: r}
			switch {
			case r.PutRequest != nil && r.DeleteRequest == nil:
				w.item = r.PutRequest.Item
				w.key, err = t.keyOf(w.item)
			case r.DeleteRequest != nil && r.PutRequest == nil:
				w.key, err = t.keyAlone(r.DeleteRequest.Key)
			default:
				err = invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			}
			if err == nil && w.item.size() > maxItem {
				err = invalid("Item size has exceeded the maximum allowed size")
			}
			if err == nil && slices.ContainsFunc(writes, func(o plannedWrite) bool { return o.table == t && o.key == w.key }) {
				err = invalid("Provided list of item keys contains duplicates")
			}
			if err != nil {
				return nil, err
			}
			writes = append(writes, w)
		}
	}
	if len(writes) == 0 || len(writes) > maxBatchWrites {
		return nil, invalid("1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]")
	}
	return writes, nil
}

type batchKeys struct {
	Keys           []Item
	ConsistentRead bool
}

func (s *Server) onBatchGetItem(c *awsfake.Call, in *batchInput[batchKeys]) (any, error) {
	found, units, n := map[string][]json.RawMessage{}, map[*tableState]float64{}, 0
	for name, wanted := range in.RequestItems {
		t, err := s.find(c.Region, name)
		if err != nil {
			return nil, err
		}
		found[name] = []json.RawMessage{}
		var seen []primaryKey
		for _, key := range wanted.Keys {
			k, err := t.keyAlone(key)
			if err == nil && slices.Contains(seen, k) {
				err = invalid("Provided list of item keys contains duplicates")
			}
			if err != nil {
				return nil, err
			}
			seen, n = append(seen, k), n+1
			size := int64(0)
			if r := t.items.get(k); r != nil {
				found[name], size = append(found[name], r.json), int64(r.size)
			}
			units[t] += readUnits(size, wanted.ConsistentRead)
		}
	}
	if n == 0 || n > maxBatchReads {
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	out := map[string]any{"Responses": found, "UnprocessedKeys": map[string]any{}}
	in.addAll(out, units)
	return out, nil
}
