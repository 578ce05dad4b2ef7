package generate

import (
	"strconv"
	"time"
)

// shop is the ecommerce single table. Overloaded index keys lead from an order
// to its lines; a customer's address is a map inside its item.
//
//	type      PK             SK              GSIPK        GSISK
//	customer  CUST#username  CUST#username   -            -
//	order     CUST#username  ORD#orderid     ORD#orderid  ORD#orderid
//	product   ORD#orderid    PROD#productid  ORD#orderid  PROD#productid
//
// Every item is a pure function of the seed, its identity and its revision.
type shop struct {
	seed    uint64
	catalog []product
	houses  int // among which a customer moves; 0 = every one is new
}

type product struct {
	id                    uuid
	name, category, color string
	cents                 int64
}

const (
	// maxLines is the greatest number of lines of an order.
	maxLines = 6
	// maxHouses is how many addresses a customer has in a table that does not grow.
	maxHouses = 4
	// lineClasses is into how many classes the catalogue is divided: the lines
	// of an order come from different ones, so that no product is in it twice.
	lineClasses = 8
	// orderDays is how many days the first orders are spread over.
	orderDays = 3 * 365
)

// opening is the day of the first orders.
var opening = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// order is an order and the state that changes give it.
type order struct {
	customer  int32
	number    int16 // of the customer's orders, from 0
	lines     int8
	status    uint8
	revisions [maxLines]uint8 // of each line
}

// ref names one item: an order's line, or the order or customer itself.
type ref struct {
	order order
	line  int8
}

// The lines of a ref that are none.
const (
	theCustomer int8 = -2
	theOrder    int8 = -1
)

func newShop(o Options) *shop {
	s := &shop{seed: o.Seed, catalog: make([]product, o.Products)}
	if o.Live > 0 {
		s.houses = maxHouses
	}
	for i := range s.catalog {
		r := derive(s.seed, domainProduct, i)
		s.catalog[i] = product{
			id:       r.uuid(),
			name:     pick(&r, qualities) + " " + pick(&r, substances) + " " + pick(&r, things),
			category: pick(&r, categories),
			color:    pick(&r, colors),
			cents:    int64(199 + r.below(49_800)),
		}
	}
	return s
}

// walk visits the first n items of the table: each customer, then its orders,
// each with its lines. An order that would not fit is cut short. It ends early
// when visit returns false.
func (s *shop) walk(n int, visit func(ref) bool) {
	for c := int32(0); n > 0; c++ {
		if !visit(ref{order{customer: c}, theCustomer}) {
			return
		}
		n--
		r := derive(s.seed, domainCart, int(c))
		for o := range pick(&r, ordersPerCustomer) {
			lines := min(s.lineCount(c, o), int8(min(n-1, maxLines)))
			if lines < 1 {
				break
			}
			placed := order{customer: c, number: o, lines: lines}
			for line := theOrder; line < lines; line++ {
				if !visit(ref{placed, line}) {
					return
				}
			}
			n -= 1 + int(lines)
		}
	}
}

// Every entry is as likely as the others: 2.2 orders a customer, 3 lines an order.
var (
	ordersPerCustomer = []int16{0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 4, 4, 8}
	linesPerOrder     = []int8{1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 6}
)

func (s *shop) lineCount(customer int32, number int16) int8 {
	r := derive(s.seed, domainCart, int(customer), int(number))
	return pick(&r, linesPerOrder)
}

// appendUser appends the customer's user name.
func (s *shop) appendUser(b []byte, customer int32) []byte {
	r := derive(s.seed, domainCustomer, int(customer))
	b = append(b, pick(&r, firstHandles)...)
	b = append(b, '.')
	b = append(b, pick(&r, lastHandles)...)
	return strconv.AppendInt(b, 100_000+int64(customer), 10)
}

func (s *shop) orderID(o *order) uuid {
	r := derive(s.seed, domainOrder, int(o.customer), int(o.number))
	return r.uuid()
}

// product returns what the order's line sells; some products sell much better
// than others.
func (s *shop) product(o *order, line int8) *product {
	first := derive(s.seed, domainCart, int(o.customer), int(o.number), -1)
	class := (first.below(lineClasses) + int(line)) % lineClasses
	r := derive(s.seed, domainCart, int(o.customer), int(o.number), int(line))
	rows := len(s.catalog) / lineClasses
	return &s.catalog[min(r.below(rows), r.below(rows))*lineClasses+class]
}

// price is what the line cost, in cents: the product's price, give or take 15 %.
// Each revision's differs from the one before: a write that changes nothing
// makes no record.
func (s *shop) price(o *order, line int8) int64 {
	r := derive(s.seed, domainPrice, int(o.customer), int(o.number), int(line))
	percent := 85 + (r.below(31)+7*int(o.revisions[line]))%31
	return s.product(o, line).cents * int64(percent) / 100
}

