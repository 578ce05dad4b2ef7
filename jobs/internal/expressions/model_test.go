package expressions

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"time"
)

// The model of expressions: a tree that is made at random, its text, and what it
// is, computed with rational numbers of package big and nothing else.

// value is nil (null), *big.Rat, bool, string or day.
type value any

// day is a date.
type day struct{ time.Time }

var errModel = errors.New("an error of the value")

// tree is an expression.
type tree struct {
	text    string
	uses    []string // columns
	lenient bool     // it says itself what null means
	eval    func(row map[string]value) (value, error)
}

func join(eval func(row map[string]value) (value, error), format string, parts ...tree) tree {
	t := tree{eval: eval}
	texts := make([]any, len(parts))
	for i, p := range parts {
		texts[i] = p.text
		t.uses = append(t.uses, p.uses...)
		t.lenient = t.lenient || p.lenient
	}
	t.text = fmt.Sprintf(format, texts...)
	return t
}

// result is what the whole expression is.
func (t tree) result(row map[string]value) (value, error) {
	for _, u := range t.uses {
		if row[u] == nil && !t.lenient {
			return nil, nil
		}
	}
	return t.eval(row)
}

// strict evaluates the parts in turn: the first that is null makes null.
func strict(do func(v []value) (value, error), parts ...tree) func(map[string]value) (value, error) {
	return func(row map[string]value) (value, error) {
		var all []value
		for _, p := range parts {
			v, err := p.eval(row)
			if v == nil || err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		return do(all)
	}
}

var (
	tenToThousand = new(big.Int).Exp(big.NewInt(10), big.NewInt(1000), nil)
	half          = big.NewRat(1, 2)
)

// bounded refuses numbers of more than 1,000 digits.
func bounded(r *big.Rat) (value, error) {
	if r.Num().CmpAbs(tenToThousand) >= 0 || r.Denom().Cmp(tenToThousand) > 0 {
		return nil, errModel
	}
	return r, nil
}

// floorOf returns the greatest whole number that is not above r.
func floorOf(r *big.Rat) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Div(r.Num(), r.Denom()))
}

// roundOf rounds at some decimals, half away from zero.
func roundOf(r *big.Rat, places int64) *big.Rat {
	unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(places), nil))
	x := new(big.Rat).Mul(new(big.Rat).Abs(r), unit)
	x = floorOf(x.Add(x, half))
	x.Quo(x, unit)
	if r.Sign() < 0 {
		x.Neg(x)
	}
	return x
}

// truncateOf cuts a fraction off.
func truncateOf(r *big.Rat) *big.Rat {
	x := floorOf(new(big.Rat).Abs(r))
	if r.Sign() < 0 {
		x.Neg(x)
	}
	return x
}

// generator makes expressions.
type generator struct {
	r     *rand.Rand
	items bool // expressions are over items, which have dates as text
}

func (g *generator) pick(all ...string) string { return all[g.r.IntN(len(all))] }

func (g *generator) column(name string) tree {
	t := tree{text: name, uses: []string{name}, eval: func(row map[string]value) (value, error) { return row[name], nil }}
	if name == "day" && g.items {
		t.text = "date(day)"
	}
	return t
}

func constant(text string, v value) tree {
	return tree{text: text, eval: func(map[string]value) (value, error) { return v, nil }}
}

func (g *generator) literal() tree {
	text := fmt.Sprint(g.r.IntN(20))
	switch g.r.IntN(6) {
	case 0:
		text = fmt.Sprintf("%d.%02d", g.r.IntN(100), g.r.IntN(100))
	case 1:
		text = fmt.Sprintf("0.%03d", g.r.IntN(1000))
	case 2:
		text = fmt.Sprintf("%d%018d", 1+g.r.IntN(9), g.r.Int64N(1e18))
	case 3:
		text = fmt.Sprintf("%d_%03d.5", 1+g.r.IntN(9), g.r.IntN(1000))
	}
	v, _ := new(big.Rat).SetString(strings.ReplaceAll(text, "_", ""))
	return constant(text, v)
}

// number makes an expression that is a number.
func (g *generator) number(depth int) tree {
	if depth == 0 || g.r.IntN(8) == 0 {
		if g.r.IntN(3) == 0 {
			return g.literal()
		}
		return g.column(g.pick("i", "big", "d", "e", "i", "d"))
	}
	a, b := g.number(depth-1), g.number(depth-1)
	switch g.r.IntN(15) {
	case 0, 1, 2, 3, 4:
		return g.arithmetic(a, b)
	case 5:
		return join(strict(func(v []value) (value, error) { return bounded(new(big.Rat).Neg(v[0].(*big.Rat))) }, a), "-(%s)", a)
	case 6:
		return join(strict(func(v []value) (value, error) { return new(big.Rat).Abs(v[0].(*big.Rat)), nil }, a), "abs(%s)", a)
	case 7:
		places := g.r.Int64N(6)
		return join(strict(func(v []value) (value, error) { return roundOf(v[0].(*big.Rat), places), nil }, a), fmt.Sprintf("round(%%s, %d)", places), a)
	case 8:
		return g.rounding(a)
	case 9:
		return g.extreme(a, b)
	case 10:
		return g.power(a)
	case 11:
		return g.choice(g.condition(depth-1), a, b)
	case 12:
		return g.coalesce(a, b)
	case 13:
		return g.dates()
	default:
		return g.list(a, b)
	}
}

