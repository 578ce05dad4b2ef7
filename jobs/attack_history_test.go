package jobs

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// The items of an attack: few, so that they meet often.
const (
	attackCustomers = 12
	attackPurchases = 40
	attackProducts  = 15
)

// attackBegan is the time of the first change.
var attackBegan = time.Date(2024, 1, 10, 6, 0, 0, 0, time.UTC)

// refusedCity is that of customers which a server may have been told to refuse.
const refusedCity = "Nowhere"

var attackCities = []string{"Rome", "Oslo", "Lima", "Cork", "Ghent", refusedCity}

// history makes changes of items as DynamoDB delivers them: most in order, some
// late, some twice, and a few that can't take effect.
type history struct {
	random   *rand.Rand
	sequence bool // records have sequence numbers
	n        int64
	at       time.Time
	items    map[string]map[string]any // by id, as DynamoDB has them
	held     []heldLine                // records that are late
	given    []string                  // the last ones, some of which come again
}

type heldLine struct {
	line string
	wait int // lines before it
}

func newHistory(random *rand.Rand) *history {
	return &history{random: random, sequence: random.IntN(2) == 0, at: attackBegan, items: map[string]map[string]any{}}
}

// line returns the next record, with its line end.
func (h *history) line() string {
	line := ""
	for i := range h.held {
		h.held[i].wait--
	}
	switch at := slices.IndexFunc(h.held, func(l heldLine) bool { return l.wait < 0 }); {
	case at >= 0:
		line = h.held[at].line
		h.held = slices.Delete(h.held, at, at+1)
	case len(h.given) > 0 && h.random.IntN(40) == 0:
		return h.given[h.random.IntN(len(h.given))]
	default:
		line = h.next()
		for h.random.IntN(25) == 0 {
			h.held = append(h.held, heldLine{line, 1 + h.random.IntN(60)})
			line = h.next()
		}
	}
	if h.given = append(h.given, line); len(h.given) > 50 {
		h.given = h.given[1:]
	}
	return line
}

// rest returns what is late still.
func (h *history) rest() (lines string) {
	for _, l := range h.held {
		lines += l.line
	}
	h.held = nil
	return lines
}

// marker is a change of an item of its own: the last of a file.
func (h *history) marker(id string) string {
	return h.record(id, nil, map[string]any{"id": stringValue(id), "kind": stringValue("marker")})
}

func (h *history) next() string {
	switch h.random.IntN(60) {
	case 0:
		id := fmt.Sprintf("bad%d", h.n)
		return h.record(id, nil, map[string]any{"id": stringValue(id), "kind": stringValue("purchase"), "day": stringValue("soon")})
	case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11:
		return h.change(fmt.Sprintf("c%d", h.random.IntN(attackCustomers)), h.customer)
	default:
		return h.change(fmt.Sprintf("p%d", h.random.IntN(attackPurchases)), h.purchase)
	}
}

// change makes, changes or removes an item.
func (h *history) change(id string, image func(id string) map[string]any) string {
	before := h.items[id]
	if before != nil && h.random.IntN(5) == 0 {
		delete(h.items, id)
		return h.record(id, before, nil)
	}
	after := image(id)
	if before != nil && h.random.IntN(3) == 0 { // only a part of it
		part := slices.Sorted(maps.Keys(before))[h.random.IntN(len(before))]
		changed := maps.Clone(before)
		changed[part], changed["n"] = after[part], after["n"]
		after = changed
	}
	h.items[id] = after
	return h.record(id, before, after)
}

func (h *history) customer(id string) map[string]any {
	return map[string]any{
		"id": stringValue(id), "kind": stringValue("customer"), "name": stringValue(fmt.Sprintf("%s the %d.", id, h.random.IntN(9))),
		"city": stringValue(attackCities[h.random.IntN(len(attackCities))]), "n": numberValue(h.n),
	}
}

func (h *history) purchase(id string) map[string]any {
	lines := []any{}
	for nr := range h.random.IntN(5) {
		lines = append(lines, map[string]any{"M": map[string]any{
			"nr": numberValue(int64(nr)), "product": stringValue(fmt.Sprintf("x%d", h.random.IntN(attackProducts))),
			"price": map[string]any{"N": fmt.Sprintf("%d.%02d", h.random.IntN(1000), h.random.IntN(100))},
		}})
	}
	return map[string]any{
		"id": stringValue(id), "kind": stringValue("purchase"), "customer": stringValue(fmt.Sprintf("c%d", h.random.IntN(attackCustomers+3))),
		"day": stringValue(fmt.Sprintf("2024-01-%02d", 1+h.random.IntN(31))), "n": numberValue(h.n), "lines": map[string]any{"L": lines},
	}
}

func stringValue(s string) any { return map[string]any{"S": s} }
func numberValue(n int64) any  { return map[string]any{"N": strconv.FormatInt(n, 10)} }

// record writes a change. No two have the same time.
func (h *history) record(id string, before, after map[string]any) string {
	h.n++
	h.at = h.at.Add(time.Millisecond + time.Duration(h.random.IntN(1000))*time.Microsecond)
	body := map[string]any{
		"ApproximateCreationDateTime": h.at.UnixMicro(), "ApproximateCreationDateTimePrecision": "MICROSECOND",
		"Keys": map[string]any{"id": stringValue(id)},
	}
	if h.sequence {
		body["SequenceNumber"] = fmt.Sprintf("49%019d", h.n)
	}
	name := "MODIFY"
	if before != nil {
		body["OldImage"] = before
	} else {
		name = "INSERT"
	}
	if after != nil {
		body["NewImage"] = after
	} else {
		name = "REMOVE"
	}
	line, err := json.Marshal(map[string]any{"eventID": fmt.Sprintf("e%d", h.n), "eventName": name, "tableName": "shop", "dynamodb": body})
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	return string(line) + "\n"
}
