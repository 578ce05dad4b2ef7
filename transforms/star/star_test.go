package star

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// shop is the star of an order line that finds its customer through its order.
type shop struct {
	customer, order, line *pipeline.Table
	cfg                   Config
}

func newShop(t reporter) *shop {
	s := &shop{
		customer: pipelinetest.Table("customer", "username", "username string", "fullname string", "country string", "postcode string"),
		order:    pipelinetest.Table("order", "orderid", "orderid string", "username string", "orderdate date"),
		line:     pipelinetest.Table("line", "orderid,productid", "orderid string", "productid string", "product string", "price int64"),
	}
	s.cfg = Config{
		Dimensions: spec.Map[DimensionConfig]{
			{Name: "dim_customer", Value: DimensionConfig{From: "customer", NaturalKey: []string{"username"}, SurrogateKey: "customer_key", Attributes: []string{"fullname"}}},
			{Name: "dim_address", Value: DimensionConfig{From: "customer", NaturalKey: []string{"country", "postcode"}, SurrogateKey: "address_key"}},
			{Name: "dim_product", Value: DimensionConfig{From: "line", NaturalKey: []string{"productid"}, SurrogateKey: "product_key", Attributes: []string{"product"}}},
			{Name: "dim_date", Value: DimensionConfig{SurrogateKey: "date_key", Calendar: &CalendarConfig{From: "2023-01-01", To: "2023-01-03", FiscalYearStarts: "january"}}},
		},
		Facts: spec.Map[FactConfig]{{Name: "fact", Value: FactConfig{
			From: "line", Grain: []string{"orderid", "productid"},
			Lookups: spec.Map[LookupConfig]{
				{Name: "ord", Value: LookupConfig{Table: "order", On: on("orderid", "orderid")}},
				{Name: "cust", Value: LookupConfig{Table: "customer", On: on("username", "ord.username")}},
			},
			Dimensions: spec.Map[MemberConfig]{
				{Name: "customer_key", Value: MemberConfig{Dimension: "dim_customer", On: OnConfig{NaturalKey: on("username", "ord.username")}}},
				{Name: "address_key", Value: MemberConfig{Dimension: "dim_address", On: OnConfig{NaturalKey: on("country", "cust.country", "postcode", "cust.postcode")}}},
				{Name: "product_key", Value: MemberConfig{Dimension: "dim_product", On: OnConfig{NaturalKey: on("productid", "productid")}}},
				{Name: "date_key", Value: MemberConfig{Dimension: "dim_date", On: OnConfig{Date: "ord.orderdate"}}},
			},
			Measures: spec.Map[MeasureConfig]{{Name: "price", Value: MeasureConfig{Column: "price"}}},
		}}},
	}
	return s
}

func (s *shop) compile(t reporter) *Star {
	t.Helper()
	star, err := New("star", s.cfg, []*pipeline.Table{s.customer, s.order, s.line})
	if err != nil {
		t.Fatal(err)
	}
	return star
}

func (s *shop) addCustomer(at int64, username, fullname, country, postcode string) event {
	return event{table: s.customer, key: username, row: fmt.Sprintf(`{"username":%q,"fullname":%q,"country":%q,"postcode":%q}`, username, fullname, country, postcode), time: at}
}

func (s *shop) addOrder(at int64, orderid, username, date string) event {
	return event{table: s.order, key: orderid, row: fmt.Sprintf(`{"orderid":%q,"username":%q,"orderdate":%q}`, orderid, username, date), time: at}
}

func (s *shop) addLine(at int64, orderid, productid, product string, price int64) event {
	return event{table: s.line, key: orderid + "/" + productid, row: fmt.Sprintf(`{"orderid":%q,"productid":%q,"product":%q,"price":%d}`, orderid, productid, product, price), time: at}
}