func (g *generator) arithmetic(a, b tree) tree {
	op := g.pick("+", "-", "*", "/", "%")
	return join(strict(func(v []value) (value, error) {
		x, y, z := v[0].(*big.Rat), v[1].(*big.Rat), new(big.Rat)
		switch op {
		case "+":
			return bounded(z.Add(x, y))
		case "-":
			return bounded(z.Sub(x, y))
		case "*":
			return bounded(z.Mul(x, y))
		}
		if y.Sign() == 0 {
			return nil, errModel
		}
		if op == "/" {
			return bounded(z.Quo(x, y))
		}
		return bounded(z.Sub(x, z.Mul(y, truncateOf(z.Quo(x, y)))))
	}, a, b), "(%s) "+strings.ReplaceAll(op, "%", "%%")+" (%s)", a, b)
}

func (g *generator) rounding(a tree) tree {
	switch g.r.IntN(3) {
	case 0:
		return join(strict(func(v []value) (value, error) { return floorOf(v[0].(*big.Rat)), nil }, a), "floor(%s)", a)
	case 1:
		return join(strict(func(v []value) (value, error) {
			n := new(big.Rat).Neg(v[0].(*big.Rat))
			return n.Neg(floorOf(n)), nil
		}, a), "ceil(%s)", a)
	default:
		return join(strict(func(v []value) (value, error) { return truncateOf(v[0].(*big.Rat)), nil }, a), "int(%s)", a)
	}
}

func (g *generator) extreme(a, b tree) tree {
	name, sign := "max", 1
	if g.r.IntN(2) == 0 {
		name, sign = "min", -1
	}
	return join(strict(func(v []value) (value, error) {
		if v[1].(*big.Rat).Cmp(v[0].(*big.Rat)) == sign {
			return v[1], nil
		}
		return v[0], nil
	}, a, b), name+"(%s, %s)", a, b)
}

func (g *generator) power(a tree) tree {
	exponent := g.r.IntN(7) - 2
	return join(strict(func(v []value) (value, error) {
		x, z := v[0].(*big.Rat), big.NewRat(1, 1)
		if exponent < 0 {
			if x.Sign() == 0 {
				return nil, errModel
			}
			x = new(big.Rat).Inv(x)
		}
		for range max(exponent, -exponent) {
			z.Mul(z, x)
		}
		return bounded(z)
	}, a), fmt.Sprintf("(%%s) ** (%d)", exponent), a)
}

func (g *generator) choice(c, a, b tree) tree {
	t := join(func(row map[string]value) (value, error) {
		is, err := c.eval(row)
		if err != nil {
			return nil, err
		}
		if is == true {
			return a.eval(row)
		}
		return b.eval(row)
	}, g.pick("(%s) ? (%s) : (%s)", "(if %s { %s } else { %s })"), c, a, b)
	t.lenient = true
	return t
}

func (g *generator) coalesce(a, b tree) tree {
	t := join(func(row map[string]value) (value, error) {
		if v, err := a.eval(row); v != nil || err != nil {
			return v, err
		}
		return b.eval(row)
	}, "((%s) ?? (%s))", a, b)
	t.lenient = true
	return t
}

// list makes a number of a list.
func (g *generator) list(a, b tree) tree {
	three := big.NewRat(3, 1)
	both := func(row map[string]value) (x, y value, err error) {
		if x, err = a.eval(row); err == nil {
			y, err = b.eval(row)
		}
		return x, y, err
	}
	switch g.r.IntN(3) {
	case 0:
		return join(func(row map[string]value) (value, error) {
			x, y, err := both(row)
			if x == nil || y == nil || err != nil {
				return nil, err
			}
			sum := new(big.Rat).Add(x.(*big.Rat), y.(*big.Rat))
			if _, err := bounded(sum); err != nil {
				return nil, err
			}
			return bounded(sum.Add(sum, three))
		}, "sum([%s, %s, 3])", a, b)
	case 1:
		return join(func(row map[string]value) (value, error) {
			x, y, err := both(row)
			if err != nil {
				return nil, err
			}
			n := int64(0)
			for _, v := range []value{x, y, three} {
				if v != nil && v.(*big.Rat).Cmp(three) >= 0 {
					n++
				}
			}
			return big.NewRat(n, 1), nil
		}, "count([%s, %s, 3], # >= 3)", a, b)
	default:
		return join(strict(func(v []value) (value, error) {
			x := v[0].(*big.Rat)
			return bounded(new(big.Rat).Mul(x, x))
		}, a), "(let x%[2]s = %[1]s; x%[2]s * x%[2]s)", a, tree{text: fmt.Sprint(g.r.IntN(3))})
	}
}

