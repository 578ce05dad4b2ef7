package jobs

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/starlift-etl/starlift/jobs/internal/oracle"
)

// oraclePipelines are the pipelines of testdata/oracle with what they get.
var oraclePipelines = []oraclePipeline{
	{name: "shop", domain: shopDomain, expressions: map[string]oracle.Expression{
		"price * quantity": func(v oracle.Row) (string, bool) {
			return compute(v, 2, func(n ...*big.Rat) *big.Rat { return n[0].Mul(n[0], n[1]) }, "price", "quantity")
		},
	}},
	{name: "hash", domain: dealDomain},
	{name: "lists", domain: basketDomain},
	{name: "nested", domain: stationDomain},
	{name: "guarded", domain: deviceDomain, conditions: deviceConditions},
	{name: "itself", domain: employeeDomain},
	{name: "moving", domain: claimDomain, expressions: claimExpressions},
	{name: "ignoring", domain: claimDomain, expressions: claimExpressions},
	{name: "merging", domain: mergeDomain},
	{name: "members", domain: visitDomain},
	{name: "plain", domain: basketDomain},
	{name: "expiring", domain: offerDomain},
	{name: "typed", domain: thingDomain, expressions: map[string]oracle.Expression{
		"units * 2": func(v oracle.Row) (string, bool) {
			twice, ok := compute(v, 0, func(n ...*big.Rat) *big.Rat { return n[0].Add(n[0], n[0]) }, "units")
			return twice, ok && len(twice) < len("4294967294")
		},
	}},
}

// compute applies f to numbers; null where one of them is.
func compute(values oracle.Row, scale int, f func(...*big.Rat) *big.Rat, columns ...string) (string, bool) {
	var numbers []*big.Rat
	for _, c := range columns {
		text, ok := values[c]
		if !ok {
			return "", false
		}
		n, ok := new(big.Rat).SetString(text)
		if !ok {
			panic(fmt.Sprintf("%s is %q, which is no number", c, text))
		}
		numbers = append(numbers, n)
	}
	return f(numbers...).FloatString(scale), true
}

// one is an item of the table: PK and SK are its key.
func one(pk string, fixed oracle.Image) oracle.Identity {
	return oracle.Identity{Key: oracle.Image{"PK": pk, "SK": "-"}, Fixed: fixed}
}

// numbered are items with keys from a prefix and 1, all of one type.
func numbered(prefix string, n int, fixed oracle.Image) []oracle.Identity {
	var all []oracle.Identity
	for i := range n {
		all = append(all, one(fmt.Sprint(prefix, i+1), fixed))
	}
	return all
}

func attribute(name string, values ...any) oracle.Attribute {
	return oracle.Attribute{Name: name, Values: values}
}

func number(n string) json.Number { return json.Number(n) }

func address(country, zip any) map[string]any {
	a := map[string]any{"country": country}
	if zip != oracle.Missing {
		a["zip"] = zip
	}
	return a
}

var shopDomain = oracle.Domain{
	{Items: numbered("CUST#", 2, oracle.Image{"type": "customer"}), Attributes: []oracle.Attribute{
		attribute("fullname", "Ann", "Bob", oracle.Missing),
		attribute("address", address("NL", "1"), address("NL", "2"), address("DE", "1"), address("DE", oracle.Missing), oracle.Missing),
	}},
	{Items: numbered("ORDER#", 2, oracle.Image{"type": "order"}), Attributes: []oracle.Attribute{
		attribute("username", "1", "2", "3", nil),
		attribute("orderdate", "2024-02-01T10:00:00Z", "2024-01-31T23:59:59.5Z", "2023-12-31T00:00:00Z", oracle.Missing),
	}},
	{Items: numbered("LINE#", 3, oracle.Image{"type": "line"}), Attributes: []oracle.Attribute{
		attribute("orderid", "1", "2", "3"), attribute("productid", "p", "q"),
		attribute("product", "Pen", "Ink", oracle.Missing),
		attribute("price", number("1.5"), number("2"), oracle.Missing), attribute("quantity", number("3"), number("-1")),
	}},
}

