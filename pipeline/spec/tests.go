package spec

import (
	"fmt"
	"reflect"
)

// Test is a fixture of a pipeline: input, and what has to become of it.
type Test struct {
	Name     string `yaml:"name" required:"true" desc:"What the test shows. Names are unique for a pipeline."`
	TestStep        // the only one
	// Steps follow each other: each is an epoch of its own, on top of the ones
	// before.
	Steps []TestStep `yaml:"steps" desc:"Steps one after the other, each an epoch on top of those before: for changes that come late. Each has inputs, references, expect, dead_letters and fails; the test itself then has none of them."`
}

// TestStep is one epoch of a test.
type TestStep struct {
	Inputs      Map[TestRecords]     `yaml:"inputs" desc:"The records of each source, by its name. A source that is not named has none."`
	References  Map[TestRows]        `yaml:"references" desc:"The rows of the reference of each reference_join, by its name: a list of rows, or a mapping with file. They stay until a later step gives others. Left out = no rows."`
	Expect      Map[TestExpectation] `yaml:"expect" desc:"The rows of each table, by its name, or by node.table where several nodes have one: the current row of each key, or all rows where there is no key. A row names the columns that are compared. All rows are to be listed, in any order, but for a dimension's unknown member; or write contains."`
	DeadLetters []TestLetter         `yaml:"dead_letters" desc:"The dead letters of the step, all of them, in any order. Left out = there are none."`
	Fails       string               `yaml:"fails" desc:"The run ends with an error that holds this text; it is then the last step."`

	At *Node
}

// Value is a value of a test, whose meaning depends on the pipeline: who uses it
// reads it from the node.
type Value struct{ *Node }

// DecodeNode keeps the node.
func (v *Value) DecodeNode(n *Node) error {
	v.Node = n
	return nil
}

// TestRecords are the records of one source.
type TestRecords struct {
	Records []Value
	File    *TestFile

	At *Node
}

// TestFile names a file of records or rows.
type TestFile struct {
	File string `yaml:"file" required:"true" desc:"A file, by its path from the folder of the file that has the test."`

	At *Node
}

// DecodeNode reads a list of records, or a mapping that names a file.
func (r *TestRecords) DecodeNode(n *Node) error {
	r.At = n
	if n.Kind() == Mapping {
		return n.Decode(&r.File)
	}
	return n.Decode(&r.Records)
}

// Alternatives are the ways of writing records.
func (TestRecords) Alternatives() []any { return []any{[]Value{}, TestFile{}} }

// TestRows are the rows of a reference.
type TestRows struct {
	Rows []TestRow
	File *TestFile

	At *Node
}

// DecodeNode reads a list of rows, or a mapping that names a file.
func (r *TestRows) DecodeNode(n *Node) error {
	r.At = n
	if n.Kind() == Mapping {
		return n.Decode(&r.File)
	}
	return n.Decode(&r.Rows)
}

// Alternatives are the ways of writing rows.
func (TestRows) Alternatives() []any { return []any{[]TestRow{}, TestFile{}} }

// TestRow is a row: values by column.
type TestRow struct {
	Map[Value]

	At *Node
}

// DecodeNode reads a mapping.
func (r *TestRow) DecodeNode(n *Node) error {
	r.At = n
	if n.Kind() != Mapping {
		return n.Mistake("a row is a mapping of columns to values, not "+n.describe(), "")
	}
	return n.Decode(&r.Map)
}

// Alternatives says that a row is a mapping.
func (TestRow) Alternatives() []any { return []any{Map[Value]{}} }

// TestExpectation is what is expected of one table: Rows are all of its rows, or
// the keys of Some say what is expected of them.
type TestExpectation struct {
	Rows []TestRow
	Some *TestSome

	At *Node
}

// TestSome is what is expected of a table that is not listed whole.
type TestSome struct {
	Contains []TestRow `yaml:"contains" desc:"Rows that the table has, among others."`
	Count    *int64    `yaml:"count" min:"0" desc:"How many rows the table has, a dimension's unknown member among them."`
	Log      []TestRow `yaml:"log" desc:"All rows of the step's log, in any order: what sinks of mode changes and append get. Column _op is upsert or delete."`
}

