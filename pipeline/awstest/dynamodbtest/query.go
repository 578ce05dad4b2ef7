package dynamodbtest

import (
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

type queryInput struct {
	TableName              string
	KeyConditionExpression string
	ScanIndexForward       *bool
	Limit                  *int
	ExclusiveStartKey      Item
	ConsistentRead         bool
	readInput
	capacity
}

func (s *Server) onQuery(c *awsfake.Call, in *queryInput) (any, error) {
	t, err := s.find(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	k, within, err := in.keyCondition(t)
	if err != nil {
		return nil, err
	}
	p := page{limit: in.Limit}
	if err := in.prepare(&p); err != nil {
		return nil, err
	}
	if err := s.throttled(t); err != nil {
		return nil, err
	}
	rows := slices.Clone(t.items.partition(k.hash, k.text))
	backward := in.ScanIndexForward != nil && !*in.ScanIndexForward
	if backward {
		slices.Reverse(rows)
	}
	var after *primaryKey
	if in.ExclusiveStartKey != nil {
		start, err := t.keyAlone(in.ExclusiveStartKey)
		if err != nil || start.text != k.text {
			return nil, invalid("The provided starting key is invalid")
		}
		after = &start
	}
	for _, r := range rows {
		if after != nil && (!backward && r.key.sort <= after.sort || backward && r.key.sort >= after.sort) {
			continue
		}
		if within != nil && !within(r.item) {
			continue
		}
		if !p.add(r) {
			break
		}
	}
	units := readUnits(p.bytes, in.ConsistentRead)
	t.charge(s.now(), units, s.o.ReadUnits)
	c.Records, c.Bytes = p.items, int(p.bytes)
	return p.answer(t, in.capacity, units), nil
}

// keyCondition reads which partition key a query is about, and what it wants of the sort keys; nil = any.
func (in *queryInput) keyCondition(t *tableState) (k primaryKey, within condition, err error) {
	var terms keyTerms
	err = in.parse("KeyConditionExpression", in.KeyConditionExpression, func(p *parser) error { return p.keyTerms(t, &terms) })
	if err != nil {
		return k, nil, err
	}
	if terms.key == nil {
		return k, nil, invalid("Query condition missed key schema element: %s", t.hash.name)
	}
	text, err := t.keyText(terms.key, t.hash, maxHashKey)
	return primaryKey{hash: hashOf(text), text: text}, terms.within, err
}

// keyTerms are what a query wants of the key.
type keyTerms struct {
	key    Item      // the partition key
	within condition // of the sort key; nil = any
}

// keyTerms reads terms that are joined by AND, in brackets or not.
func (p *parser) keyTerms(t *tableState, terms *keyTerms) error {
	for {
		if p.accept("(") {
			err := p.keyTerms(t, terms)
			if err == nil {
				err = p.expect(")")
			}
			if err != nil {
				return err
			}
		} else if v, ok := p.partitionKey(t); ok && terms.key == nil {
			terms.key = Item{t.hash.name: v}
		} else if terms.within == nil && t.sort != nil {
			within, err := p.negation()
			if err != nil {
				return err
			}
			terms.within = within
		} else {
			return p.fail("Query key condition not supported")
		}
		if !p.accept("AND") {
			return nil
		}
	}
}

// partitionKey reads what a partition key has to be equal to; false = the next is another condition.
func (p *parser) partitionKey(t *tableState) (Value, bool) {
	if len(p.tokens) < 3 || p.tokens[1] != "=" {
		return Value{}, false
	}
	name := p.tokens[0]
	if strings.HasPrefix(name, "#") {
		name = p.of.ExpressionAttributeNames[name]
	}
	v, ok := p.of.ExpressionAttributeValues[p.tokens[2]]
	if name != t.hash.name || !ok {
		return Value{}, false
	}
	for _, token := range p.tokens[:3] {
		p.of.mark(token)
	}
	p.tokens = p.tokens[3:]
	return v, true
}