var dealDomain = oracle.Domain{
	{Items: numbered("p", 3, oracle.Image{"type": "person"}), Attributes: []oracle.Attribute{
		attribute("name", "Ann", "Bob"), attribute("town", "Ede", "Urk", oracle.Missing),
	}},
	{Items: numbered("d", 3, oracle.Image{"type": "deal"}), Attributes: []oracle.Attribute{
		attribute("buyer", "p1", "p2", "p9", oracle.Missing), attribute("seller", "p1", "p2", "p3"), attribute("amount", number("1"), number("2")),
	}},
}

func part(id string, n string) map[string]any {
	return map[string]any{"id": id, "n": number(n)}
}

var basketDomain = oracle.Domain{
	{Items: numbered("b", 3, nil), Attributes: []oracle.Attribute{
		attribute("shop", "s", "t", oracle.Missing),
		attribute("parts", []any{part("x", "1")}, []any{part("x", "2"), part("y", "3")}, []any{part("y", "4"), part("z", "5")}, []any{}, oracle.Missing,
			[]any{part("x", "6"), part("x", "7")}), // the last is a dead letter
		attribute("tags", oracle.Set{"x"}, oracle.Set{"y", "x"}, []any{"y", "y", nil}, oracle.Missing),
	}},
}

func readings(note string, values any) map[string]any {
	return map[string]any{"note": note, "values": values}
}

// stationDomain has maps of lists, some with a value that is no list, or no number.
var stationDomain = oracle.Domain{
	{Items: numbered("s", 3, nil), Attributes: []oracle.Attribute{
		attribute("days", map[string]any{"d1": readings("dry", []any{part("x", "1")})}, "none", oracle.Missing, map[string]any{},
			map[string]any{"d2": readings("wet", []any{part("y", "2"), map[string]any{"id": "z", "n": "many"}}), "d1": readings("hot", []any{})},
			map[string]any{"d1": readings("cold", []any{part("z", "4"), map[string]any{"n": number("5")}}), "d3": map[string]any{"note": "new"}},
			map[string]any{"d2": readings("odd", "text")}), // in the table of readings a dead letter
	}},
}

// deviceDomain has levels of which no condition can be computed, and items that are to be ignored.
var deviceDomain = oracle.Domain{
	{Items: numbered("d", 4, nil), Attributes: []oracle.Attribute{
		attribute("kind", "device", "device", "device", "guard", "other"), attribute("level", number("1"), number("5"), "high", nil, oracle.Missing),
		attribute("place", map[string]any{"city": "Ede"}, map[string]any{"city": "Urk", "zip": "1"}, map[string]any{}, "Ede", oracle.Missing),
		attribute("tags", oracle.Set{"b", "a"}, []any{part("x", "1")}, oracle.Missing), attribute("parts", []any{part("x", "1")}, []any{part("y", "2"), part("x", "3")}, oracle.Missing),
	}},
}

var deviceConditions = map[string]oracle.Condition{
	"level > 2":  func(im oracle.Image) (bool, error) { return above2(im["level"]) },
	"level <= 2": func(im oracle.Image) (bool, error) { return atMost2(im["level"]) },
}

func above2(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case json.Number:
		return v == "5", nil
	}
	return false, fmt.Errorf("%v is no number", v)
}

func atMost2(v any) (bool, error) {
	above, err := above2(v)
	return v != nil && !above && err == nil, err
}

var employeeDomain = oracle.Domain{
	{Items: numbered("e", 4, nil), Attributes: []oracle.Attribute{
		attribute("id", "1", "2", "3"), attribute("name", "Ann", "Bob", "Cis"),
		attribute("boss", "1", "2", "3", "4", oracle.Missing), attribute("hired", "2024-02-01T10:00:00Z", "2024-02-09T10:00:00Z", oracle.Missing),
	}},
}

