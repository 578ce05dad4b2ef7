package generate

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
)

// writeTruth writes the items that are left, sorted by their bytes. The order of
// the lines is that of the keys, so only keys are sorted and nothing is held
// that has been written: customers by user name, each followed by its orders,
// then the lines of all orders.
func (s *stream) writeTruth(ctx context.Context, w io.Writer) (int64, error) {
	type user struct {
		name     string
		customer int32
	}
	type placed struct {
		id    uuid
		order *order
	}
	users := make([]user, 0, len(s.customers))
	for c := range int32(len(s.customers)) {
		if !s.customers[c].gone {
			users = append(users, user{string(s.appendUser(nil, c)), c})
		}
	}
	slices.SortFunc(users, func(a, b user) int { return strings.Compare(a.name, b.name) })
	orders := make([]placed, len(s.orders))
	byCustomer := make([][]int32, len(s.customers))
	for i := range s.orders {
		orders[i] = placed{s.orderID(&s.orders[i]), &s.orders[i]}
	}
	slices.SortFunc(orders, func(a, b placed) int { return bytes.Compare(a.id[:], b.id[:]) })
	for i, o := range orders {
		byCustomer[o.order.customer] = append(byCustomer[o.order.customer], int32(i))
	}

	t := truth{shop: s.shop, out: newLines(ctx, w)}
	for _, u := range users {
		t.write(&ref{order{customer: u.customer}, theCustomer}, int(s.customers[u.customer].revision))
		for _, i := range byCustomer[u.customer] {
			t.write(&ref{*orders[i].order, theOrder}, 0)
		}
	}
	for _, o := range orders {
		lines := make([]int8, o.order.lines)
		for line := range o.order.lines {
			lines[line] = line
		}
		slices.SortFunc(lines, func(a, b int8) int {
			return bytes.Compare(s.product(o.order, a).id[:], s.product(o.order, b).id[:])
		})
		for _, line := range lines {
			t.write(&ref{*o.order, line}, 0)
		}
	}
	var stats Stats
	err := t.out.finish(&stats)
	return stats.Records, err
}

// truth writes items as {"Item": …} lines.
type truth struct {
	*shop
	out  *lines
	item item
}

func (t *truth) write(r *ref, revision int) {
	if t.out.err != nil {
		return
	}
	t.render(&t.item, r, revision)
	t.out.buf = appendItemLine(t.out.buf, &t.item, nil)
	t.out.end()
}

// appendItemLine appends a line as exports have it.
func appendItemLine(b []byte, it *item, order *source) []byte {
	b = append(b, `{"Item":`...)
	b = it.appendTo(b, order)
	return append(b, '}', '\n')
}