// TestOrderOfArrival: lookups are found whichever arrives first, and nothing is
// emitted twice.
func TestOrderOfArrival(t *testing.T) {
	for _, bounded := range []bool{false, true} {
		t.Run(fmt.Sprint("bounded ", bounded), func(t *testing.T) {
			s := newShop(t)
			h := newHarness(t, s.compile(t), bounded)
			h.epoch(false, s.addLine(3, "o1", "p1", "Pen", 5))
			if bounded {
				h.want("fact")
			} else {
				h.want("fact", "o1|p1|0|0|1|0|5")
			}
			h.restart()
			h.epoch(false, s.addOrder(2, "o1", "ann", "2023-01-02"))
			if !bounded {
				h.want("fact", "o1|p1|1|0|1|20230102|5")
				h.want("dim_customer", "0|null|null|false", "1|ann|null|true")
			}
			h.restart()
			h.epoch(false, s.addCustomer(1, "ann", "Ann", "NL", "1011"))
			h.want("fact", "o1|p1|1|1|1|20230102|5")
			h.want("dim_customer", "0|null|null|false", "1|ann|Ann|false")
			h.want("dim_address", "0|null|null|false", "1|NL|1011|false")
			h.want("dim_product", "0|null|null|false", "1|p1|Pen|false")
			h.epoch(true)
			if want := map[bool]int{true: 1, false: 1}[bounded]; h.view.Counts["fact insert"] != want || bounded && h.view.Counts["fact update"] != 0 {
				t.Errorf("operations are %v", h.view.Counts)
			}
		})
	}
}

// TestLookupsThatNeverCome: facts whose lookups never come are emitted at the end.
func TestLookupsThatNeverCome(t *testing.T) {
	s := newShop(t)
	h := newHarness(t, s.compile(t), true)
	h.epoch(false, s.addLine(1, "o1", "p1", "Pen", 5), s.addLine(2, "o2", "p2", "Ink", 7), s.addOrder(3, "o2", "bob", "2024-01-01"))
	h.restart()
	h.epoch(true)
	pen, ink := h.key("dim_product", "p1"), h.key("dim_product", "p2")
	h.want("fact", "o1|p1|0|0|"+pen+"|0|5", "o2|p2|1|0|"+ink+"|0|7")
	h.want("dim_customer", "0|null|null|false", "1|bob|null|true")
	h.epoch(true, s.addCustomer(4, "bob", "Bob", "NL", "1011"))
	h.want("fact", "o1|p1|0|0|"+pen+"|0|5", "o2|p2|1|1|"+ink+"|0|7")
}

// TestRejectedChanges: of late changes those that became dead letters bring nothing, though
// they are newer than others of their members.
func TestRejectedChanges(t *testing.T) {
	s := newShop(t)
	h := newHarness(t, s.compile(t), false)
	late := func(e event) event { e.late = true; return e }
	h.rejected = []int64{1, 3}
	h.feed([]event{
		s.addCustomer(1, "ann", "Ann", "NL", "1011"),
		late(s.addCustomer(3, "ann", "dead", "NL", "1012")),
		late(s.addCustomer(2, "ann", "Anne", "NL", "1013")),
		late(s.addCustomer(4, "bob", "dead", "NL", "1014")),
		late(s.addCustomer(5, "cee", "Cee", "NL", "1011")),
	})
	h.finish(false)
	h.want("dim_customer", "0|null|null|false", h.key("dim_customer", "ann")+"|ann|Anne|false", h.key("dim_customer", "cee")+"|cee|Cee|false")
	h.want("dim_address", "0|null|null|false", h.key("dim_address", "NL", "1011")+"|NL|1011|false", h.key("dim_address", "NL", "1013")+"|NL|1013|false")
}

// TestDeletes: a deleted order takes its values out of the facts, a deleted
// line the fact.
func TestDeletes(t *testing.T) {
	s := newShop(t)
	h := newHarness(t, s.compile(t), false)
	h.epoch(false, s.addCustomer(1, "ann", "Ann", "NL", "1011"), s.addOrder(2, "o1", "ann", "2023-01-02"), s.addLine(3, "o1", "p1", "Pen", 5))
	h.want("fact", "o1|p1|1|1|1|20230102|5")
	h.epoch(false, event{table: s.order, key: `{"orderid":"o1"}`, time: 4}, s.addOrder(4, "o2", "ann", "2023-01-03"))
	h.want("fact", "o1|p1|0|0|1|0|5")
}