// DecodeNode reads a list of rows, or a mapping.
func (e *TestExpectation) DecodeNode(n *Node) error {
	e.At = n
	if n.Kind() != Mapping {
		return n.Decode(&e.Rows)
	}
	if n.Len() == 0 {
		return n.owner().Mistake("nothing is expected of "+n.title(), "list its rows, or write contains, count or log; [] = it has no rows")
	}
	return n.Decode(&e.Some)
}

// Alternatives are the ways of writing expected rows.
func (TestExpectation) Alternatives() []any { return []any{[]TestRow{}, TestSome{}} }

// TestLetter is an expected dead letter. What is left out is not compared.
type TestLetter struct {
	Reason  string `yaml:"reason" required:"true" desc:"The reason, as dead-letters list prints it: bad_record, bad_value, null_key, …"`
	Source  string `yaml:"source" desc:"The source of the record."`
	Record  int64  `yaml:"record" min:"1" desc:"Which of the step's records of its source it is, from 1; of a file, its line."`
	Node    string `yaml:"node" desc:"The node that refused it."`
	Message string `yaml:"message" desc:"A part of the message."`
	Table   string `yaml:"table" desc:"Of a row that on_error: drop_row left out alone, its table."`
	Element string `yaml:"element" desc:"Of such a row, the element that it is made of, as the dead letter has it: 2, or of levels 1.2, with the keys of maps in quotes."`

	At *Node
}

// Tests is a file of tests beside a pipeline file.
type Tests struct {
	Tests []Test `yaml:"tests" required:"true" desc:"Tests of the pipeline in the file beside, which is named as this one without _test."`

	parseState
}

// IsTests reports whether a file that is named as one of tests is meant as such,
// right or not, rather than as a pipeline.
func IsTests(data []byte) bool {
	root, _ := parse("", data)
	return root == nil || root.Get("sources") == nil && root.Get("sinks") == nil
}

// LoadTests reads a file of tests; name is used in messages. The error is an
// *Errors with every mistake. The tests are returned with the error too, as far
// as they could be read; they are nil where the text is not YAML.
func LoadTests(name string, data []byte, opts Options) (*Tests, error) {
	root, mistakes := parse(name, data)
	if root == nil {
		return nil, notRead(mistakes)
	}
	t := &Tests{parseState: newReading(root, mistakes, opts)}
	d := &decoder{}
	d.structure(root, reflect.ValueOf(t).Elem(), nil)
	t.mistakes = append(t.mistakes, d.mistakes...)
	checkTests(&t.parseState, t.Tests)
	return t, t.Err()
}

// checkTests checks what does not depend on the pipeline.
func checkTests(f *parseState, tests []Test) {
	names := map[string]*Node{}
	for i := range tests {
		t := &tests[i]
		if t.Name == "" || t.At == nil {
			continue
		}
		if first := names[t.Name]; first != nil {
			f.add(t.At.Get("name"), fmt.Sprintf("there is a test %q already", t.Name), fmt.Sprintf("it is at line %d", first.at.line))
		}
		names[t.Name] = t.At
		if t.Steps == nil {
			if t.empty() {
				f.add(t.At, fmt.Sprintf("test %q expects nothing", t.Name), "give it expect, dead_letters or fails")
			}
			continue
		}
		checkSteps(f, t)
	}
}

func checkSteps(f *parseState, t *Test) {
	for _, key := range []string{"inputs", "references", "expect", "dead_letters", "fails"} {
		if t.At.Get(key) != nil {
			f.add(t.At.entry(key).key, fmt.Sprintf("test %q has steps, and %s besides", t.Name, key), "put it into a step")
		}
	}
	expects := false
	for i := range t.Steps {
		s := &t.Steps[i]
		expects = expects || !s.empty()
		if s.Fails != "" && i < len(t.Steps)-1 {
			f.add(s.At.entry("fails").key, "a run that fails has no next step", "leave out the steps behind it")
		}
	}
	if !expects {
		f.add(t.At, fmt.Sprintf("test %q expects nothing", t.Name), "give one of its steps expect, dead_letters or fails")
	}
}

// empty reports whether a step expects nothing.
func (s *TestStep) empty() bool {
	return s.At.Get("expect") == nil && s.At.Get("dead_letters") == nil && s.At.Get("fails") == nil
}

// All returns the steps of a test.
func (t *Test) All() []*TestStep {
	if t.Steps == nil {
		return []*TestStep{&t.TestStep}
	}
	all := make([]*TestStep, len(t.Steps))
	for i := range t.Steps {
		all[i] = &t.Steps[i]
	}
	return all
}