// claimDomain has items of a kind that no table wants, amounts that are no
// numbers, and codes that are missing.
var claimDomain = oracle.Domain{
	{Items: numbered("c", 4, nil), Attributes: []oracle.Attribute{
		attribute("kind", "offer", "claim", "both", "note"), attribute("code", "1", "2", "3", "1", "2", oracle.Missing),
		attribute("party", "p", "q", oracle.Missing), attribute("amount", number("1"), number("2"), number("3"), "many", oracle.Missing),
		attribute("since", "2024-02-01T10:00:00Z", "soon", oracle.Missing),
	}},
}

// mergeDomain has items that meet in few codes, with many values missing.
var mergeDomain = oracle.Domain{
	{Items: numbered("c", 3, nil), Attributes: []oracle.Attribute{
		attribute("kind", "claim", "claim", "both", "offer", "note"), attribute("code", "1", "1", "1", "2"),
		attribute("party", "p", "q", oracle.Missing, oracle.Missing), attribute("amount", number("1"), number("2"), number("3"), oracle.Missing, oracle.Missing),
		attribute("since", "2024-02-01T10:00:00Z", "soon", oracle.Missing),
	}},
}

var claimExpressions = map[string]oracle.Expression{
	"amount - (c.amount ?? 0)": func(v oracle.Row) (string, bool) {
		if _, ok := v["c.amount"]; !ok {
			v = oracle.Row{"amount": v["amount"], "c.amount": "0"}
		}
		if v["amount"] == "" {
			return "", false
		}
		return compute(v, 0, func(n ...*big.Rat) *big.Rat { return n[0].Sub(n[0], n[1]) }, "amount", "c.amount")
	},
}

// offerDomain has items that expire, none of which is bad.
var offerDomain = oracle.Domain{
	{Items: numbered("o", 3, nil), Expires: true, Attributes: []oracle.Attribute{
		attribute("kind", "offer", "offer", "claim"), attribute("code", "1", "1", "2"), attribute("party", "p", "q", oracle.Missing),
		attribute("parts", []any{part("x", "1")}, []any{part("x", "2"), part("y", "3")}, []any{}),
	}},
}

// thingDomain has owners that are written in two ways, and of each type values that are none.
var thingDomain = oracle.Domain{
	{Items: numbered("t", 4, nil), Attributes: []oracle.Attribute{
		attribute("owner", "0000000A-0000-4000-8000-000000000001", "0000000a-0000-4000-8000-000000000001", "0000000b-0000-4000-8000-000000000002", "0000000b-0000-4000-8000-000000000003", "owner"),
		attribute("units", number("7"), "-7", number("2147483647"), number("2147483648"), number("1.5"), oracle.Missing),
		attribute("name", "Köln", "", "Utrecht", number("12.5"), oracle.Missing), attribute("opens", "09:30", "24:00", oracle.Missing),
		attribute("tags", oracle.Set{"b", "a"}, []any{"a", nil, number("1.50")}, []any{}, `["x", "y"]`, "x", []any{[]any{}}, oracle.Missing),
		attribute("sizes", []any{number("1"), "2"}, oracle.Set{"3"}, []any{number("2147483648"), number("4")}, "5", []any{nil}, oracle.Missing),
		attribute("country", "NL", "D", "NLD", oracle.Missing),
	}},
}

var visitDomain = oracle.Domain{
	{Items: numbered("h", 4, oracle.Image{"type": "home"}), Attributes: []oracle.Attribute{
		attribute("id", "1", "2", "3"), attribute("street", "Elm", "Oak", oracle.Missing), attribute("town", "Ede", "Urk", oracle.Missing),
	}},
	{Items: numbered("v", 2, oracle.Image{"type": "visit"}), Attributes: []oracle.Attribute{
		attribute("home", "1", "2", "3"), attribute("street", "Elm", "Oak", "Ash", oracle.Missing),
	}},
}
