package unnest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

const conditionTables = `
tables:
	open:
		where: {type: [invoice], $expr: "total > (paid ?? 0) && 100 / total < 50"}
		key: [id]
		columns: {id: {from: PK}, total: {type: int64}}
	own:
		where: {$or: [{type: [meta]}, {$expr: PK == SK}]}
		key: [id]
		columns: {id: {from: PK}}`

func invoice(pk, total, paid string) string {
	paidAttribute := ""
	if paid != "" {
		paidAttribute = fmt.Sprintf(`,"paid":{"N":%q}`, paid)
	}
	return fmt.Sprintf(`{"PK":{"S":%q},"SK":{"S":"I"},"type":{"S":"invoice"},"total":{"N":%q}%s}`, pk, total, paidAttribute)
}

// TestConditionInWhere: rows and deletes follow an expression over the item, of the new
// image and of the old one.
func TestConditionInWhere(t *testing.T) {
	u := compiled(t, conditionTables+"\nunmatched: ignore")
	b := mapAll(t, u, everything(u), records(cdcFormat,
		insert(invoice("a", "10", "")),
		insert(invoice("b", "10", "10")),
		change("MODIFY", invoice("a", "10", "10.0"), invoice("a", "10", "4")),
		change("REMOVE", "", invoice("c", "20", "1")),
		insert(invoice("d", "0", "-1")),
		insert(`{"PK":{"S":"x"},"SK":{"S":"x"},"type":{"S":"item"}}`),
		insert(`{"PK":{"S":"y"},"SK":{"S":"z"},"type":{"S":"item"}}`),
		insert(`{"PK":{"S":"m"},"SK":{"S":"z"},"type":{"S":"meta"}}`),
	))
	equal(t, "open", dump(b, "open"), `0 upsert "a" 10`, `2 delete "a" 10`, `3 delete "c" 20`)
	equal(t, "own", dump(b, "own"), `5 upsert "x"`, `7 upsert "m"`)
	equal(t, "dead letters", letters(b),
		"bad_value: table open, where: $expr: total > (paid ?? 0) && 100 / total < 50 with total = 0, paid = -1: division by zero")
}

// TestConditionOfOldImages: what can't be computed of an old image has no row, and takes
// nothing of its change with it; an archive needs it.
func TestConditionOfOldImages(t *testing.T) {
	u := compiled(t, conditionTables)
	b := mapAll(t, u, everything(u), records(cdcFormat,
		change("MODIFY", invoice("d", "5", "-1"), invoice("d", "0", "-1")),
		change("REMOVE", "", invoice("d", "0", "-1"))))
	equal(t, "open", dump(b, "open"), `0 upsert "d" 5`)
	equal(t, "dead letters", letters(b))

	u = compiled(t, `
unmatched: ignore
tables:
	gone:
		where: {$meta.event_name: [REMOVE], $expr: 1 / total > 0}
		columns: {id: {from: PK}}`)
	b = mapAll(t, u, everything(u), records(cdcFormat,
		change("REMOVE", "", invoice("a", "5", "")), change("REMOVE", "", invoice("b", "0", "")), change("REMOVE", "", invoice("c", "-1", ""))))
	equal(t, "gone", dump(b, "gone"), `0 upsert "a"`)
	if got := letters(b); len(got) != 1 || !strings.Contains(got[0], "bad_value: table gone, where: $expr: 1 / total > 0 with total = 0") {
		t.Errorf("dead letters %q", got)
	}
}

// TestConditionOfKeys: of a removal that tells no more than the key, the row goes where
// the condition is of the key alone, or no other item can have the row.
func TestConditionOfKeys(t *testing.T) {
	u := compiled(t, `
unmatched: ignore
tables:
	ofkey:
		where: {$expr: 'hasPrefix(PK, "a")'}
		key: [first]
		columns: {first: {from: PK, split: "#", part: 1}}
	identified:
		where: {$expr: "1 / (total ?? 0) > 0"}
		key: [pk]
		columns: {pk: {from: PK}}
	shared:
		where: {$expr: total > 0}
		key: [first]
		columns: {first: {from: PK, split: "#", part: 1}}
	folded:
		where: {$expr: total > 0}
		key: [pk]
		columns: {pk: {from: PK, type: uuid, on_error: "null"}}`)
	removal := func(pk string) string {
		return strings.ReplaceAll(change("REMOVE", "", ""), `{"S":"k"}`, fmt.Sprintf(`{"S":%q}`, pk))
	}
	b := mapAll(t, u, everything(u), records(cdcFormat, removal("a#1"), removal("b#1"), removal("00000000-0000-0000-0000-00000000000A")))
	equal(t, "ofkey", dump(b, "ofkey"), `0 delete "a"`)
	equal(t, "identified", dump(b, "identified"), `0 delete "a#1"`, `1 delete "b#1"`, `2 delete "00000000-0000-0000-0000-00000000000A"`)
	equal(t, "shared", dump(b, "shared"))
	equal(t, "folded", dump(b, "folded")) // another item may have the same UUID, in lower case
	equal(t, "dead letters", letters(b))
}

