package dynamodbtest

import (
	"errors"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

type transactInput struct {
	TransactItems []struct {
		Put            *putInput
		Update         *updateInput
		Delete         *deleteInput
		ConditionCheck *deleteInput
	}
	ClientRequestToken string
	capacity
}

func aboutTransaction(*transactInput) (string, string) { return "", "" }

// maxTransaction is how many items a transaction may have.
const maxTransaction = 100

// onTransactWriteItems writes all items of a transaction, or none.
func (s *Server) onTransactWriteItems(c *awsfake.Call, in *transactInput) (any, error) {
	if len(in.TransactItems) == 0 || len(in.TransactItems) > maxTransaction {
		return nil, invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100 and greater than or equal to 1")
	}
	var writes []*itemWrite
	for _, i := range in.TransactItems {
		w, err := &itemWrite{}, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
		switch {
		case i.Put != nil:
			w, err = s.planPut(c.Region, i.Put)
		case i.Update != nil:
			w, err = s.planUpdate(c.Region, i.Update)
		case i.Delete != nil:
			w, err = s.planDelete(c.Region, i.Delete)
		case i.ConditionCheck != nil:
			w, err = s.planCheck(c.Region, i.ConditionCheck)
		}
		if err == nil {
			err = w.in.unused()
		}
		if err != nil {
			return nil, err
		}
		for _, o := range writes {
			if o.table == w.table && o.key == w.key {
				return nil, invalid("Transaction request cannot include multiple operations on one item")
			}
		}
		writes = append(writes, w)
	}
	if err := s.checkAll(writes); err != nil {
		return nil, err
	}
	units := map[*tableState]float64{}
	for _, w := range writes {
		old, image, err := s.do(w)
		if err != nil {
			panic(err) // it was checked
		}
		units[w.table] += 2 * writeUnits(old, image)
	}
	out := map[string]any{}
	in.addAll(out, units)
	return out, nil
}

// checkAll returns why a transaction can't be done, with the reason of each of its items.
func (s *Server) checkAll(writes []*itemWrite) error {
	var codes []string
	var reasons []any
	failed := false
	for _, w := range writes {
		code, reason := "None", map[string]any{}
		old := w.table.items.get(w.key)
		err := w.in.check(w.holds, old)
		if err == nil && w.change != nil {
			var item Item
			if item, err = w.change(old); err == nil && item.size() > maxItem {
				err = invalid("Item size has exceeded the maximum allowed size")
			}
		}
		if e := (*awsfake.Error)(nil); errors.As(err, &e) {
			failed = true
			code = map[string]string{"ConditionalCheckFailedException": "ConditionalCheckFailed", "ValidationException": "ValidationError"}[e.Code]
			reason["Message"] = e.Message
			if item, ok := e.Members["Item"]; ok {
				reason["Item"] = item
			}
		}
		reason["Code"] = code
		codes, reasons = append(codes, code), append(reasons, reason)
	}
	if !failed {
		return nil
	}
	e := awsfake.Errorf("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	e.Members = map[string]any{"CancellationReasons": reasons}
	return e
}
