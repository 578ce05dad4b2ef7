package translate_test

import "testing"

// as runs statements as another user.
func (s *session) as(user string, f func()) {
	s.t.Helper()
	for _, sql := range []string{`SET SESSION AUTHORIZATION "` + user + `"`, "RESET SESSION AUTHORIZATION"} {
		if err := s.conn.Exec(s.t.Context(), sql); err != nil {
			s.t.Fatal(err)
		}
		if f != nil {
			f()
			f = nil
		}
	}
}

// TestRights grants and revokes, and asks what a user may do then.
func TestRights(t *testing.T) {
	s := newSession(t)
	ok := func(sql string) {
		t.Helper()
		if _, err := s.try(sql); err != nil {
			t.Errorf("%s\n\t%v", sql, err)
		}
	}
	refused := func(sql string, refusal string) {
		t.Helper()
		s.check("", statement{sql: sql, refusal: refusal})
	}
	ok(`create table f(a int, b int); create schema closed; create table closed.t(a int)`)
	ok(`create user ru password 'Abcd1234'; create group rg with user ru; create role rr; grant role rr to ru`)
	s.as("ru", func() {
		refused(`select * from f`, "42501 permission denied for relation f")
		refused(`insert into f values (1, 2)`, "42501 permission denied for relation f")
		refused(`select * from closed.t`, "42501 permission denied for schema closed")
		refused(`drop table f`, "42501 must be owner of relation f")
		refused(`alter table f add column c int`, "42501 must be owner of relation f")
		refused(`create user other password 'Abcd1234'`, "42501 must be superuser to create users")
		refused(`drop user ru`, "42501 must be superuser to drop users")
		ok(`create table own(a int); drop table own; create temp table own(a int); drop table own`)
	})
	ok(`grant select (a) on f to ru; grant insert on f to role rr; grant usage on schema closed to group rg; grant select on all tables in schema closed to public`)
	s.as("ru", func() {
		ok(`select a from f`)
		refused(`select b from f`, "42501 permission denied for relation f")
		ok(`insert into f values (1, 2)`)
		refused(`delete from f`, "42501 permission denied for relation f")
		ok(`select * from closed.t`)
	})
	ok(`revoke insert on f from role rr; revoke all on schema closed from group rg`)
	s.as("ru", func() {
		refused(`insert into f values (1, 2)`, "42501 permission denied for relation f")
		refused(`select * from closed.t`, "42501 permission denied for schema closed")
	})
	ok(`alter default privileges in schema public grant select on tables to group rg; create table later(a int)`)
	s.as("ru", func() { ok(`select * from later`) })
	ok(`alter default privileges in schema public revoke select on tables from group rg; drop schema closed cascade`)
	ok(`drop table f; drop table later; drop role rr force; drop group rg; drop user ru`)
}
