package jobs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// attackModel is what the lines that were fed have to lead to. It shares nothing
// with the program: it reads records in its own way, sees all of them at once, and
// knows nothing of epochs, files and kills.
//
// A row is a text: its values, each as SQL writes it, with bars between.
type attackModel struct {
	tables  map[string][]string // of a warehouse, by name
	log     []loggedRow         // all rows of a lake of changes
	letters []string            // event IDs of the records that can't take effect, each as often as it was fed
	refused map[string]bool     // the newest row of customers whose rows the server may refuse, by key
}

// loggedRow is a row of a log; of a delete, its key.
type loggedRow struct{ table, op, row string }

// attackRecord is one line.
type attackRecord struct {
	EventID, EventName string
	Dynamodb           struct {
		ApproximateCreationDateTime int64
		NewImage, OldImage          *attackItem
		Keys                        struct{ ID attackText }
	}
}

type attackText struct{ S, N string }

// attackItem is an image of any kind.
type attackItem struct {
	ID, Kind, Name, City, Customer, Day, N attackText
	Lines                                  struct {
		L []struct {
			M struct{ Nr, Product, Price attackText }
		}
	}
}

// sqlNull is what stands for a null in rows.
const sqlNull = "∅"

func orNull(s string) string {
	if s == "" {
		return sqlNull
	}
	return s
}

func bars(values ...string) string { return strings.Join(values, "|") }

// rows returns the rows that an image yields, by table; the values of the key first.
func (i *attackItem) rows() map[string][]string {
	rows := map[string][]string{}
	switch {
	case i == nil:
	case i.Kind.S == "customer":
		rows["customer"] = []string{bars(i.ID.S, i.Name.S, i.City.S, i.N.N)}
	case i.Kind.S == "marker":
		rows["marker"] = []string{i.ID.S}
	default:
		rows["purchase"] = []string{bars(i.ID.S, i.Customer.S, i.Day.S, i.N.N)}
		for _, l := range i.Lines.L {
			rows["line"] = append(rows["line"], bars(i.ID.S, l.M.Nr.N, l.M.Product.S, l.M.Price.N))
		}
	}
	return rows
}

// attackKeys is how many values of a row are its key.
var attackKeys = map[string]int{"customer": 1, "purchase": 1, "line": 2, "marker": 1}

func keyOfRow(table, row string) string {
	return bars(strings.SplitN(row, "|", attackKeys[table]+1)[:attackKeys[table]]...)
}

func newAttackModel(fed string) (*attackModel, error) {
	f, err := os.Open(fed)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := &attackModel{tables: map[string][]string{}, refused: map[string]bool{}}
	var records []attackRecord
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r attackRecord
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s: %w", lines.Text(), err)
		}
		if i := r.Dynamodb.NewImage; i != nil && i.Day.S != "" && !isDay(i.Day.S) {
			m.letters = append(m.letters, r.EventID)
			continue
		}
		records = append(records, r)
		m.logged(&r)
	}
	m.settle(records)
	return m, lines.Err()
}

func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// logged adds the rows of a record to the log.
func (m *attackModel) logged(r *attackRecord) {
	before, after := r.Dynamodb.OldImage.rows(), r.Dynamodb.NewImage.rows()
	for table := range attackKeys {
		is := map[string]bool{}
		for _, row := range after[table] {
			is[keyOfRow(table, row)] = true
			m.log = append(m.log, loggedRow{table, "upsert", row})
		}
		for _, row := range before[table] {
			if key := keyOfRow(table, row); !is[key] {
				m.log = append(m.log, loggedRow{table, "delete", key})
			}
		}
	}
}

// settle finds the tables.
func (m *attackModel) settle(records []attackRecord) {
	slices.SortStableFunc(records, func(a, b attackRecord) int {
		return int(a.Dynamodb.ApproximateCreationDateTime - b.Dynamodb.ApproximateCreationDateTime)
	})
	items := map[string]*attackItem{}
	seen := map[string]map[string]string{"dim_customer": {}, "dim_city": {}, "dim_product": {}}
	for _, r := range records {
		i := r.Dynamodb.NewImage
		if items[r.Dynamodb.Keys.ID.S] = i; i == nil {
			continue
		}
		if i.Kind.S == "customer" {
			seen["dim_customer"][i.ID.S] = bars(i.Name.S, i.City.S)
			seen["dim_city"][i.City.S] = ""
		}
		for _, l := range i.Lines.L {
			seen["dim_product"][l.M.Product.S] = ""
		}
	}
	for id, i := range items {
		for table, rows := range i.rows() {
			m.tables[table] = append(m.tables[table], rows...)
		}
		if i != nil && i.City.S == refusedCity {
			m.refused[id] = true
		}
		m.facts(i, items)
	}
	for dimension, members := range seen {
		for key, attributes := range members {
			if attributes != "" {
				key = bars(key, attributes)
			}
			m.tables[dimension] = append(m.tables[dimension], key)
		}
	}
}

// facts adds the facts of an item: its lines, with what they refer to.
func (m *attackModel) facts(i *attackItem, items map[string]*attackItem) {
	if i == nil {
		return
	}
	of, city, n := items[i.Customer.S], "", ""
	if of != nil {
		city, n = of.City.S, of.N.N
	}
	for _, l := range i.Lines.L {
		m.tables["fact_line"] = append(m.tables["fact_line"],
			bars(i.ID.S, l.M.Nr.N, i.Customer.S, orNull(city), l.M.Product.S, i.Day.S, l.M.Price.N, orNull(n)))
	}
}
