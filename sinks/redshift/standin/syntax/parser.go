package syntax

import (
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// parser reads one text by recursive descent: a method for each rule of the grammar, which
// begins at the rule's first token and ends behind its last. A method that fails does not
// return: it panics with a bailout, which Parse turns into its error.
type parser struct {
	lexer lexer
	tok   token // the next one
	// last is where the token before tok ended.
	last int
	// depth is how many rules that hold themselves are open, and height how high the tree of
	// the expression is that was read last. Both are bounded, so that neither this parser nor
	// who walks the tree runs out of stack.
	depth, height int
	params        int // the highest $n of the statement
	// The nodes that INSERT has by the million are made many at a time.
	numbers slab[Number]
	strings slab[String]
	values  slab[Expr]
}

// slab makes values of one type, many at a time and more each time, up to a bound.
type slab[T any] struct {
	free []T
	size int // of the last that was made
}

const maxSlab = 1024

// take returns n new values that are next to each other.
func (s *slab[T]) take(n int) []T {
	if len(s.free) < n {
		s.size = max(n, min(maxSlab, max(4, 2*s.size)))
		s.free = make([]T, s.size)
	}
	taken := s.free[:n:n]
	s.free = s.free[n:]
	return taken
}

const (
	maxDepth  = 2_000
	maxHeight = 50_000
)

// bailout carries an error up to Parse.
type bailout struct{ err *pgconn.PgError }

func newParser(sql string) *parser {
	p := &parser{lexer: lexer{source: sql}}
	p.tok = p.lexer.next()
	return p
}

// run calls f and returns its error.
func (p *parser) run(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case bailout:
			err = r.err
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// next moves on to the next token and returns the one that it passes.
func (p *parser) next() token {
	t := p.tok
	p.last = t.end
	p.tok = p.lexer.next()
	return t
}

// peek returns the token n behind tok.
func (p *parser) peek(n int) token {
	ahead := p.lexer
	t := p.tok
	for ; n > 0; n-- {
		t = ahead.next()
	}
	return t
}

// mark is a place to go back to.
type mark struct {
	pos, last, params int
	tok               token
}

func (p *parser) mark() mark { return mark{p.lexer.pos, p.last, p.params, p.tok} }

func (p *parser) back(m mark) {
	p.lexer.pos, p.last, p.params, p.tok = m.pos, m.last, m.params, m.tok
}

// enter opens a rule that may hold itself; leave closes it.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.tooDeep()
	}
}

func (p *parser) leave() { p.depth-- }

// grow counts a level of a tree that a loop builds.
func (p *parser) grow() {
	if p.height++; p.height > maxHeight {
		p.tooDeep()
	}
}

func (p *parser) tooDeep() { panic(bailout{failure(stateTooDeep, "stack depth limit exceeded")}) }

// fail reports a syntax error at the next token.
func (p *parser) fail() { p.failAt(p.tok) }

func (p *parser) failAt(t token) {
	switch {
	case t.err != nil:
		p.failWith(t.pos, t.err)
	case t.kind == endOfInput:
		p.failWith(t.pos, syntaxError("syntax error at end of input"))
	}
	p.failWith(t.pos, syntaxError(`syntax error at or near "`+p.lexer.source[t.pos:t.end]+`"`))
}

// failWith reports an error of the statement's at an offset.
func (p *parser) failWith(offset int, err *pgconn.PgError) {
	err.Position = Position(p.lexer.source, offset)
	panic(bailout{err})
}

// unsupported reports what the grammar has and the service does not, at the next token.
func (p *parser) unsupported(message string) {
	p.failWith(p.tok.pos, failure(stateNotSupported, message))
}

// is tells whether the next token is one of these words.
func (p *parser) is(words ...string) bool { return p.tok.is(words...) }

func (t token) is(words ...string) bool {
	if t.kind != word {
		return false
	}
	for _, w := range words {
		if t.value == w {
			return true
		}
	}
	return false
}

