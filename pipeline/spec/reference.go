package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Reference returns the reference of pipeline files as a page of Markdown: the
// keys of the file and of every node type, with types, defaults and meaning.
func Reference(kinds Kinds) string {
	var b strings.Builder
	b.WriteString(`# Pipeline file reference

This page is made from the program's own configuration structs, and a test keeps it current.

A **text** without quotes must not look like a number, a truth value or null. A **time span** is a number with a unit
(` + "`500ms`, `60s`, `1h30m`, `8d`" + `). A **size** is a number of bytes, or a number with a unit (` + "`64KiB`, `128MiB`, `1GB`" + `).
` + "`${VAR}` and `${VAR:-default}`" + ` stand for environment variables in any value; ` + "`$$`" + ` is a dollar sign. Unknown keys are mistakes.

**change** says what it means to change a key of a pipeline that has run: *free* is taken as if it had always been so, *content* holds for what is read from then on and has
to be asked for with ` + "`--from-now`" + `, and *identity* is refused ([operations.md](operations.md#changing-a-pipeline)).

## The file

`)
	rows := slices.DeleteFunc(keyRows(reflect.TypeFor[File](), "", 0), func(r row) bool { return strings.HasPrefix(r.key, "tests[]") })
	if kinds.DeadLetters != nil {
		at := 1 + slices.IndexFunc(rows, func(r row) bool { return r.key == "dead_letters.url" })
		rows = slices.Insert(rows, at, keyRows(reflect.TypeOf(kinds.DeadLetters()).Elem(), "dead_letters.", 1)...)
	}
	rows = append(rows,
		row{"sources", "mapping of names to nodes", "required", Identity, "Where changes come from."},
		row{"transforms", "mapping of names to nodes", "", Identity, "What becomes of them."},
		row{"sinks", "mapping of names to nodes", "required", Identity, "Where rows go."})
	writeTable(&b, rows)
	common := row{"type", "text", "required", Identity, "What the node is: one of the types below."}
	inputs := row{"inputs", "list of text", "required", Content, inputsDesc}
	for _, section := range []struct {
		title string
		kinds map[string]Kind
		rows  []row
	}{
		{"Sources", kinds.Sources, []row{common}},
		{"Transforms", kinds.Transforms, []row{common, inputs}},
		{"Sinks", kinds.Sinks, []row{common, inputs}},
	} {
		fmt.Fprintf(&b, "\n## %s\n\nEvery node has a name of letters, digits and _, and these keys:\n\n", section.title)
		writeTable(&b, section.rows)
		for _, name := range kindNames(section.kinds) {
			kind := section.kinds[name]
			fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n", name, kind.Desc)
			writeTable(&b, keyRows(reflect.TypeOf(kind.New()).Elem(), "", 0))
		}
	}
	b.WriteString(`
## Tests

The keys of a test, in a pipeline file or in the file beside it. Each of its steps has those from ` + "`inputs` to `fails`" + `. [testing.md](testing.md) says how records and rows are written.

`)
	writeTable(&b, slices.DeleteFunc(keyRows(reflect.TypeFor[Test](), "", 0), func(r row) bool { return strings.HasPrefix(r.key, "steps[]") }))
	return b.String()
}

// row is one line of a table of keys.
type row struct {
	key, typ, def string
	change        Change
	desc          string
}

func writeTable(b *strings.Builder, rows []row) {
	if len(rows) == 0 {
		b.WriteString("It has no keys of its own.\n")
		return
	}
	head, line := "| key | type | default | meaning |", "|---|---|---|---|"
	tagged := slices.ContainsFunc(rows, func(r row) bool { return r.change != "" })
	if tagged {
		head, line = "| key | type | default | change | meaning |", "|---|---|---|---|---|"
	}
	fmt.Fprintf(b, "%s\n%s\n", head, line)
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;")
	for _, r := range rows {
		change := ""
		if tagged {
			change = string(r.change) + " | "
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s%s |\n", r.key, cell.Replace(r.typ), r.def, change, cell.Replace(r.desc))
	}
}

// keyRows lists the keys of a struct, and below each those that it holds.
func keyRows(t reflect.Type, prefix string, depth int) []row {
	if depth > typeNestingMax {
		panic(fmt.Sprintf("spec: %s nests without end", t))
	}
	var rows []row
	for _, f := range fieldsOf(t) {
		def := ""
		switch {
		case f.required:
			def = "required"
		case f.def != nil:
			def = "`" + f.defText + "`"
		}
		key := prefix + f.name
		rows = append(rows, row{key, typeName(f.typ, f), def, f.change, f.desc})
		if !f.holds(t) { // its keys are the same again
			rows = append(rows, innerRows(f.typ, key, depth+1)...)
		}
	}
	return rows
}

// innerRows lists the keys of the structs that a value of the type holds.
func innerRows(t reflect.Type, key string, depth int) []row {
	switch {
	case t.Kind() == reflect.Pointer:
		return innerRows(t.Elem(), key, depth)
	case reflect.PointerTo(t).Implements(decoderType):
		var rows []row
		for _, way := range alternatives(t) {
			rows = append(rows, innerRows(way, key, depth+1)...)
		}
		return rows
	case t == anyType || reflect.PointerTo(t).Implements(textType):
		return nil
	case t.Implements(orderedType):
		entry, _ := t.Elem().FieldByName("Value")
		return innerRows(entry.Type, key+".<name>", depth)
	}
	switch t.Kind() {
	case reflect.Struct:
		return keyRows(t, key+".", depth)
	case reflect.Slice:
		return innerRows(t.Elem(), key+"[]", depth)
	case reflect.Map:
		return innerRows(t.Elem(), key+".<name>", depth)
	default:
		return nil
	}
}
