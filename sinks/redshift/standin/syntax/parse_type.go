package syntax

import "strings"

// typeName reads a type.
func (p *parser) typeName() Type {
	t := Type{Pos: p.tok.pos}
	switch {
	case p.tok.kind == quoted:
		t.Name = p.typeWord()
	case p.tok.kind == word && (!reserved[p.tok.value] || p.is("binary", "interval", "oid")):
		t.Name = p.next().value
	default:
		p.fail()
	}
	for p.acceptOp(".") {
		t.Name += "." + p.typeWord()
	}
	p.typeWords(&t)
	for p.acceptOp("[") {
		if p.tok.kind == number {
			p.next()
		}
		p.expectOp("]")
		t.Array = true
	}
	return t
}

// typeWord passes a name and returns it in lower case, or in its quotes as it was written.
func (p *parser) typeWord() string {
	t := p.tok
	p.label()
	if t.kind == quoted {
		return p.lexer.source[t.pos:t.end]
	}
	return t.value
}

// typeWords reads the other words of a type, and its arguments, which may be among them.
func (p *parser) typeWords(t *Type) {
	more := func(words ...string) bool {
		if !p.accept(words...) {
			return false
		}
		t.Name += " " + strings.Join(words, " ")
		return true
	}
	switch t.Name {
	case "double":
		p.expect("precision")
		t.Name = "double precision"
		return
	case "national":
		t.Name += " " + p.oneOf("character", "char")
		more("varying")
	case "character", "char", "nchar", "binary", "bit":
		more("varying")
	case "timestamp", "time":
		t.Args = p.typeArgs()
		_ = more("with", "time", "zone") || more("without", "time", "zone")
		return
	case "interval":
		t.Args = p.typeArgs()
		p.intervalFields(t)
		return
	}
	t.Args = p.typeArgs()
}

// typeArgs reads a type's arguments if there are any: numbers, or MAX.
func (p *parser) typeArgs() []string {
	if !p.acceptOp("(") {
		return nil
	}
	var args []string
	for {
		if p.tok.kind != number && !p.is("max") {
			p.fail()
		}
		args = append(args, p.next().value)
		if !p.acceptOp(",") {
			break
		}
	}
	p.expectOp(")")
	return args
}

// intervalUnits are the fields of an interval, the largest first.
var intervalUnits = []string{"year", "month", "day", "hour", "minute", "second"}

// intervalFields reads which fields an interval has: one, or from one to a smaller one. Years
// and months are one kind of interval, and what is from days on another.
func (p *parser) intervalFields(t *Type) {
	if !p.is(intervalUnits...) {
		return
	}
	t.Fields = p.next().value
	if p.is("to") {
		rest := intervalUnits[1:2]
		if t.Fields != "year" {
			rest = unitsBelow(t.Fields)
		}
		p.next()
		t.Fields += " to " + p.oneOf(rest...)
	}
	if strings.HasSuffix(t.Fields, "second") && t.Args == nil {
		t.Args = p.typeArgs()
	}
}

// unitsBelow returns the fields that an interval from days on may end with.
func unitsBelow(unit string) []string {
	for i, u := range intervalUnits {
		if u == unit && unit != "month" {
			return intervalUnits[i+1:]
		}
	}
	return nil
}