// TestManyFactsOfARow: a row that many facts refer to has them in shards, and when it
// changes they are made again, once each, in however many epochs.
func TestManyFactsOfARow(t *testing.T) {
	for _, most := range []int{1, 64, factsPerEpochMax} {
		t.Run(fmt.Sprint(most), func(t *testing.T) { testManyFactsOfARow(t, most) })
	}
}

func testManyFactsOfARow(t *testing.T, most int) {
	s := newShop(t)
	h := newHarness(t, s.compile(t), false)
	h.factsPerEpoch = most
	h.restart()
	const n = 1000
	for from := 0; from < n; from += 50 {
		var events []event
		for i := from; i < from+50; i++ {
			events = append(events, s.addLine(int64(i), "o1", fmt.Sprintf("p%04d", i), "Pen", int64(i)))
		}
		h.epoch(false, events...)
	}
	h.epoch(false, s.addOrder(2000, "o1", "ann", "2023-01-02"), s.addCustomer(2000, "ann", "Ann", "NL", "1011"))
	products := h.keys("dim_product", 1)
	product := func(i int) string { return products[fmt.Sprintf("p%04d", i)] }
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("o1|p%04d|1|1|%s|20230102|%d", i, product(i), i))
	}
	h.want("fact", want...)
	if h.view.Counts["fact update"] != n {
		t.Errorf("%d updates, want one a fact", h.view.Counts["fact update"])
	}
	h.epoch(false, s.addCustomer(2001, "ann", "Anna", "NL", "1011"))
	if h.view.Counts["fact update"] != n {
		t.Errorf("facts are made again for a column that they do not use")
	}
	// Another customer, and a line and a base row of the same epoch.
	h.epoch(false, s.addOrder(2002, "o1", "bo", "2023-01-03"), s.addLine(2002, "o1", "p0000", "Pen", 7), s.addLine(2002, "o1", "q", "Quill", 9))
	for i := range n {
		want[i] = fmt.Sprintf("o1|p%04d|2|0|%s|20230103|%d", i, product(i), i)
	}
	want[0] = "o1|p0000|2|0|" + product(0) + "|20230103|7"
	h.want("fact", append(want, fmt.Sprintf("o1|q|2|0|%d|20230103|9", n+1))...)
	if h.view.Counts["fact update"] != 2*n || h.view.Counts["fact insert"] != n+1 {
		t.Errorf("%d updates and %d inserts, want %d and %d", h.view.Counts["fact update"], h.view.Counts["fact insert"], 2*n, n+1)
	}
	if further := h.furtherEpochs; (further == 0) != (most > n) || further > 4*n {
		t.Errorf("%d further epochs, of %d facts each", further, most)
	}
	// Most lines go, and what is kept of the order with them.
	entries := len(h.state[rowsSpace].(*pipelinetest.Keyspace).Entries)
	var gone []event
	for i := 3; i < n; i++ {
		gone = append(gone, event{table: s.line, key: fmt.Sprintf(`{"orderid":"o1","productid":"p%04d"}`, i), time: 2003})
	}
	h.epoch(false, gone...)
	h.epoch(false, s.addOrder(2004, "o1", "cy", "2023-01-02"))
	h.want("fact", "o1|p0000|3|0|"+product(0)+"|20230102|7", "o1|p0001|3|0|"+product(1)+"|20230102|1", "o1|p0002|3|0|"+product(2)+"|20230102|2", fmt.Sprintf("o1|q|3|0|%d|20230102|9", n+1))
	if left := len(h.state[rowsSpace].(*pipelinetest.Keyspace).Entries); left > 5 || entries <= 5 {
		t.Errorf("%d entries of rows are left of %d", left, entries)
	}
}

// TestManyDeferredFacts: facts that were deferred to the end are made in as many epochs as
// they take, whatever ends in between.
func TestManyDeferredFacts(t *testing.T) {
	s := newShop(t)
	h := newHarness(t, s.compile(t), true)
	h.factsPerEpoch = 7
	h.restart()
	var events []event
	var want []string
	for i := range 100 {
		events = append(events, s.addLine(int64(i), fmt.Sprintf("o%03d", i), "p", "Pen", 5))
		want = append(want, fmt.Sprintf("o%03d|p|0|0|1|0|5", i))
	}
	h.epoch(false, events...)
	h.want("fact")
	if h.operator.Pending(false) || !h.operator.Pending(true) {
		t.Error("only the end of the sources needs further epochs")
	}
	h.epoch(true)
	h.want("fact", want...)
	if h.furtherEpochs != 100/7 || h.view.Counts["fact insert"] != 100 {
		t.Errorf("%d further epochs and %d inserts", h.furtherEpochs, h.view.Counts["fact insert"])
	}
}