// TestConditionOfIgnored: what is not wanted may be told by an expression, too.
func TestConditionOfIgnored(t *testing.T) {
	u := compiled(t, `
ignore: {$expr: 'hasPrefix(SK, PK) && 1 / n > 0'}
tables:
	t:
		where: {type: [a]}
		key: [PK]
		columns: {PK: {}, n: {type: int64, mask: true}}`)
	b := mapAll(t, u, everything(u), records(jsonFormat, `{"PK":"a","SK":"a#1","n":1}`, `{"PK":"a","SK":"a#2","n":0}`, `{"PK":"a","SK":"b","n":1}`))
	if got := letters(b); len(got) != 2 || b.Ignored != 1 || got[0] != `bad_value: ignore: $expr: hasPrefix(SK, PK) && 1 / n > 0, of masked values: it can't be computed, or does not fit` {
		t.Errorf("%d ignored, dead letters %q", b.Ignored, got)
	}
}

// TestConditionOfMaskedValues: what is masked in a column is in no message of a where.
func TestConditionOfMaskedValues(t *testing.T) {
	u := compiled(t, `
tables:
	t:
		where: {$expr: 'email > 5 || PK == "k"'}
		key: [PK]
		columns: {PK: {}, email: {mask: true}}`)
	b := mapAll(t, u, everything(u), records(cdcFormat, insert(`{"PK":{"S":"k"},"email":{"S":"ada@example.org"}}`)))
	if got := letters(b); len(got) != 1 || strings.Contains(got[0], "ada@") || !strings.Contains(got[0], "table t, where: $expr: email > 5") {
		t.Errorf("dead letters %q", got)
	}
}

// TestConditionCoverage: names that an expression needs, and that no item has, are
// reported.
func TestConditionCoverage(t *testing.T) {
	u := compiled(t, `
unmatched: ignore
tables:
	t:
		where: {$expr: 'totl > 5 && (note ?? "") != "x"'}
		key: [PK]
		columns: {PK: {}}
	u:
		where: {$expr: totl > 5}
		key: [PK]
		columns: {PK: {}}`)
	var where []string
	for _, p := range u.Paths() {
		if p.Scope == pipeline.ScopeWhere {
			where = append(where, p.Table+" "+p.Path)
		}
	}
	equal(t, "paths", where, "u totl")
}

// TestConditionIsItsColumn: a table takes the items of which a column with the same
// expression is true, and the changes are dead letters of which it can't be computed.
func TestConditionIsItsColumn(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	some := map[string]int{}
	for range 300 {
		operand := func() string { return pick("a", "b", "c.d", "l[0]", "s[0]", "(a ?? 0)", "1", `"x"`, "len(s)") }
		text := operand() + pick(" > ", " == ", " <= ", " + 1 > 2 / ") + operand()
		if r.IntN(2) == 0 {
			text += pick(" && ", " || ") + operand() + pick(" != ", " < ") + operand()
		}
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		condition, err := New("items", readConfig(t, fmt.Sprintf("\nunmatched: ignore\ntables: {t: {where: {$expr: %s}, key: [id], columns: {id: {}}}}", quoted)))
		if err != nil {
			some["mistake"]++
			continue
		}
		column := compiled(t, fmt.Sprintf("\ntables: {t: {key: [id], columns: {id: {}, is: {type: bool, expr: %s}}}}", quoted))
		var lines []string
		for i := range 20 {
			item := fmt.Sprintf(`{"id":"%d"`, i)
			for _, name := range []string{"a", "b", "s"} {
				item += pick("", fmt.Sprintf(`,%q:%s`, name, pick("0", "1", "2.5", "null", `"x"`, `"xy"`, "true")))
			}
			lines = append(lines, item+pick("", `,"c":{"d":1}`, `,"c":{"d":"x"}`)+pick("", `,"l":[1]`, `,"l":[]`)+"}")
		}
		got := mapAll(t, condition, everything(condition), records(jsonFormat, lines...))
		is := mapAll(t, column, everything(column), records(jsonFormat, lines...))
		var want []string
		for _, row := range dump(is, "t") {
			if ok := strings.HasSuffix(row, " true"); ok {
				want = append(want, strings.TrimSuffix(row, " true"))
			}
		}
		equal(t, text, dump(got, "t"), want...)
		if len(got.DeadLetters) != len(is.DeadLetters) {
			t.Errorf("%s: dead letters %q, want %q", text, letters(got), letters(is))
		}
		some["row"] += len(want)
		some["dead letter"] += len(got.DeadLetters)
	}
	if some["row"] < 100 || some["dead letter"] < 20 || some["mistake"] > 250 {
		t.Errorf("too little happened: %v", some)
	}
}
