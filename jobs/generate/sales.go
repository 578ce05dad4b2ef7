package generate

import (
	"context"
	"io"
	"strconv"
	"time"
)

// The choices of sales. Regions has the quirk of a forgotten comma.
var (
	saleCountries  = []string{"United Arab Emirates", "China", "India", "United Kingdom", "United States of America"}
	saleGoods      = []string{"Snacks", "Cereals", "Cosmetics", "Fruits", "Clothes", "Babycare", "Household"}
	salePriorities = []string{"H", "L", "M", "C"}
	saleRegions    = []string{"AsiaEurope", "Americas", "Middle Eastern", "Africa"}
	salePrices     = []int64{693, 905, 1458, 2190, 3128, 4817, 8164, 10_928, 15_406, 20_570, 25_528, 42_189, 43_720, 65_121, 66_827}
)

// Sales writes Records sales as JSON objects, one a line. They are what a
// hand-made feed sends: keys repeat, numbers come as text, dates have no
// leading zeros and two-digit years ("1/4/10"), the sales channel holds goods,
// and three in seven impression times have months past 12.
func Sales(ctx context.Context, w io.Writer, o Options) (Stats, error) {
	stats := Stats{Kind: "sales", Form: "json"}
	o, err := o.withDefaults(defaultSales, "")
	if err != nil {
		return stats, err
	}
	out := newLines(ctx, w)
	for i := range o.Records {
		r := derive(o.Seed, domainSale, i)
		out.buf = appendSale(out.buf, &r, o.Keys)
		if !out.end() {
			break
		}
	}
	return stats, out.finish(&stats)
}

// saleKey is the attribute that tells sales apart.
const saleKey = "uuid"

var salesStart = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)

// salesDays is how many days sales are spread over: seven years.
const salesDays = 7*365 + 2

func appendSale(b []byte, r *source, keys int) []byte {
	text := func(name, value string) {
		b = appendName(b, name)
		b = appendQuoted(b, value)
	}
	date := func(name string, day int) {
		b = appendName(b, name)
		b = append(b, '"')
		b = salesStart.AddDate(0, 0, day).AppendFormat(b, "1/2/06")
		b = append(b, '"')
	}
	money := func(name string, cents int64) {
		b = appendName(b, name)
		b = append(b, '"')
		b = appendHundredths(b, cents, true)
		b = append(b, '"')
	}
	b = append(b, `{"uuid": `...)
	b = strconv.AppendInt(b, int64(r.below(keys)), 10)
	text("country", pick(r, saleCountries))
	text("itemtype", pick(r, saleGoods))
	text("saleschannel", pick(r, saleGoods))
	text("orderpriority", pick(r, salePriorities))
	ordered := r.below(salesDays)
	date("orderdate", ordered)
	text("region", pick(r, saleRegions))
	date("shipdate", ordered+r.below(50))
	sold, price := int64(1+r.below(9999)), pick(r, salePrices)
	cost := price * int64(50+r.below(40)) / 100
	money("unitssold", sold*100)
	money("unitprice", price)
	money("unitcost", cost)
	money("totalrevenue", sold*price)
	money("totalcost", sold*cost)
	money("totalprofit", sold*(price-cost))
	b = appendName(b, "impressiontime")
	b = append(b, `"2022-`...)
	for _, field := range [...]struct {
		value int
		after string
	}{{9 + r.below(7), "-"}, {1 + r.below(28), "T"}, {r.below(24), ":"}, {r.below(60), ":"}, {r.below(60), "Z\"}\n"}} {
		b = append(b, byte('0'+field.value/10), byte('0'+field.value%10))
		b = append(b, field.after...)
	}
	return b
}

// appendName appends the name of a further field, spaced as scripts print it.
func appendName(b []byte, name string) []byte {
	b = append(b, `, "`...)
	b = append(b, name...)
	return append(b, `": `...)
}

// The countries that sales are joined to. Two of those that sales name are not
// among them, and one goes by another name.
var countries = []struct{ code, name, combined, updated string }{
	{"IN", "India", "IN-India", "IN-IND-India"},
	{"US", "USA", "US-USA", "US-USA-US"},
	{"CA", "Canada", "CA-Canada", "CA-CAN-Canada"},
	{"CN", "China", "CN-China", "CN-CHN-China"},
}

// Countries writes the table that sales are joined to as JSON objects, one a
// line; with Updated, as it is after the known ones were renamed. Records past the
// four that are known are made up.
func Countries(ctx context.Context, w io.Writer, o Options) (Stats, error) {
	stats := Stats{Kind: "countries", Form: "json"}
	o, err := o.withDefaults(defaultCountries, "")
	if err != nil {
		return stats, err
	}
	out := newLines(ctx, w)
	for i := range o.Records {
		number := strconv.Itoa(i + 1)
		code, name := "X"+number, "Country "+number
		combined := code + "-" + name
		if i < len(countries) {
			known := countries[i]
			code, name, combined = known.code, known.name, known.combined
			if o.Updated {
				combined = known.updated
			}
		}
		for _, field := range [...][2]string{{`{"code":`, code}, {`,"countryname":`, name}, {`,"combinedname":`, combined}} {
			out.buf = append(out.buf, field[0]...)
			out.buf = appendQuoted(out.buf, field[1])
		}
		out.buf = append(out.buf, '}', '\n')
		if !out.end() {
			break
		}
	}
	return stats, out.finish(&stats)
}
