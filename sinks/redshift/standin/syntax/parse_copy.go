package syntax

import "github.com/jackc/pgx/v5/pgconn"

// argument is what follows the name of an option; [AS] may stand before every value.
type argument uint8

const (
	noArgument argument = iota
	aString
	maybeString
	aNull // a string, or NUL
	aNumber
	aWord // or a string
	aRole // a string or DEFAULT
	aSize // a number, and MB or GB
	maybeSwitch
	simplification // [AUTO] [n]
)

// authorization are the options of COPY and UNLOAD that say who asks S3
// (copy-parameters-authorization).
var authorization = map[string]argument{
	"iam_role": aRole, "credentials": aString, "access_key_id": aString, "secret_access_key": aString,
	"session_token": aString, "token": aString, "master_symmetric_key": aString, "kms_key_id": aString,
}

// copyOptions are the other options of COPY (r_COPY and the pages it names).
var copyOptions = map[string]argument{
	"region": aString, "manifest": noArgument, "encrypted": noArgument, "ssh": noArgument, "readratio": aNumber,
	// copy-parameters-data-format
	"csv": noArgument, "quote": aString, "delimiter": aString, "fixedwidth": aString, "json": maybeString,
	"avro": maybeString, "parquet": noArgument, "orc": noArgument, "shapefile": noArgument,
	"simplify": simplification, "serializetojson": noArgument,
	"bzip2": noArgument, "gzip": noArgument, "lzop": noArgument, "zstd": noArgument,
	// copy-parameters-data-conversion
	"acceptanydate": noArgument, "acceptinvchars": maybeString, "blanksasnull": noArgument,
	"dateformat": aString, "emptyasnull": noArgument, "encoding": aWord, "escape": noArgument,
	"explicit_ids": noArgument, "fillrecord": noArgument, "ignoreblanklines": noArgument,
	"ignoreheader": aNumber, "null": aNull, "removequotes": noArgument, "roundec": noArgument,
	"timeformat": aString, "trimblanks": noArgument, "truncatecolumns": noArgument,
	// copy-parameters-data-load
	"comprows": aNumber, "compupdate": maybeSwitch, "ignoreallerrors": noArgument, "maxerror": aNumber,
	"noload": noArgument, "statupdate": maybeSwitch,
}

// unloadOptions are the other options of UNLOAD (r_UNLOAD).
var unloadOptions = map[string]argument{
	"csv": noArgument, "parquet": noArgument, "json": noArgument, "delimiter": aString, "fixedwidth": aString,
	"manifest": noArgument, "verbose": noArgument, "header": noArgument, "encrypted": noArgument,
	"auto": noArgument, "bzip2": noArgument, "gzip": noArgument, "zstd": noArgument, "addquotes": noArgument,
	"null": aString, "escape": noArgument, "allowoverwrite": noArgument, "cleanpath": noArgument,
	"parallel": maybeSwitch, "maxfilesize": aSize, "rowgroupsize": aSize, "region": aString, "extension": aString,
}

var (
	copyFormats   = []string{"csv", "delimiter", "fixedwidth", "json", "avro", "parquet", "orc", "shapefile"}
	unloadFormats = []string{"csv", "parquet", "json"}
)

// copy reads COPY. Its options may come in any order (r_COPY).
func (p *parser) copy() Statement {
	p.next()
	c := &Copy{Table: p.name()}
	if p.isOp("(") {
		c.Columns = p.identList()
	}
	p.expect("from")
	if p.accept("stdin") {
		c.Stdin = true
		p.skipStatement()
		return c
	}
	c.From = p.string()
	for p.tok.kind == word {
		c.Options = append(c.Options, p.copyOption())
	}
	return c
}

// copyOption reads one option. FORMAT [AS] may stand before a format, and WITH before
// CREDENTIALS.
func (p *parser) copyOption() Option {
	start := p.tok.pos
	switch {
	case p.accept("format"):
		p.accept("as")
		if !p.is(copyFormats...) {
			p.fail()
		}
	case p.accept("with"):
		if !p.is("credentials") {
			p.fail()
		}
	}
	return p.option(copyOptions, start)
}