// dates makes a number of dates.
func (g *generator) dates() tree {
	a := g.date()
	switch g.r.IntN(3) {
	case 0:
		b := g.date()
		return join(strict(func(v []value) (value, error) {
			return big.NewRat(int64(v[0].(day).Sub(v[1].(day).Time)/(24*time.Hour)), 1), nil
		}, a, b), "(%s - %s)", a, b)
	case 1:
		return join(strict(func(v []value) (value, error) { return big.NewRat(int64(v[0].(day).Year()), 1), nil }, a), "year(%s)", a)
	default:
		return join(strict(func(v []value) (value, error) { return big.NewRat(int64(v[0].(day).YearDay()), 1), nil }, a), "dayOfYear(%s)", a)
	}
}

// date makes an expression that is a date.
func (g *generator) date() tree {
	switch n := 1 + g.r.IntN(400); g.r.IntN(4) {
	case 0:
		d := day{time.Date(2000+g.r.IntN(50), time.Month(1+g.r.IntN(12)), 1+g.r.IntN(28), 0, 0, 0, 0, time.UTC)}
		return constant(fmt.Sprintf("date(%q)", d.Format(time.DateOnly)), d)
	case 1:
		a := g.column("day")
		return join(strict(func(v []value) (value, error) { return day{v[0].(day).AddDate(0, 0, n)}, nil }, a), g.pick("addDays(%s, %s)", "(%s + %s)"), a, tree{text: fmt.Sprint(n)})
	case 2:
		a := g.column("day")
		return join(strict(func(v []value) (value, error) {
			d := v[0].(day)
			return day{time.Date(d.Year(), d.Month(), 1, 0, 0, 0, 0, time.UTC)}, nil
		}, a), `truncate(%s, "month")`, a)
	default:
		return g.column("day")
	}
}

// condition makes an expression that is a bool.
func (g *generator) condition(depth int) tree {
	if depth == 0 {
		return g.column("b")
	}
	switch g.r.IntN(7) {
	case 0:
		a, b := g.condition(depth-1), g.condition(depth-1)
		or := g.r.IntN(2) == 0
		op := map[bool]string{true: g.pick("or", "||"), false: g.pick("and", "&&")}[or]
		return join(func(row map[string]value) (value, error) {
			v, err := a.eval(row)
			if err != nil || (v == true) == or {
				return v == true, err
			}
			v, err = b.eval(row)
			return v == true, err
		}, "((%s) "+op+" (%s))", a, b)
	case 1:
		a := g.condition(depth - 1)
		return join(strict(func(v []value) (value, error) { return !v[0].(bool), nil }, a), "not (%s)", a)
	case 2:
		a := g.number(depth - 1)
		t := join(func(row map[string]value) (value, error) {
			v, err := a.eval(row)
			return v == nil, err
		}, "((%s) == nil)", a)
		t.lenient = true
		return t
	case 3:
		a, b, c := g.number(depth-1), g.number(depth-1), g.literal()
		return join(func(row map[string]value) (value, error) {
			x, err := a.eval(row)
			if x == nil || err != nil {
				return nil, err
			}
			y, err := b.eval(row)
			if err != nil {
				return nil, err
			}
			z, _ := c.eval(row)
			return y != nil && x.(*big.Rat).Cmp(y.(*big.Rat)) == 0 || x.(*big.Rat).Cmp(z.(*big.Rat)) == 0, nil
		}, "((%s) in [%s, %s])", a, b, c)
	case 4:
		a, b := g.date(), g.date()
		return join(strict(func(v []value) (value, error) { return v[0].(day).Before(v[1].(day).Time), nil }, a, b), "(%s < %s)", a, b)
	default:
		a, b := g.number(depth-1), g.number(depth-1)
		op := g.pick("<", "<=", ">", ">=", "==", "!=")
		return join(strict(func(v []value) (value, error) {
			c := v[0].(*big.Rat).Cmp(v[1].(*big.Rat))
			return map[string]bool{"<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0, "==": c == 0, "!=": c != 0}[op], nil
		}, a, b), "((%s) "+op+" (%s))", a, b)
	}
}

// text makes an expression that is a string.
func (g *generator) text(depth int) tree {
	a := g.number(depth - 1)
	s := g.column("s")
	return join(strict(func(v []value) (value, error) {
		return strings.ToUpper(v[0].(string)) + "=" + written(v[1].(*big.Rat)), nil
	}, s, a), `upper(%s) + "=" + string(%s)`, s, a)
}

// written is a number as text: with all its decimals, or 38 where it has no end.
func written(r *big.Rat) string {
	for places := range 3400 {
		unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
		if unit.Mul(unit, r).IsInt() {
			return r.FloatString(places)
		}
		rest := new(big.Int).Set(r.Denom())
		for _, p := range []int64{2, 5} {
			for q, m := new(big.Int), new(big.Int); ; rest.Set(q) {
				if q.QuoRem(rest, big.NewInt(p), m); m.Sign() != 0 {
					break
				}
			}
		}
		if rest.Cmp(big.NewInt(1)) != 0 {
			return r.FloatString(38)
		}
	}
	return "too long"
}
