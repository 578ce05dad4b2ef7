package dynamodbtest

import (
	"encoding/json"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

func (s *Server) itemOperations() map[string]awsfake.Operation {
	return map[string]awsfake.Operation{
		"PutItem":            operation(s, func(in *putInput) (string, string) { return in.TableName, "" }, s.onPutItem),
		"GetItem":            operation(s, func(in *getInput) (string, string) { return in.TableName, "" }, s.onGetItem),
		"DeleteItem":         operation(s, func(in *deleteInput) (string, string) { return in.TableName, "" }, s.onDeleteItem),
		"UpdateItem":         operation(s, func(in *updateInput) (string, string) { return in.TableName, "" }, s.onUpdateItem),
		"TransactWriteItems": operation(s, aboutTransaction, s.onTransactWriteItems),
		"Query":              operation(s, func(in *queryInput) (string, string) { return in.TableName, "" }, s.onQuery),
		"BatchWriteItem":     operation(s, aboutBatch[[]writeRequest], s.onBatchWriteItem),
		"BatchGetItem":       operation(s, aboutBatch[batchKeys], s.onBatchGetItem),
		"Scan":               operation(s, func(in *scanInput) (string, string) { return in.TableName, "" }, s.onScan),
	}
}

// capacity is what requests say about the capacity that they want to know.
type capacity struct{ ReturnConsumedCapacity string }

// add says in an answer how many units a request took.
func (c capacity) add(out map[string]any, t *tableState, units float64) {
	if c.ReturnConsumedCapacity == "" || c.ReturnConsumedCapacity == "NONE" {
		return
	}
	consumed := map[string]any{"TableName": t.name, "CapacityUnits": units}
	if c.ReturnConsumedCapacity == "INDEXES" {
		consumed["Table"] = map[string]float64{"CapacityUnits": units}
	}
	out["ConsumedCapacity"] = consumed
}

// readUnits is what reading as many bytes takes: half a unit for each 4 KB, and twice that when consistent.
func readUnits(size int64, consistent bool) float64 {
	units := float64(max(1, (size+4095)/4096))
	if !consistent {
		units /= 2
	}
	return units
}

// writeUnits is what writing as many bytes takes: a unit for each KB.
func writeUnits(rows ...*row) float64 {
	size := 1
	for _, r := range rows {
		if r != nil {
			size = max(size, r.size)
		}
	}
	return float64((size + 1023) / 1024)
}

// writeInput is what all writes of one item may say.
type writeInput struct {
	TableName                           string
	ConditionExpression                 string
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	// What was there before expressions is refused, so that no test believes that it counts.
	Expected, AttributeUpdates map[string]any
	expressions
	capacity
}

// condition reads the condition of a write; nil = it has none.
func (in *writeInput) condition() (holds condition, err error) {
	if len(in.Expected)+len(in.AttributeUpdates) > 0 {
		return nil, invalid("this fake knows no Expected and no AttributeUpdates: use expressions")
	}
	if in.ConditionExpression == "" {
		return nil, nil
	}
	err = in.parse("ConditionExpression", in.ConditionExpression, func(p *parser) (err error) {
		holds, err = p.condition()
		return err
	})
	return holds, err
}

// check returns the error of a condition that the item as it is does not meet.
func (in *writeInput) check(holds condition, old *row) error {
	var item Item
	if old != nil {
		item = old.item
	}
	if holds == nil || holds(item) {
		return nil
	}
	failed := awsfake.Errorf("ConditionalCheckFailedException", "The conditional request failed")
	if in.ReturnValuesOnConditionCheckFailure == "ALL_OLD" && item != nil {
		failed.Members = map[string]any{"Item": item}
	}
	return failed
}

// itemWrite is a write of one item that is known to be allowed: check says whether its condition
// holds, and change what the item becomes, nil = it is deleted.
type itemWrite struct {
	table  *tableState
	key    primaryKey
	in     *writeInput
	holds  condition
	change func(old *row) (Item, error)
	update []updateAction
}

// do checks the condition and writes.
func (s *Server) do(w *itemWrite) (old, image *row, err error) {
	old = w.table.items.get(w.key)
	if err := w.in.check(w.holds, old); err != nil {
		return old, nil, err
	}
	if w.change == nil {
		return old, old, nil // a check alone
	}
	item, err := w.change(old)
	if err != nil {
		return old, nil, err
	}
	if _, err := s.write(w.table, w.key, item, false); err != nil {
		return old, nil, err
	}
	return old, w.table.items.get(w.key), nil
}

// answer does a write, and says what a request wants to know of it.
func (s *Server) answer(w *itemWrite, err error) (any, error) {
	if err == nil {
		err = w.in.unused()
	}
	if err != nil {
		return nil, err
	}
	old, image, err := s.do(w)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	switch {
	case w.in.ReturnValues == "ALL_OLD" && old != nil:
		out["Attributes"] = json.RawMessage(old.json)
	case w.in.ReturnValues == "ALL_NEW" && image != nil:
		out["Attributes"] = json.RawMessage(image.json)
	case w.in.ReturnValues == "UPDATED_OLD" && old != nil:
		out["Attributes"] = touched(old.item, w.update)
	case w.in.ReturnValues == "UPDATED_NEW" && image != nil:
		out["Attributes"] = touched(image.item, w.update)
	}
	w.in.add(out, w.table, writeUnits(old, image))
	return out, nil
}

// touched returns the attributes of an item that an update was about.
func touched(item Item, update []updateAction) Item {
	of := Item{}
	for _, a := range update {
		if v, ok := item[a.path[0].name]; ok {
			of[a.path[0].name] = v
		}
	}
	return of
}

type putInput struct {
	Item Item
	writeInput
}

func (s *Server) onPutItem(c *awsfake.Call, in *putInput) (any, error) {
	return s.answer(s.planPut(c.Region, in))
}

func (s *Server) planPut(region string, in *putInput) (*itemWrite, error) {
	t, err := s.find(region, in.TableName)
	if err != nil {
		return nil, err
	}
	w := &itemWrite{table: t, in: &in.writeInput, change: func(*row) (Item, error) { return in.Item, nil }}
	if w.key, err = t.keyOf(in.Item); err == nil {
		w.holds, err = in.condition()
	}
	return w, err
}

type deleteInput struct {
	Key Item
	writeInput
}

func (s *Server) onDeleteItem(c *awsfake.Call, in *deleteInput) (any, error) {
	return s.answer(s.planDelete(c.Region, in))
}

func (s *Server) planDelete(region string, in *deleteInput) (*itemWrite, error) {
	w, err := s.planCheck(region, in)
	if err == nil {
		w.change = func(*row) (Item, error) { return nil, nil }
	}
	return w, err
}

// planCheck plans a write that changes nothing: the condition of a transaction.
func (s *Server) planCheck(region string, in *deleteInput) (*itemWrite, error) {
	t, err := s.find(region, in.TableName)
	if err != nil {
		return nil, err
	}
	w := &itemWrite{table: t, in: &in.writeInput}
	if w.key, err = t.keyAlone(in.Key); err == nil {
		w.holds, err = in.condition()
	}
	return w, err
}

type updateInput struct {
	Key              Item
	UpdateExpression string
	writeInput
}

func (s *Server) onUpdateItem(c *awsfake.Call, in *updateInput) (any, error) {
	return s.answer(s.planUpdate(c.Region, in))
}

func (s *Server) planUpdate(region string, in *updateInput) (*itemWrite, error) {
	w, err := s.planCheck(region, &deleteInput{Key: in.Key, writeInput: in.writeInput})
	if err != nil {
		return nil, err
	}
	if in.UpdateExpression != "" {
		err = w.in.parse("UpdateExpression", in.UpdateExpression, func(p *parser) (err error) {
			w.update, err = p.update()
			return err
		})
	}
	w.change = func(old *row) (Item, error) {
		if old == nil {
			return w.table.updated(nil, in.Key, w.update)
		}
		return w.table.updated(old.item, in.Key, w.update)
	}
	return w, err
}

type getInput struct {
	TableName            string
	Key                  Item
	ConsistentRead       bool
	ProjectionExpression string
	expressions
	capacity
}

func (s *Server) onGetItem(c *awsfake.Call, in *getInput) (any, error) {
	t, err := s.find(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	k, err := t.keyAlone(in.Key)
	if err != nil {
		return nil, err
	}
	project, err := in.projection(in.ProjectionExpression)
	if err == nil {
		err = in.unused()
	}
	if err != nil {
		return nil, err
	}
	out, size := map[string]any{}, int64(0)
	if r := t.items.get(k); r != nil {
		out["Item"], size = json.RawMessage(r.json), int64(r.size)
		if project != nil {
			out["Item"] = project(r.item)
		}
	}
	in.add(out, t, readUnits(size, in.ConsistentRead))
	return out, nil
}
