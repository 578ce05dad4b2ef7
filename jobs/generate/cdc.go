package generate

import (
	"context"
	"io"
	"math"
	"time"
)

// streamStart is when the first change of a stream is made: after every export.
var streamStart = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// stream is the life of a shop: actions of its customers, each of which changes
// a few items. In a table that grows, an item is new in six changes of ten,
// changed in three and removed in one; Options.Live says what happens in one that
// does not. A removed customer may come back under the same key.
type stream struct {
	*shop
	o         Options
	actions   source
	customers []customer
	orders    []order // those not cancelled, in no order
	made      int     // changes so far
	reserved  int     // changes that the action still makes
	items     int     // in the table
	grown     bool    // it has reached Options.Live
	delivery  *delivery
	stats     *Stats

	keyItem, oldItem, newItem item
}

// customer is the state that changes give a customer.
type customer struct {
	revision int32
	orders   int16 // ever placed
	open     int16 // of those, not cancelled
	gone     bool
}

// EcommerceCDC writes Records records of changes of the table, as DynamoDB delivers
// them through Kinesis, repeated and late ones among them; the last actions are as
// large as there is room. To truth, if not nil, it writes the items that the table
// holds after the last change, as {"Item": …} lines sorted by their bytes: what a
// correct reader of the stream ends with.
func EcommerceCDC(ctx context.Context, w, truth io.Writer, o Options) (Stats, error) {
	stats := Stats{Kind: "ecommerce", Form: "cdc", Events: map[string]int64{}}
	o, err := o.withDefaults(defaultChanges, "ecommerce")
	if err != nil {
		return stats, err
	}
	out := newLines(ctx, w)
	s := &stream{shop: newShop(o), o: o, actions: derive(o.Seed, domainActions), delivery: newDelivery(out, o), stats: &stats}
	s.walk(o.Base, func(r ref) bool {
		switch r.line {
		case theCustomer:
			s.customers = append(s.customers, customer{})
		case theOrder:
			s.addOrder(r.order)
		}
		return true
	})
	s.items = o.Base
	for s.room() > 0 && out.err == nil {
		s.act()
	}
	s.delivery.drain()
	stats.Duplicates, stats.Late = s.delivery.duplicates, s.delivery.late
	if err := out.finish(&stats); err != nil || truth == nil {
		return stats, err
	}
	stats.TruthItems, err = s.writeTruth(ctx, truth)
	return stats, err
}

// room is how many records are still to be written.
func (s *stream) room() int { return s.o.Records - s.made - int(s.delivery.duplicates) }

// act makes the changes of one action. The weights turn the wanted shares of
// changes into shares of actions, which make 4.4, 1.25 and 4.1 changes each.
func (s *stream) act() {
	if s.o.Live > 0 {
		s.stay()
		return
	}
	switch n := s.actions.below(401); {
	case n < 136 || len(s.orders) == 0:
		s.buy()
	case n < 376:
		s.amend(s.actions.below(len(s.orders)))
	default:
		s.cancel(s.actions.below(len(s.orders)))
	}
}

// stay makes the changes of one action of a table that stays around Live items.
func (s *stream) stay() {
	s.grown = s.grown || s.items >= s.o.Live
	switch {
	case !s.grown || len(s.orders) == 0:
		s.buy()
	case s.actions.below(10) > 0:
		s.amend(s.actions.below(len(s.orders)))
	case s.items < s.o.Live:
		s.buy()
	default:
		s.cancel(s.actions.below(len(s.orders)))
	}
}

// buy places an order of a new, a known or a returning customer.
func (s *stream) buy() {
	c := len(s.customers)
	if c > 0 && (s.grown || s.actions.below(10) >= 3) {
		c = s.actions.below(c)
		if s.customers[c].orders == math.MaxInt16 {
			c = len(s.customers)
		}
	}
	fresh := c == len(s.customers)
	if fresh {
		s.customers = append(s.customers, customer{})
	}
	state := &s.customers[c]
	others := 1 // changes besides the lines
	if fresh || state.gone {
		others++
	}
	lines := min(s.lineCount(int32(c), state.orders), int8(min(s.room()-others, maxLines)))
	if lines < 1 {
		s.visit(int32(c), fresh)
		return
	}
	s.reserved = others + int(lines)
	if others > 1 {
		s.enter(int32(c))
	}
	o := order{customer: int32(c), number: state.orders, lines: lines}
	s.addOrder(o)
	for line := theOrder; line < o.lines; line++ {
		r := ref{o, line}
		s.render(&s.newItem, &r, 0)
		s.emit(insert, &r)
	}
}

