package generate

import (
	"context"
	"io"
	"strconv"
	"time"
)

// insuranceStart is the creation time of the first record; each comes a
// millisecond after the one before.
var insuranceStart = time.Date(2022, 7, 8, 0, 0, 0, 0, time.UTC)

// calculated is when the sample's calculations were last made.
var calculated = insuranceStart.Unix()

// dependents is the number of dependents of a transaction. Every entry is as
// likely as the others.
var dependents = []int{0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 4, 4, 8}

// InsuranceCDC writes Records changes of a table of insurance transactions, as
// DynamoDB delivers them through Kinesis. Seven in ten insert, a quarter modify
// and one in twenty removes; a removal has an old image only, the others a new
// one only. A quarter of the modifications lack attributes. The list of
// dependents is empty, absent, or under an absent parent now and then.
func InsuranceCDC(ctx context.Context, w io.Writer, o Options) (Stats, error) {
	stats := Stats{Kind: "insurance", Form: "cdc", Events: map[string]int64{}}
	o, err := o.withDefaults(defaultChanges, "insurance")
	if err != nil {
		return stats, err
	}
	out := newLines(ctx, w)
	var keys, image item
	image.bare = o.BareNumbers
	for i := range o.Records {
		r := derive(o.Seed, domainInsurance, i)
		c := change{id: r.uuid(), table: o.Table, created: insuranceStart.UnixMilli() + int64(i), keys: &keys}
		switch n := r.below(20); {
		case n < 14:
			c.event, c.newImage = insert, &image
		case n < 19:
			c.event, c.newImage = modify, &image
		default:
			c.event, c.oldImage = remove, &image
		}
		t := newTransaction(o.Seed, r.below(o.Transactions), o.Transactions)
		t.keys(&keys)
		listed := t.render(&image, &r, c.event == modify && r.below(4) == 0)
		if c.event == remove {
			listed = 0
		}
		stats.Events[c.event]++
		stats.RowsAfterOuterUnnest += int64(max(1, listed))
		if o.Shuffle {
			c.order = &r
		}
		out.buf = c.appendTo(out.buf)
		if !out.end() {
			break
		}
	}
	return stats, out.finish(&stats)
}

// InsuranceItems writes Records transactions as plain JSON objects, one a line.
func InsuranceItems(ctx context.Context, w io.Writer, o Options) (Stats, error) {
	stats := Stats{Kind: "insurance", Form: "json", Items: map[string]int64{}}
	o, err := o.withDefaults(defaultItems, "insurance")
	if err != nil {
		return stats, err
	}
	out := newLines(ctx, w)
	it := item{plain: true}
	for i := range o.Records {
		stats.Items[o.transaction(&it, &i)]++
		out.buf = it.appendTo(out.buf, o.attributeOrder(uint64(out.count)))
		out.buf = append(out.buf, '\n')
		if !out.end() {
			break
		}
	}
	return stats, out.finish(&stats)
}

// InsuranceExport writes a full export of the same transactions below dir.
func InsuranceExport(ctx context.Context, dir string, o Options) (Stats, error) {
	stats := Stats{Kind: "insurance", Form: "export", Items: map[string]int64{}}
	o, err := o.withDefaults(defaultItems, "insurance")
	if err != nil {
		return stats, err
	}
	items := make([]placement[int], o.Records)
	for i := range items {
		t := newTransaction(o.Seed, i, o.Records)
		items[i] = placement[int]{hash: scramble(o.Seed + scramble(uint64(t.customer))), rank: uint64(i), ref: i}
	}
	scanOrder(items)
	return stats, writeExport(ctx, dir, o, items, &stats, o.transaction)
}

// transaction renders the i-th item of the table.
func (o Options) transaction(it *item, i *int) string {
	it.bare = o.BareNumbers
	t := newTransaction(o.Seed, *i, o.Records)
	r := derive(o.Seed, domainTransaction, *i, 0)
	t.render(it, &r, false)
	return "transaction"
}

// transaction is what all records of one transaction have in common.
type transaction struct {
	number, customer int
	completed        int64 // in seconds since 1970
	firstDependent   int
}

func newTransaction(seed uint64, number, of int) transaction {
	r := derive(seed, domainTransaction, number)
	return transaction{
		number:         number,
		customer:       1 + r.below(of/3+1),
		completed:      insuranceStart.Unix() + int64(number%86_400),
		firstDependent: r.below(1_000_000),
	}
}

// keys makes the primary key.
func (t *transaction) keys(it *item) {
	it.reset()
	t.key(it)
}

func (t *transaction) key(it *item) {
	var buf [64]byte
	it.id("pk", "CUSTOMER#CUST_", strconv.AppendInt(buf[:0], int64(t.customer), 10))
	sk := append(appendTime(buf[:0], t.completed), "#CUST_"...)
	it.id("sk", "TRANSACTION#", strconv.AppendInt(sk, int64(t.number), 10))
}

// render makes an image, drawing what differs from record to record, and
// returns the number of dependents. A partial one lacks attributes.
func (t *transaction) render(it *item, r *source, partial bool) (listed int) {
	var buf [32]byte
	it.reset()
	it.time("completionDateTime", t.completed)
	if !partial {
		it.num("OutofPockPercent", int64(r.below(10_000)), false)
	}
	switch n := r.below(20); n {
	case 0: // no calculationRequirements at all
	case 1: // no dependentIds in them
		it.open("calculationRequirements")
		it.wrap("M", func() { it.text = append(it.text, `{}`...) })
		it.shut()
	default:
		listed = pick(r, dependents)
		t.requirements(it, listed)
	}
	it.str("Event", "SAMPLE")
	if !partial {
		it.id("Provider", "PV-", strconv.AppendInt(buf[:0], int64(r.below(2000)), 10))
	}
	it.num("OutofPockAmount", int64(r.below(5000))*100, true)
	it.time("lastCalculationDateTime", calculated)
	it.num("OutofPockMax", int64(1+r.below(20))*500*100, true)
	t.key(it)
	return listed
}

// requirements adds the attribute with the list of dependents, all different.
func (t *transaction) requirements(it *item, listed int) {
	it.open("calculationRequirements")
	start := len(it.text)
	it.wrap("M", func() {
		it.text = append(it.text, `{"dependentIds":`...)
		it.wrap("L", func() {
			it.text = append(it.text, '[')
			for i := range listed {
				if i > 0 {
					it.text = append(it.text, ',')
				}
				it.wrap("M", func() { t.dependent(it, i) })
			}
			it.text = append(it.text, ']')
		})
		it.text = append(it.text, '}')
	})
	it.size += len(it.text) - start
	it.shut()
}

// dependent adds the key of the transaction's i-th dependent.
func (t *transaction) dependent(it *item, i int) {
	it.text = append(it.text, `{"sk":`...)
	it.wrap("S", func() {
		it.text = append(it.text, `"CUSTOMER#`...)
		it.text = appendTime(it.text, t.completed)
		it.text = append(it.text, "#CUST_"...)
		it.text = strconv.AppendInt(it.text, int64((t.firstDependent+i*104_729)%1_000_000), 10)
		it.text = append(it.text, '"')
	})
	it.text = append(it.text, `,"pk":`...)
	it.wrap("S", func() {
		it.text = append(it.text, `"CUSTOMER#CUST_`...)
		it.text = strconv.AppendInt(it.text, int64(t.customer), 10)
		it.text = append(it.text, '"')
	})
	it.text = append(it.text, '}')
}
