package syntax

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// taken are statements that Redshift takes. The second text, if there is one, is how the
// first is understood; else it is the first.
var taken = [][2]string{
	{"select 1"},
	{"select all a from t", "select a from t"},
	{"select distinct a, b from t"},
	{"select top 10 * from t"},
	{"select top 10 distinct a from t"},
	{"select top $1 a from t"},
	{"select a x, b as y, c \"Z\", d as select from s.t", `select a as x, b as y, c as "Z", d as select from s.t`},
	{"select *, t.*, s.t.*, dev.s.t.* from t"},
	{"select * exclude a, b from t", "select * exclude (a, b) from t"},
	{"select * exclude (a, b) from t"},
	{"select a exclude from t", "select a as exclude from t"},
	{"select 1 as \"tag\", 2 as \"from\""},
	{"select a into x from t"},
	{"select a into temp table #x from t", "select a into temp #x from t"},
	{"select a from dev.s.t as x (p, q) where (a > 1)"},
	{`select * from t "order"`, `select * from t as "order"`},
	{"select * from t * x", "select * from t as x"},
	{"select * from (select 1)"},
	{"select * from ((select 1) union (select 2)) x", "select * from (((select 1) union (select 2))) as x"},
	{"select * from ((select 1))", "select * from (select 1)"},
	{"select * from (select 1) x (a), t, u as v", "select * from (select 1) as x (a), t, u as v"},
	{"select * from a join b on a.x = b.x left outer join c using (x, y)",
		"select * from ((a inner join b on (a.x = b.x)) left join c using (x, y))"},
	{"select * from a natural full join b cross join c", "select * from ((a natural full join b) cross join c)"},
	{"select * from a join b join c on b.x = c.x on a.x = b.x",
		"select * from (a inner join (b inner join c on (b.x = c.x)) on (a.x = b.x))"},
	{"select * from (a join b on true) right join (select 1) c on false",
		"select * from ((a inner join b on true) right join (select 1) as c on false)"},
	{"select i.x, n from t c, c.items as i at n", "select i.x, n from t as c, c.items as i at n"},
	{"select * from t c, (c.items) as i at n", "select * from t as c, (c.items) as i at n"},
	{"select * from t c left join c.items as i on true, c.items[0].parts p",
		"select * from (t as c left join c.items as i on true), c.items[0].parts as p"},
	{"select * from t c join c.items as i", "select * from (t as c inner join c.items as i)"},
	{"select * from t c, unpivot c.j as v at k", "select * from t as c, unpivot c.j as v at k"},
	{"select * from t c, unnest(c.items) as u(x)", "select * from t as c, unnest(c.items) as u (x)"},
	{"select * from t c, unnest(c.items) with offset u(x, n)", "select * from t as c, unnest(c.items) with offset as u (x, n)"},
	{"select * from generate_series(1, 10) as g(n)", "select * from generate_series(1, 10) as g (n)"},
	{"select * from pg_get_late_binding_view_cols() cols(view_schema name, col_type varchar(9), ordinal_position int)",
		"select * from pg_get_late_binding_view_cols() as cols (view_schema name, col_type varchar(9), ordinal_position int)"},
	{"select * from (select a, b from t) pivot (avg(a) as m for b in ('x' as y, 'z')) p",
		"select * from (select a, b from t) pivot (avg(a) as m for b in ('x' as y, 'z')) as p"},
	{"select * from t unpivot include nulls (n for c in (r as red, g))"},
	{"select * from t unpivot exclude nulls (n for c in (r))", "select * from t unpivot (n for c in (r))"},
	{"select id from e where level < 4 start with n = 'J' connect by prior id = m",
		"select id from e where (level < 4) start with (n = 'J') connect by ((prior id) = m)"},
	{`select count(*) from e "start" connect by m = prior e.id start with n = 'J'`,
		`select count(*) from e as "start" start with (n = 'J') connect by (m = (prior e.id))`},
	{"select a, sum(b) s from t group by a, 2 having sum(b) > 1 order by s desc nulls first, a asc limit 3 offset 4",
		"select a, sum(b) as s from t group by a, 2 having (sum(b) > 1) order by s desc nulls first, a limit 3 offset 4"},
	{"select a from t group by all"},
	{"select a from t group by rollup(a, (b, c)), cube(d)", "select a from t group by rollup((a), (b, c)), cube((d))"},
	{"select a from t group by grouping sets ((a, b), a, ())", "select a from t group by grouping sets((a, b), (a), ())"},
	{"select a from t offset 1 limit all", "select a from t offset 1"},
	{"select * from t x qualify row_number() over (partition by a order by b) = 1",
		"select * from t as x qualify (row_number() over (partition by a order by b) = 1)"},
	{"select 1 union select 2 intersect select 3", "(select 1 union (select 2 intersect select 3))"},
	{"select 1 union all select 2 minus select 3", "((select 1 union all select 2) except select 3)"},
	{"(select 1 limit 1) except (select 2) order by 1", "((select 1 limit 1) except (select 2)) order by 1"},
	{"with a as (select 1), b (x) as (select 2) select * from a, b", "with a as (select 1), b (x) as (select 2) select * from a, b"},
	{"with recursive r (n) as (select 1 union all select n + 1 from r) select * from r",
		"with recursive r (n) as ((select 1 union all select (n + 1) from r)) select * from r"},
	{"select * from (with a as (select 1) select * from a)"},
	{"select timestamp from tsn order by timestamp"},
	{"select c.oid from pg_catalog.pg_class c where oid > 1", "select c.oid from pg_catalog.pg_class as c where (oid > 1)"},
	{"insert into t values (1, 'a'), (default, null)"},
	{"insert into dev.s.t (a, timestamp) values (1, '2024-01-01')"},
	{"insert into t default values"},
	{"insert into t (select 1)", "insert into t (select 1)"},
	{"insert into t (a) select 1 union select 2", "insert into t (a) (select 1 union select 2)"},
	{"insert into t ((select 1) union (select 2))", "insert into t (((select 1) union (select 2)))"},
	{"insert into t with x as (select 1) select * from x"},
	{"update t set a = 1, b = default where c", "update t set a = 1, b = default where c"},
	{"update f_sale as tgt set cust = stg.cust from stg_sale as stg where tgt.id = stg.id",
		"update f_sale as tgt set cust = stg.cust from stg_sale as stg where (tgt.id = stg.id)"},
	{"update t x set a = y.a from u y join v on true", "update t as x set a = y.a from (u as y inner join v on true)"},
	{"with d as (select 1) update t set a = 1"},
	{"delete t where a", "delete from t where a"},
	{"delete from dwh.f_x using dwh.stg_x _s, b where _s.id = dwh.f_x.id",
		"delete from dwh.f_x using dwh.stg_x as _s, b where (_s.id = dwh.f_x.id)"},
	{"with recursive d as (select 1) delete from t using d"},
	{"merge into tg using sr r on tg.id = r.id when matched then update set nm = r.nm, v = 1 when not matched then insert (id, nm) values (r.id, 'x')",
		"merge into tg using sr as r on (tg.id = r.id) when matched then update set nm = r.nm, v = 1 when not matched then insert (id, nm) values (r.id, 'x')"},
	{"merge into s.tg using s.sr on s.tg.id = s.sr.id when matched then delete when not matched then insert values (s.sr.id)",
		"merge into s.tg using s.sr on (s.tg.id = s.sr.id) when matched then delete when not matched then insert values (s.sr.id)"},
	{"merge into tg using sr on tg.id = sr.id remove duplicates", "merge into tg using sr on (tg.id = sr.id) remove duplicates"},
	{"truncate table s.t", "truncate s.t"},
	{"explain verbose select 1", "explain select 1"},
	{"explain with a as (select 1) delete from t using a"},
	{"prepare p (int, varchar(3)) as select $1, $2"},
	{"execute p (3, 'x')", "execute p(3, 'x')"},
	{"execute p"},
	{"deallocate prepare p", "deallocate p"},
	{"deallocate all"},
	{"declare c cursor for select 1"},
	{`DECLARE "c1" CURSOR WITHOUT HOLD FOR select 1`, `declare "c1" cursor for select 1`},
	{"fetch next from c", "fetch 1 from c"},
	{"fetch forward 10 from c", "fetch 10 from c"},
	{"fetch forward all from c", "fetch all from c"},
	{"fetch forward from c", "fetch 1 from c"},
	{"fetch 100 in \"SQL_CUR1\"", "fetch 100 from \"SQL_CUR1\""},
	{"close c"},
	{"call s.p(1, 'x')"},
	{"call p()"},
	{"SELECT/*a/*b*/c*/1--x\n", "select 1"},
}