func (t token) isOp(op string) bool { return t.kind == operator && t.value == op }

// isOp tells whether the next token is an operator or a punctuation mark.
func (p *parser) isOp(op string) bool { return p.tok.isOp(op) }

// are tells whether the next tokens are these words, in this order.
func (p *parser) are(words ...string) bool {
	if !p.is(words[0]) {
		return false
	}
	ahead := p.lexer
	for _, w := range words[1:] {
		if t := ahead.next(); !t.is(w) {
			return false
		}
	}
	return true
}

// accept passes these words if they are next, all of them or none.
func (p *parser) accept(words ...string) bool {
	if !p.are(words...) {
		return false
	}
	for range words {
		p.next()
	}
	return true
}

func (p *parser) acceptOp(op string) bool {
	if !p.isOp(op) {
		return false
	}
	p.next()
	return true
}

// expect passes these words, or fails at the one that differs.
func (p *parser) expect(words ...string) {
	for _, w := range words {
		if !p.is(w) {
			p.fail()
		}
		p.next()
	}
}

func (p *parser) expectOp(op string) {
	if !p.acceptOp(op) {
		p.fail()
	}
}

// oneOf passes the next word if it is one of these and returns it, or fails.
func (p *parser) oneOf(words ...string) string {
	if !p.is(words...) {
		p.fail()
	}
	return p.next().value
}

// string passes a string and returns its value.
func (p *parser) string() string {
	if p.tok.kind != text {
		p.fail()
	}
	return p.next().value
}

// integer passes a whole number without a sign.
func (p *parser) integer() int64 {
	n, err := strconv.ParseInt(p.tok.value, 10, 64)
	if p.tok.kind != number || err != nil {
		if errors.Is(err, strconv.ErrRange) {
			p.failWith(p.tok.pos, failure("22003", "integer out of range"))
		}
		p.fail()
	}
	p.next()
	return n
}

// signed passes a whole number that may have a sign.
func (p *parser) signed() int64 {
	if p.acceptOp("-") {
		return -p.integer()
	}
	p.acceptOp("+")
	return p.integer()
}

// isName tells whether a token is a name: of a column, a table or anything else that has no
// dot before it.
func (t token) isName() bool {
	return t.kind == quoted || t.kind == word && !reserved[t.value]
}

// asIdent makes a name of a word.
func (p *parser) asIdent(t token) Ident {
	if t.kind == word {
		return Ident{Text: p.lexer.source[t.pos:t.end], Pos: t.pos}
	}
	return Ident{Text: t.value, Quoted: true, Pos: t.pos}
}

// ident passes a name that is not reserved.
func (p *parser) ident() Ident {
	if !p.tok.isName() {
		p.fail()
	}
	return p.asIdent(p.next())
}

// label passes a name where any word may be one: after AS, and after a dot.
func (p *parser) label() Ident {
	if p.tok.kind != quoted && p.tok.kind != word {
		p.fail()
	}
	return p.asIdent(p.next())
}

// idents passes names with commas between them.
func (p *parser) idents() []Ident {
	names := []Ident{p.ident()}
	for p.acceptOp(",") {
		names = append(names, p.ident())
	}
	return names
}

// identList passes names in parentheses.
func (p *parser) identList() []Ident {
	p.expectOp("(")
	names := p.idents()
	p.expectOp(")")
	return names
}

// name passes a name of one to three parts.
func (p *parser) name() Name { return p.nameUpTo(3) }

// nameUpTo passes a name of at most so many parts.
func (p *parser) nameUpTo(most int) Name {
	n := Name{p.ident()}
	for p.isOp(".") {
		if len(n) == most {
			p.failWith(n[0].Pos, syntaxError("improper qualified name (too many dotted names)"))
		}
		p.next()
		n = append(n, p.label())
	}
	return n
}

// names passes names with commas between them.
func (p *parser) names() []Name {
	all := []Name{p.name()}
	for p.acceptOp(",") {
		all = append(all, p.name())
	}
	return all
}