func (s *shop) amount(o *order) (cents int64) {
	for line := range o.lines {
		cents += s.price(o, line)
	}
	return cents
}

// keys makes the item's primary key.
func (s *shop) keys(it *item, r *ref) {
	it.reset()
	s.key(it, r)
}

// key adds the item's primary key.
func (s *shop) key(it *item, r *ref) {
	var buf [64]byte
	switch r.line {
	case theCustomer:
		user := s.appendUser(buf[:0], r.order.customer)
		it.id("PK", "CUST#", user)
		it.id("SK", "CUST#", user)
	case theOrder:
		id := s.orderID(&r.order)
		it.id("PK", "CUST#", s.appendUser(buf[:0], r.order.customer))
		it.id("SK", "ORD#", id[:])
	default:
		id := s.orderID(&r.order)
		it.id("PK", "ORD#", id[:])
		it.id("SK", "PROD#", s.product(&r.order, r.line).id[:])
	}
}

// render makes the item. revision is the customer's; an order carries its own.
func (s *shop) render(it *item, r *ref, revision int) {
	s.keys(it, r)
	switch r.line {
	case theCustomer:
		s.customer(it, r.order.customer, revision)
	case theOrder:
		s.order(it, &r.order)
	default:
		s.line(it, &r.order, r.line)
	}
}

// customer adds a customer's attributes: with every second revision it moves
// house, with the others it changes the mail address.
func (s *shop) customer(it *item, customer int32, revision int) {
	var buf [96]byte
	user := s.appendUser(buf[:0], customer)
	r := derive(s.seed, domainCustomer, int(customer))
	first, last := pick(&r, firstNames), pick(&r, lastNames)
	it.str("type", "customer")
	it.id("username", "", user)
	it.str("fullname", first+" "+last)
	if n := (revision + 1) / 2; n > 0 {
		user = strconv.AppendInt(append(user, '+'), int64(n), 10)
	}
	user = append(append(user, '@'), pick(&r, mailHosts)...)
	it.id("email", "", user)
	it.time("createdat", opening-int64(r.below(500*86_400)))
	it.str("locale", pick(&r, locales))

	house := revision / 2
	if s.houses > 0 {
		house %= s.houses
	}
	a := derive(s.seed, domainAddress, int(customer), house)
	town := towns[a.below(len(towns))]
	postcode := []byte(town.postcode)
	for i, form := range postcode {
		switch form {
		case 'A':
			postcode[i] = byte('A' + a.below(26))
		case '9':
			postcode[i] = byte('0' + a.below(10))
		}
	}
	it.object("address", [2]string{"buildingnumber", strconv.Itoa(1 + a.below(999))}, [2]string{"street", pick(&a, streets)},
		[2]string{"city", town.city}, [2]string{"country", town.country}, [2]string{"postcode", string(postcode)})
}

// orderTime is when the order was placed, in seconds since 1970.
func (s *shop) orderTime(o *order) int64 {
	r := derive(s.seed, domainOrderDate, int(o.customer), int(o.number))
	return opening + int64(r.below(orderDays*86_400))
}

// order adds an order's attributes.
func (s *shop) order(it *item, o *order) {
	id := s.orderID(o)
	it.id("GSIPK", "ORD#", id[:])
	it.id("GSISK", "ORD#", id[:])
	it.str("type", "order")
	it.id("orderid", "", id[:])
	it.time("orderdate", s.orderTime(o))
	it.time("createdat", s.orderTime(o))
	it.str("currency", "USD")
	it.num("numberofitems", int64(o.lines)*100, true)
	it.num("amount", s.amount(o), true)
	it.str("status", statuses[int(o.status)%len(statuses)])
}

// line adds the attributes of an order's line.
func (s *shop) line(it *item, o *order, line int8) {
	id := s.orderID(o)
	p := s.product(o, line)
	it.id("GSIPK", "ORD#", id[:])
	it.id("GSISK", "PROD#", p.id[:])
	it.str("type", "product")
	it.id("orderid", "", id[:])
	it.id("productid", "", p.id[:])
	it.str("productname", p.name)
	it.str("category", p.category)
	it.num("price", s.price(o, line), true)
	it.str("color", p.color)
	it.time("createdat", s.orderTime(o))
	it.str("currency", "USD")
}

// itemType is the value of the attribute `type`.
func (r *ref) itemType() string {
	switch r.line {
	case theCustomer:
		return "customer"
	case theOrder:
		return "order"
	default:
		return "product"
	}
}
