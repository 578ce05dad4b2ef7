package translate_test

import (
	"strings"
	"testing"
)

// TestRowLevelSecurity attaches policies and asks who sees which rows (t_rls).
func TestRowLevelSecurity(t *testing.T) {
	s := newSession(t)
	ok := func(sql string) {
		t.Helper()
		if _, err := s.try(sql); err != nil {
			t.Errorf("%s\n\t%v", sql, err)
		}
	}
	sees := func(user, want string) {
		t.Helper()
		s.as(user, func() {
			t.Helper()
			rows, err := s.try(`select who from orders order by 1`)
			if got := strings.Join(rows, " "); err != nil || got != want {
				t.Errorf("%s sees %q, %v; want %q", user, got, err, want)
			}
		})
	}
	ok(`create table orders(id int, who varchar(40)); insert into orders values (1, 'ann'), (2, 'bob'), (3, 'eve')`)
	ok(`create user pann password 'Abcd1234'; create user pbob password 'Abcd1234'; create role pboss; grant select, update, insert on orders to public`)
	ok(`create rls policy own with (who varchar(40)) as o using ('p' || o.who = current_user); create rls policy low with (id integer) using (id < 3)`)
	sees("pann", "ann bob eve")
	ok(`alter table orders row level security on`)
	sees("pann", "")
	ok(`attach rls policy own on orders to public`)
	sees("pann", "ann")
	sees("pbob", "bob")
	ok(`attach rls policy low on table orders to role pboss; grant role pboss to pbob`)
	sees("pbob", "bob")
	ok(`alter table orders row level security on conjunction type or`)
	sees("pbob", "ann bob")
	ok(`alter table orders row level security on conjunction type and; update orders set id = 9 where id = 2`)
	sees("pbob", "")
	s.as("pbob", func() {
		ok(`insert into orders values (10, 'zoe')`)
		ok(`update orders set id = 0`)
	})
	if rows, err := s.try(`select id, who from orders order by id`); err != nil || strings.Join(rows, " ") != "1|ann 3|eve 9|bob 10|zoe" {
		t.Error(rows, err)
	}
	ok(`grant ignore rls to pbob`)
	sees("pbob", "ann bob eve zoe")
	ok(`revoke ignore rls from pbob; detach rls policy own on orders from public`)
	sees("pann", "")
	sees("pbob", "ann")
	ok(`drop rls policy low cascade`)
	sees("pbob", "")
	ok(`alter table orders row level security off`)
	sees("pbob", "ann bob eve zoe")
	ok(`drop rls policy own; drop table orders; drop role pboss force; drop user pann, pbob`)
}