func TestStatements(t *testing.T) {
	t.Parallel()
	for _, c := range taken {
		sql, want := c[0], c[1]
		if want == "" {
			want = sql
		}
		all, err := Parse(sql)
		if err != nil || len(all) != 1 {
			t.Errorf("%s: %d statements, %v", sql, len(all), err)
			continue
		}
		got := printStatement(all[0].Statement)
		if got != want {
			t.Errorf("%s is understood as\n\t%s, not as\n\t%s", sql, got, want)
		}
		checkPrinted(t, all[0].Statement)
	}
}

// checkPrinted reads what was printed of a statement: nothing may be lost.
func checkPrinted(t *testing.T, s Statement) {
	t.Helper()
	printed := printStatement(s)
	again, err := Parse(printed)
	if err != nil {
		t.Errorf("%s: %v", printed, err)
		return
	}
	if was, is := dump(s), dump(again[0].Statement); was != is {
		t.Errorf("%s was\n\t%s\nand is\n\t%s", printed, was, is)
	}
}

// refused are statements that Redshift's grammar does not have. The mark stands before the
// token that the error names.
var refused = []string{
	"select ¦",
	"select ¦from t",
	"¦selec 1",
	"select 1 ¦2",
	"select (1¦",
	"select 1¦)",
	"¦values (1), (2)",
	"select * from (values (1, 'a')¦) v(id, nm)",
	"select * from t where a is ¦distinct from 'a'",
	"select * from t where a is not ¦distinct from 'a'",
	"select count(*) filter ¦(where a)",
	"select sum(a) ¦within group (order by a) from t",
	"select lag(a ignore nulls) ¦from t",
	"select lag(a) respect nulls¦",
	"select string_agg(a, ',' ¦order by a) from t",
	"select * from t, lateral (¦select 1) x",
	"select * from t fetch ¦first 5 rows only",
	"select * from t ¦for update",
	"select * from t tablesample ¦bernoulli (10)",
	"select * from t x ¦tablesample bernoulli (10)",
	"select sum(a) over ¦w from t window w as (order by a)",
	"select sum(a) over (order by b ¦range between unbounded preceding and current row) from t",
	"select sum(a) over (order by b ¦groups 1 preceding) from t",
	"select sum(a) over (order by b rows 1 ¦following) from t",
	"select sum(a) over (¦rows unbounded preceding) from t",
	"select sum(a) over (order by b rows between unbounded ¦following and current row) from t",
	"select * from a join b ¦",
	"select * from a join b ¦where true",
	"select * from a cross join b ¦on true",
	"select * from a natural join b ¦using (x)",
	"select * from (a ¦) x",
	"select * from (values (1, 'a')¦, (2, 'b')) v(id, nm)",
	"select * from t intersect ¦all select 1",
	"select * from t except ¦all select 1",
	"select * from t union ¦distinct select 1",
	"select a from t limit 1 ¦limit 2",
	"select a from t order by a ¦where true",
	"select a from t group by a ¦where true",
	"select 1 < 2 ¦< 3",
	"select a like b ¦like c",
	"select * from t qualify ¦row_number() over () = 1",
	"select a from t start with ¦",
	"select current_date¦()",
	"select a ¦collate \"C\"",
	"select b from t where a between symmetric ¦1 and 2",
	"select 1 as ¦",
	"select ¦tag from t",
	"select a from ¦order",
	"select a from t ¦user",
	"select * from ¦open",
	"select top ¦(10) a from t",
	"select * ¦+ 1",
	"select t.* ¦+ 1 from t",
	"select a from t where b = c * 10¦(+)",
	"select cast(a as ¦)",
	"select a::varchar(¦n)",
	"select ¦{fn now()}",
	"select a ¦\\ b",
	"insert into t values ¦",
	"insert into t (a) values (1) ¦returning a",
	"insert into f_sale(sale_id,cust) values (1,'a') ¦on conflict (sale_id) do update set cust = excluded.cust",
	"insert into t ¦as x values (1)",
	"insert into t (a¦.b) values (1)",
	"insert ¦t values (1)",
	"insert into t ¦overriding system value select 1",
	"insert into t (a, ¦tag) values (1, 2)",
	"with a as (select 1) ¦insert into t select * from a",
	"with a as (¦insert into t values (1)) select 1",
	"delete from f_sale ¦returning *",
	"delete from f_sale ¦f using stg_sale s where f.sale_id = s.sale_id",
	"delete from f_sale ¦as f",
	"update t set ¦(a, b) = (1, 2)",
	"update t set a¦.b = 1",
	"update t ¦where a",
	"truncate f_sale ¦restart identity",
	"truncate a¦, b",
	"truncate t ¦cascade",
	"merge into tg ¦as x using sr on x.id = sr.id when matched then delete when not matched then insert values (1)",
	"merge into tg ¦x using sr on x.id = sr.id remove duplicates",
	"merge into tg using ¦(select 1) s on true remove duplicates",
	"merge into tg using sr on tg.id = sr.id when matched ¦and sr.nm <> tg.nm then update set nm = sr.nm when not matched then insert values (sr.id)",
	"merge into tg using sr on tg.id = sr.id when matched then update set nm = sr.nm¦",
	"merge into tg using sr on tg.id = sr.id when ¦not matched then insert values (sr.id, sr.nm, sr.v)",
	"merge into tg using sr on tg.id = sr.id when matched then delete when ¦matched then delete",
	"merge into tg using sr on tg.id = sr.id when matched then delete when not matched then insert values (1) ¦when matched then delete",
	"merge into tg using sr on tg.id = sr.id when matched then delete when not matched then insert values (1)¦, (2)",
	"merge into tg using sr on tg.id = sr.id when matched then ¦do nothing",
	"merge into tg using sr on tg.id = sr.id when matched then update set nm = ¦default when not matched then insert values (1)",
	"merge into tg using sr on tg.id = sr.id when matched then delete when not matched then insert values (¦default)",
	"with s as (select * from sr) ¦merge into tg using s on tg.id = s.id remove duplicates",
	"explain ¦analyze select 1",
	"explain ¦truncate t",
	"explain (¦analyze) select 1",
	"prepare p as ¦truncate t",
	"execute p(¦)",
	"declare c ¦binary cursor for select 1",
	"declare c cursor ¦with hold for select 1",
	"fetch ¦backward 1 from c",
	"fetch ¦-1 from c",
	"close ¦all",
	"call p¦",
	"select 1; ¦selec 2",
}

func TestRefused(t *testing.T) {
	t.Parallel()
	checkRefused(t, refused)
}

func checkRefused(t *testing.T, all []string) {
	t.Helper()
	for _, marked := range all {
		sql := strings.Replace(marked, "¦", "", 1)
		before, after, _ := strings.Cut(marked, "¦")
		_, err := Parse(sql)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) {
			t.Errorf("%s: taken", sql)
			continue
		}
		want := "syntax error at end of input"
		if l := (&lexer{source: sql, pos: len(before)}).next(); after != "" {
			want = `syntax error at or near "` + sql[l.pos:l.end] + `"`
		}
		if pg.Code != "42601" || pg.Message != want || pg.Position != Position(sql, len(before)) {
			t.Errorf("%s: %s %s at %d, want %s at %d", sql, pg.Code, pg.Message, pg.Position, want, Position(sql, len(before)))
		}
	}
}