// option reads an option of a table of options, or one of authorization.
func (p *parser) option(options map[string]argument, start int) Option {
	takes, ok := options[p.tok.value]
	if !ok {
		takes, ok = authorization[p.tok.value]
	}
	if p.tok.kind != word || !ok {
		p.fail()
	}
	o := Option{Name: p.next().value, Pos: start}
	if takes != noArgument {
		as := p.accept("as")
		o.Values = p.optionValues(takes)
		if as && o.Values == nil {
			p.fail()
		}
	}
	return o
}

func (p *parser) optionValues(takes argument) []OptionValue {
	switch takes {
	case maybeString:
		if p.tok.kind != text {
			return nil
		}
	case aNull:
		// NUL is in no text but here (copy-parameters-data-conversion, "NULL AS").
		if p.tok.kind == invalid && p.tok.value == "\x00" {
			p.next()
			return []OptionValue{{Text: `\0`, Quoted: true}}
		}
	case maybeSwitch:
		if !p.is("on", "off", "true", "false", "preset") {
			return nil
		}
		return []OptionValue{{Text: p.next().value}}
	case aNumber:
		return []OptionValue{p.optionNumber()}
	case aSize:
		values := []OptionValue{p.optionNumber()}
		if p.is("mb", "gb") {
			values = append(values, OptionValue{Text: p.next().value})
		}
		return values
	case simplification:
		return p.simplification()
	case aRole:
		if p.accept("default") {
			return []OptionValue{{Text: "default"}}
		}
	case aWord:
		if p.tok.kind != text {
			return []OptionValue{{Text: Fold(p.label().Text)}}
		}
	}
	return []OptionValue{{Text: p.string(), Quoted: true}}
}

// simplification reads what follows SIMPLIFY of shapefiles: [AUTO] [tolerance].
func (p *parser) simplification() []OptionValue {
	var values []OptionValue
	if p.accept("auto") {
		values = append(values, OptionValue{Text: "auto"})
	}
	if p.tok.kind == number {
		values = append(values, p.optionNumber())
	}
	return values
}

// optionNumber reads a number, which may be in quotes.
func (p *parser) optionNumber() OptionValue {
	if p.tok.kind == text {
		return OptionValue{Text: p.string(), Quoted: true}
	}
	if p.tok.kind != number {
		p.fail()
	}
	return OptionValue{Text: p.next().value}
}

// unload reads UNLOAD ('query') TO. The query is read as a text of its own, so that what is
// wrong with it has a position within it.
func (p *parser) unload() Statement {
	p.next()
	p.expectOp("(")
	u := &Unload{SQL: p.string()}
	p.expectOp(")")
	p.expect("to")
	u.To = p.string()
	for p.tok.kind == word {
		u.Options = append(u.Options, p.unloadOption())
	}
	u.Query = p.inner(u.SQL)
	return u
}

func (p *parser) unloadOption() Option {
	start := p.tok.pos
	switch {
	case p.accept("format"):
		p.accept("as")
		if !p.is(unloadFormats...) {
			p.fail()
		}
	case p.accept("with"):
		if !p.is("credentials") {
			p.fail()
		}
	case p.accept("partition"):
		p.expect("by")
		return p.partitionBy(start)
	}
	return p.option(unloadOptions, start)
}

// partitionBy reads (columns) [INCLUDE].
func (p *parser) partitionBy(start int) Option {
	o := Option{Name: "partition by", Pos: start}
	for _, c := range p.identList() {
		o.Values = append(o.Values, OptionValue{Text: c.Text, Quoted: c.Quoted})
	}
	if p.accept("include") {
		o.Values = append(o.Values, OptionValue{Text: "include"})
	}
	return o
}

// inner reads the query of an UNLOAD.
func (p *parser) inner(sql string) *Query {
	in := newParser(sql)
	var q *Query
	if err := in.run(func() {
		q = in.query()
		in.acceptOp(";")
		if in.tok.kind != endOfInput {
			in.fail()
		}
	}); err != nil {
		panic(bailout{err.(*pgconn.PgError)})
	}
	return q
}

// lock reads LOCK [TABLE] a, b (r_LOCK). The grammar has no mode and no NOWAIT.
func (p *parser) lock() Statement {
	p.next()
	p.accept("table")
	return &Lock{Tables: p.names()}
}