// visit makes one change of a customer for whose order there is no room.
func (s *stream) visit(c int32, fresh bool) {
	s.reserved = 1
	if fresh || s.customers[c].gone {
		s.enter(c)
		return
	}
	s.move(c)
}

// enter inserts a new or returning customer.
func (s *stream) enter(c int32) {
	who := ref{order{customer: c}, theCustomer}
	state := &s.customers[c]
	if state.gone {
		state.gone = false
		state.revision++
	}
	s.render(&s.newItem, &who, int(state.revision))
	s.emit(insert, &who)
}

// move gives a customer another address, or another mail address.
func (s *stream) move(c int32) {
	who := ref{order{customer: c}, theCustomer}
	state := &s.customers[c]
	s.render(&s.oldItem, &who, int(state.revision))
	state.revision++
	s.render(&s.newItem, &who, int(state.revision))
	s.emit(modify, &who)
}

func (s *stream) addOrder(o order) {
	c := &s.customers[o.customer]
	c.orders++
	c.open++
	s.orders = append(s.orders, o)
}

// amend changes the i-th order, a line of it, or its customer.
func (s *stream) amend(i int) {
	o := &s.orders[i]
	s.reserved = 1
	switch what := s.actions.below(4); {
	case what == 0 && s.room() > 1: // a line gets another price, and the order another amount
		s.reserved = 2
		before := ref{*o, theOrder}
		line := int8(s.actions.below(int(o.lines)))
		o.revisions[line]++
		s.change(&ref{before.order, line}, &ref{*o, line})
		s.change(&before, &ref{*o, theOrder})
	case what < 3:
		s.proceed(o)
	default:
		s.move(o.customer)
	}
}

// proceed gives an order its next status.
func (s *stream) proceed(o *order) {
	before := ref{*o, theOrder}
	o.status = (o.status + 1) % uint8(len(statuses))
	s.change(&before, &ref{*o, theOrder})
}

// change emits the modification of an order or line from one state to another.
func (s *stream) change(from, to *ref) {
	s.render(&s.oldItem, from, 0)
	s.render(&s.newItem, to, 0)
	s.emit(modify, to)
}

// cancel removes the i-th order with its lines; now and then its customer, if
// no order is left, goes too. Where there is no room for that, the order goes on.
func (s *stream) cancel(i int) {
	o := s.orders[i]
	if s.reserved = 1 + int(o.lines); s.room() < s.reserved {
		s.reserved = 1
		s.proceed(&s.orders[i])
		return
	}
	last := len(s.orders) - 1
	s.orders[i] = s.orders[last]
	s.orders = s.orders[:last]
	for line := o.lines - 1; line >= theOrder; line-- {
		r := ref{o, line}
		s.render(&s.oldItem, &r, 0)
		s.emit(remove, &r)
	}
	c := &s.customers[o.customer]
	c.open--
	if c.open == 0 && s.actions.below(5) == 0 && s.room() > 0 {
		s.reserved = 1
		r := ref{o, theCustomer}
		s.render(&s.oldItem, &r, int(c.revision))
		s.emit(remove, &r)
		c.gone = true
	}
}

// emit delivers the change of r from oldItem to newItem, of which an insert and
// a removal have only one.
func (s *stream) emit(event string, r *ref) {
	id := derive(s.o.Seed, domainEvent, s.made)
	c := change{id: id.uuid(), event: event, table: s.o.Table, micros: s.o.Micros, keys: &s.keyItem}
	c.created = streamStart + int64(s.made)*1_000_000/int64(s.o.Rate)
	if !c.micros {
		c.created /= 1000
	}
	s.keys(c.keys, r)
	if event != remove {
		c.newImage = &s.newItem
		s.items++
	}
	if event != insert {
		c.oldImage = &s.oldItem
		s.items--
	}
	if s.o.Shuffle {
		c.order = &id
	}
	s.made++
	s.reserved--
	s.delivery.send(&c, s.room() > s.reserved)
	s.stats.Events[event]++
}
