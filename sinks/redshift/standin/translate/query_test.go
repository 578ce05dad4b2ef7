package translate_test

import "testing"

func TestFirst(t *testing.T) {
	s := newSession(t)
	s.expect("select 1+1 as two, 'a\\'b' as s", "2|a'b")
	s.run(`create table t(id int, "Name" varchar(10), doc super)`)
	s.run(`insert into t values (1, 'a', null), (2, 'b', null)`)
	s.expect("select id, name, doc.a[1].b from t order by id", `1|a|~`, "2|b|~")
	s.run("update t set name = 'c' where id = 2")
	s.run("delete from t where id = 1")
	s.expect("select * from t", "2|c|~")
	s.refuses("select nope from t", "42703", `column "nope" does not exist in t`)
	s.refuses("select * from nope", "42P01", `relation "nope" does not exist`)
	s.run("drop table t")
}
