package unnest

import (
	"fmt"
	"strings"
	"testing"
)

func TestIgnore(t *testing.T) {
	u := compiled(t, `
tables:
	customer:
		where: {type: [customer]}
		key: [id]
		columns: {id: {}}
ignore: {id: [{prefix: "EMAIL#"}]}`)
	customer, email, other := `{"id":{"S":"1"},"type":{"S":"customer"}}`, `{"id":{"S":"EMAIL#a"}}`, `{"id":{"S":"2"},"type":{"S":"invoice"}}`
	both := `{"id":{"S":"EMAIL#b"},"type":{"S":"customer"}}`
	lines := []string{
		insert(customer), insert(email), insert(other), insert(both),
		change("MODIFY", email, customer), change("MODIFY", other, email),
		change("REMOVE", "", email), change("REMOVE", "", other), change("REMOVE", "", ""),
	}
	for _, settled := range []bool{false, true} {
		needs := everything(u)
		needs.Settled = settled
		b := mapAll(t, u, needs, records(cdcFormat, lines...))
		equal(t, "rows", dump(b, "customer"), `0 upsert "1"`, `3 upsert "EMAIL#b"`, `4 delete "1"`)
		var at []string
		for _, d := range b.DeadLetters {
			at = append(at, fmt.Sprint(d.At, " ", d.Reason))
		}
		equal(t, "letters", at, "2 unmatched", "5 unmatched", "7 unmatched")
		if b.Ignored != 3 {
			t.Errorf("%d are ignored", b.Ignored)
		}
	}
	needs := everything(u)
	needs.Deletes = nil
	b := mapAll(t, u, needs, records(cdcFormat, lines...))
	if len(b.DeadLetters) != 3 {
		t.Errorf("without deletes: %v", letters(b))
	}
}

// Items are ignored also where every table takes removed ones only.
func TestIgnoreBesideArchives(t *testing.T) {
	u := compiled(t, "tables: {gone: {where: {$meta.event_name: [REMOVE], type: [a]}, columns: {id: {}}}}\nignore: {type: [a]}")
	b := mapAll(t, u, everything(u), records(cdcFormat,
		insert(`{"id":{"S":"1"},"type":{"S":"a"}}`), insert(`{"id":{"S":"1"},"type":{"S":"b"}}`), change("REMOVE", "", `{"id":{"S":"1"},"type":{"S":"a"}}`)))
	equal(t, "gone", dump(b, "gone"), `2 upsert "1"`)
	if len(b.DeadLetters) != 1 || b.DeadLetters[0].At != 1 {
		t.Errorf("dead letters %v", letters(b))
	}
}

func TestIgnoreWithoutNeed(t *testing.T) {
	u := compiled(t, "tables: {all: {columns: {id: {}}}}\nignore: {type: [a]}")
	if w := u.Warnings(); len(w) != 1 || !strings.Contains(w[0].Error(), "a table without where takes every item") {
		t.Errorf("warnings %v", w)
	}
}