// TestChangeOfARowInTheBacklog: of a row that changes again while its facts are being made,
// all get what it has at the end; so they do when their shards have changed.
func TestChangeOfARowInTheBacklog(t *testing.T) {
	s := newShop(t)
	h := newHarness(t, s.compile(t), false)
	const n = 1000
	var events []event
	for i := range n {
		events = append(events, s.addLine(int64(i), "o1", fmt.Sprintf("p%04d", i), "Pen", 5))
	}
	h.epoch(false, append(events, s.addOrder(2000, "o1", "ann", "2023-01-01"))...)
	h.factsPerEpoch = 300
	h.restart()
	begin := func(events ...event) {
		h.feed(events)
		h.finish(false)
		if !h.operator.Pending(false) {
			t.Fatal("all facts are made in one epoch")
		}
	}
	begin(s.addOrder(2001, "o1", "bo", "2023-01-02"))
	begin(s.addOrder(2002, "o1", "cy", "2023-01-03"))
	events = nil
	for i := range 2 * n {
		events = append(events, s.addLine(int64(i), "o1", fmt.Sprintf("q%04d", i), "Pen", 5))
	}
	begin(events...)
	h.epoch(false)
	dates := map[string]int{}
	for _, row := range h.view.Lines("fact") {
		columns := strings.Split(row, "|")
		dates[columns[len(columns)-2]]++
	}
	if len(dates) != 1 || dates["20230103"] != 3*n {
		t.Errorf("facts by date: %v, want %d of 20230103", dates, 3*n)
	}
}

// TestFactsInAnyOrder: where the facts stand in the file plays no part in what
// the state means.
func TestFactsInAnyOrder(t *testing.T) {
	s := newShop(t)
	byCustomer := func(name, column string) spec.Entry[FactConfig] {
		return spec.Entry[FactConfig]{Name: name, Value: FactConfig{
			From: "order", Grain: []string{"orderid"},
			Lookups:  spec.Map[LookupConfig]{{Name: "cust", Value: LookupConfig{Table: "customer", On: on("username", "username")}}},
			Measures: spec.Map[MeasureConfig]{{Name: "of", Value: MeasureConfig{Column: "cust." + column}}},
		}}
	}
	s.cfg = Config{Facts: spec.Map[FactConfig]{byCustomer("by_country", "country"), byCustomer("by_postcode", "postcode")}}
	h := newHarness(t, s.compile(t), false)
	h.epoch(false, s.addCustomer(1, "ann", "Ann", "NL", "1011"))
	slices.Reverse(s.cfg.Facts)
	h.star = s.compile(t)
	h.restart()
	h.epoch(false, s.addOrder(2, "o1", "ann", "2023-01-02"))
	h.want("by_country", "o1|NL")
	h.want("by_postcode", "o1|1011")
	if tables := h.star.Tables(); tables[0].Name != "by_postcode" {
		t.Errorf("the first table is %s, want the order of the file", tables[0].Name)
	}
}

// TestHashedMembersSpread: the state's tables place entries by their low bits.
func TestHashedMembersSpread(t *testing.T) {
	d := &dimension{name: "d", id: idOf("d"), seed: seedOf(tagMember, "d"), hashKeys: true}
	low := map[uint64]bool{}
	for i := range 1000 {
		hash, _ := d.hashNaturalKey(nil, [][]byte{[]byte(fmt.Sprint(i))})
		key := d.stateKey(hash)
		low[key.Lo&0xfffff] = true
		if key.KeyGroup() != hash.KeyGroup() {
			t.Fatalf("the member of %x is in key group %d", hash, key.KeyGroup())
		}
	}
	if len(low) < 990 {
		t.Errorf("1000 members have %d places", len(low))
	}
}
