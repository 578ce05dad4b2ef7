"""The acceptance statements, by any driver of Python's DB-API.

connect(autocommit) returns a connection; state(exception) the SQLSTATE; what
drivers make of types that Python lacks is in the dictionary `own`.
"""

import datetime
import decimal

from checks import BUCKET, DATABASE, ROLE, check, equal, main, refused, true

UTC = datetime.timezone.utc


class Acceptance:
    def __init__(self, connect, state, own):
        self.connect, self.state, self.own = connect, state, own
        self.db = connect(True)

    # One statement, in a cursor of its own.
    def rows(self, sql, *args, db=None):
        cursor = (db or self.db).cursor()
        try:
            cursor.execute(sql, args or None) if args else cursor.execute(sql)
            return [tuple(r) for r in cursor.fetchall()]
        finally:
            cursor.close()

    def one(self, sql, *args, db=None):
        rows = self.rows(sql, *args, db=db)
        assert len(rows) == 1 and len(rows[0]) == 1, f"{sql}: {rows!r} is not one value"
        return rows[0][0]

    def do(self, sql, *args, db=None):
        cursor = (db or self.db).cursor()
        try:
            cursor.execute(sql, args or None) if args else cursor.execute(sql)
        finally:
            cursor.close()

    def refuses(self, name, sql, code, text="", *args, db=None):
        refused(name, lambda: self.do(sql, *args, db=db), self.state, code, text)
        (db or self.db).rollback()

    def run(self, *more):
        main(self.settings, self.transactions, self.session, self.catalogs, self.metadata, self.names,
             self.types, self.parameters, self.errors, self.loads, *more)

    # 1: what clients set and show at their start.
    def settings(self):
        self.do("SET datestyle TO 'ISO'")
        check("datestyle", lambda: self.one("show datestyle"), "ISO, MDY")
        check("transaction isolation level", lambda: self.one("show transaction isolation level").lower(), "serializable")
        check("transaction_read_only", lambda: self.one("show transaction_read_only"), "off")
        self.do("SET application_name = 'acceptance'")
        check("application_name", lambda: self.one("show application_name"), "acceptance")
        self.do("SET query_group TO 'nightly'")
        check("query_group", lambda: self.one("select current_setting('query_group')"), "nightly")
        self.do("SET statement_timeout TO 600000")
        check("statement_timeout", lambda: self.one("show statement_timeout"), "600000")
        self.do("SET json_parse_truncate_strings=ON")
        check("json_parse_truncate_strings", lambda: self.one("show json_parse_truncate_strings"), "on")
        self.refuses("IntervalStyle", "set IntervalStyle = 'iso_8601'", "42704")
        self.refuses("standard_conforming_strings", "set standard_conforming_strings = on", "42704")
        self.refuses("lock_timeout", "set lock_timeout = 1", "42704")

    # 1: transactions, by statements and by the driver's own.
    def transactions(self):
        self.do("create table acc_tx (id int)")
        for begin, end, want in (("BEGIN", "COMMIT", 1), ("begin transaction", "rollback", 1), ("START TRANSACTION", "END", 2)):
            self.do(begin)
            self.do("insert into acc_tx values (1)")
            self.do(end)
            check(f"{begin} … {end}", lambda: self.one("select count(*) from acc_tx"), want)
        db = self.connect(False)
        try:
            self.do("insert into acc_tx values (7)", db=db)
            check("its own rows before commit", lambda: self.one("select count(*) from acc_tx", db=db), 3)
            check("others' rows before commit", lambda: self.one("select count(*) from acc_tx"), 2)
            db.commit()
            check("rows after commit", lambda: self.one("select count(*) from acc_tx"), 3)
            self.do("delete from acc_tx", db=db)
            db.rollback()
            check("rows after rollback", lambda: self.one("select count(*) from acc_tx"), 3)
            self.refuses_in(db)
        finally:
            db.close()
        self.do("begin")
        self.do("truncate table acc_tx")
        self.do("rollback")
        check("TRUNCATE has committed", lambda: self.one("select count(*) from acc_tx"), 0)

    # After an error nothing is taken until the end of the transaction.
    def refuses_in(self, db):
        def fail(sql):
            return lambda: self.do(sql, db=db)
        refused("an error", fail("select * from nowhere"), self.state, "42P01")
        refused("in an aborted transaction", fail("select 1"), self.state, "25P02", "current transaction is aborted")
        db.rollback()
        refused("VACUUM in a transaction", fail("vacuum acc_tx"), self.state, "25001", "VACUUM cannot run inside a transaction block")
        db.rollback()
        refused("a savepoint", fail("savepoint s"), self.state, None)
        db.rollback()

    # 2: what clients ask of the session.
    def session(self):
        version = self.one("select pg_catalog.version()")
        true("version", version.startswith("PostgreSQL 8.0.2 on ") and " Redshift 1.0." in version, version)
        check("current_schema", lambda: self.one("select current_schema()"), "public")
        check("current_database", lambda: self.one("select current_database()"), DATABASE)
        pid = self.one("select pg_backend_pid()")
        true("pg_backend_pid", isinstance(pid, int) and pid > 0, repr(pid))
        check("pg_backend_pid stays", lambda: self.one("select pg_backend_pid()"), pid)
        cursor = self.db.cursor()
        cursor.execute("select 1 as id")
        equal("select 1 as id", [tuple(r) for r in cursor.fetchall()], [(1,)])
        equal("its column", [(self.text(d[0]), d[1]) for d in cursor.description], [("id", 23)])
        check("hstore", lambda: self.rows("SELECT t.oid, NULL FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore'"), [])

    @staticmethod
    def text(s):
        return s.decode() if isinstance(s, bytes) else s

    # 3: what dbt and others ask of the catalog.
    def catalogs(self):
        self.do("create schema acc")
        self.do("create table acc.facts (id bigint not null, name varchar(20), amount decimal(10,2) encode az64, sold timestamp, doc super,"
                " primary key (id)) diststyle key distkey (id) compound sortkey (sold, id)")
        self.do("create view acc.bound as select id, name from acc.facts")
        self.do("create view acc.late as select id, amount from acc.facts with no schema binding")
        names = [r[0] for r in self.rows("select distinct nspname from pg_namespace")]
        true("schemas", {"public", "acc", "pg_catalog", "information_schema"} <= set(names) and "rs" not in names, repr(names))
        check("information_schema.columns", lambda: self.rows(
            'select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable from information_schema."columns"'
            " where table_schema = 'acc' and table_name = 'facts' order by ordinal_position"), [
            ("id", "bigint", None, 64, 0, "NO"), ("name", "character varying", 20, None, None, "YES"),
            ("amount", "numeric", None, 10, 2, "YES"), ("sold", "timestamp without time zone", None, None, None, "YES"),
            ("doc", "super", None, None, None, "YES")])
        check("information_schema.tables and views", lambda: self.rows(
            "select table_name, 'table' as type from information_schema.tables where table_schema ilike 'ACC' and table_type = 'BASE TABLE'"
            " union all select table_name, case when view_definition ilike '%create materialized view%' then 'materialized_view' else 'view' end"
            " from information_schema.views where table_schema ilike 'ACC' order by 1"),
            [("bound", "view"), ("facts", "table"), ("late", "view")])
        check("late-binding views' columns", lambda: self.rows(
            "select view_schema, view_name, col_name, col_type, ordinal_position from pg_get_late_binding_view_cols()"
            " cols(view_schema name, view_name name, col_name name, col_type varchar, ordinal_position int) where view_schema = 'acc' order by 5"),
            [("acc", "late", "id", "bigint", 1), ("acc", "late", "amount", "numeric(10,2)", 2)])
        check("external columns", lambda: self.rows("select * from svv_external_columns"), [])
        check("svv_redshift_schemas", lambda: self.rows(
            "select database_name, schema_name, schema_type from svv_redshift_schemas where schema_name = 'acc'"), [(DATABASE, "acc", "local")])
        check("svv_external_schemas", lambda: self.rows("select schemaname from svv_external_schemas"), [])
        check("has_table_privilege", lambda: self.one("select has_table_privilege(current_user, 'svv_table_info', 'SELECT') as can_select"), True)

    # 4: what Amazon's drivers and sqlalchemy ask of it.
    def metadata(self):
        check("JDBC's first question", lambda: self.rows("select 1 from svv_external_schemas where schemaname like 'public'"), [])
        self.do("create table acc.evenly (a int) diststyle even")
        self.do("create table acc.everywhere (a int) diststyle all")
        check("reldiststyle", lambda: self.rows(
            "select c.relname, c.reldiststyle from pg_catalog.pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'acc' and c.relkind = 'r' order by 1"), [("evenly", 0), ("everywhere", 8), ("facts", 1)])
        check("keys of columns", lambda: self.rows(
            "SELECT att.attname, format_encoding(att.attencodingtype::integer), att.attisdistkey, att.attsortkeyord, att.attnotnull,"
            " format_type(att.atttypid, att.atttypmod) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_catalog.pg_attribute att ON att.attrelid = c.oid WHERE n.nspname = 'acc' AND c.relname = 'facts' AND att.attnum > 0"
            " AND NOT att.attisdropped ORDER BY att.attnum"), [
            ("id", "none", True, 2, True, "bigint"), ("name", "lzo", False, 0, False, "character varying(20)"),
            ("amount", "az64", False, 0, False, "numeric(10,2)"), ("sold", "none", False, 1, False, "timestamp without time zone"),
            ("doc", "zstd", False, 0, False, "super")])
        check("a subquery without alias", lambda: self.rows(
            "SELECT * FROM (SELECT CAST(current_database() AS VARCHAR(124)) AS TABLE_CAT, table_name FROM svv_tables WHERE table_schema = 'acc')"
            " WHERE table_name LIKE 'fa%'"), [(DATABASE, "facts")])
        self.refuses("a column of newer catalogs", "select typarray from pg_type", "42703")
        self.refuses("a newer catalog", "select * from pg_enum", "42P01")

    # 5: names of three parts, as dbt writes them.
    def names(self):
        db = DATABASE
        self.do('create schema "dbts"')
        self.do(f'/* {{"app": "dbt"}} */\n\n  create  table\n    "{db}"."dbts"."m"\n    \n    \n  as (\n    select 1 as id, \'a\'::varchar(5) as name\n  );')
        check("a table of a query", lambda: self.rows(f'select * from "{db}"."dbts"."m"'), [(1, "a")])
        self.do(f'alter table "{db}"."dbts"."m" rename to "n"')
        check("renamed", lambda: self.rows(f"select id from {db}.dbts.N"), [(1,)])
        self.do(f'create view "{db}"."dbts"."v" as (\n select * from "{db}"."dbts"."n"\n ) with no schema binding;')
        self.do(f'drop table if exists "{db}"."dbts"."n" cascade')
        self.refuses("a late-binding view whose table is gone", f'select * from "{db}"."dbts"."v"', "42P01")
        self.do(f'drop table if exists "{db}"."dbts"."n" cascade')
        self.do('drop schema "dbts" cascade')
        self.refuses("another database's table", 'create table "elsewhere"."public"."t" (a int)', None)

    # Values and types as the driver sees them.
    def types(self):
        self.do("create table acc_types (s smallint, i int, b bigint, r real, d double precision, n decimal(20,5), t boolean, c char(5), v varchar(300),"
                " x text, da date, ts timestamp, tz timestamptz, ti time, doc super, vb varbyte(10))")
        self.do("insert into acc_types values (-32768, 2147483647, -9223372036854775808, 1.5, 2.25, 123456789012345.67891, true, 'ab', 'grüße', 'txt',"
                " '2024-02-29', '2024-02-29 12:34:56.123456', '2024-02-29 12:34:56+02', '23:59:59.5', json_parse('{\"b\":[1,2.50],\"a\":null}'), to_varbyte('616263','hex'))")
        wants = [
            ("s", 21, -32768), ("i", 23, 2147483647), ("b", 20, -9223372036854775808), ("r", 700, 1.5), ("d", 701, 2.25),
            ("n", 1700, decimal.Decimal("123456789012345.67891")), ("t", 16, True), ("c", 1042, "ab   "), ("v", 1043, "grüße"), ("x", 1043, "txt"),
            ("da", 1082, datetime.date(2024, 2, 29)), ("ts", 1114, datetime.datetime(2024, 2, 29, 12, 34, 56, 123456)),
            ("tz", 1184, datetime.datetime(2024, 2, 29, 10, 34, 56, tzinfo=UTC)), ("ti", 1083, datetime.time(23, 59, 59, 500000)),
            ("doc", 4000, '{"b":[1,2.50],"a":null}'), ("vb", 6551, "616263"),
        ]
        cursor = self.db.cursor()
        cursor.execute("select * from acc_types")
        row, described = tuple(cursor.fetchone()), cursor.description
        equal("columns of all types", [self.text(d[0]) for d in described], [name for name, _, _ in wants])
        for (name, oid, want), got, d in zip(wants, row, described):
            equal(f"OID of {name}", d[1], self.own.get(f"oid {name}", oid))
            if name == "tz" and hasattr(got, "astimezone"):
                got = got.astimezone(UTC)
            equal(f"value of {name}", got, self.own.get(name, want))
        check("nulls", lambda: self.rows("select null::smallint, null::super, null::varchar(3), null::timestamptz, null::decimal(5,2)"), [(None,) * 5])
        check("counts are bigint", lambda: self.described("select count(*) from acc_types"), [20])
        check("sums are numeric", lambda: self.described("select sum(n) from acc_types"), [1700])
        check("literals are varchar", lambda: self.described("select 'a' as x"), [1043])

    def described(self, sql):
        cursor = self.db.cursor()
        cursor.execute(sql)
        cursor.fetchall()
        return [d[1] for d in cursor.description]

    # What drivers bind, or write into the text by themselves.
    def parameters(self):
        self.do("create table acc_par (id int, v varchar(100), t timestamp, n decimal(18,4), b boolean, d date)")
        texts = ["plain", "it's", "a\\b", "tail\\", "\\'; drop table acc_par; --", 'say "hi"', "ünïcødé 漢字", "per%cent %s", "line\nbreak\ttab", ""]
        for i, text in enumerate(texts):
            self.do("insert into acc_par (id, v) values (%s, %s)", i, text)
        check("texts", lambda: [r[0] for r in self.rows("select v from acc_par order by id")], texts)
        for text in texts:
            check(f"compare {text!r}", lambda: self.one("select count(*) from acc_par where v = %s", text), 1)
        self.do("insert into acc_par values (%s, %s, %s, %s, %s, %s)", 99, None, datetime.datetime(2020, 1, 2, 3, 4, 5, 678901),
                decimal.Decimal("12345678901234.5678"), True, datetime.date(2021, 12, 31))
        check("other values", lambda: self.rows("select * from acc_par where id = %s", 99), [
            (99, None, datetime.datetime(2020, 1, 2, 3, 4, 5, 678901), decimal.Decimal("12345678901234.5678"), True, datetime.date(2021, 12, 31))])
        cursor = self.db.cursor()
        cursor.executemany("insert into acc_par (id, v) values (%s, %s)", [(1000 + i, f"many {i}") for i in range(50)])
        cursor.close()
        check("many", lambda: self.one("select count(*) from acc_par where id >= %s", 1000), 50)
        cursor = self.db.cursor()
        cursor.execute("update acc_par set v = 'x' where id >= 1000")
        equal("rows that an UPDATE changed", cursor.rowcount, 50)
        cursor.close()

    # SQLSTATEs that loaders match.
    def errors(self):
        self.do("create table acc_err (id int not null, v varchar(5))")
        self.refuses("no such table", "select * from nowhere", "42P01", 'relation "nowhere" does not exist')
        self.refuses("no such column", "select nothing from acc_err", "42703")
        self.refuses("no such function", "select nofunction(1)", "42883")
        self.refuses("no such type", "create table acc_bad (a jsonb)", None)
        self.refuses("a syntax error", "selec 1", "42601", 'syntax error at or near "selec"')
        self.refuses("a reserved word", "create table acc_bad (tag int)", "42601", 'syntax error at or near "tag"')
        self.refuses("too long, in bytes", "insert into acc_err values (1, 'ééé')", "22001", "value too long for type character varying(5)")
        self.refuses("not null", "insert into acc_err values (null, 'a')", "XX000", "Cannot insert a NULL value into column id")
        self.refuses("a duplicate table", "create table acc_err (a int)", "42P07")
        self.refuses("a duplicate column", "create table acc_bad (A int, a int)", "42701")
        self.refuses("SET NOT NULL", "alter table acc_err alter column v set not null", "0A000")
        self.refuses("two columns at once", "alter table acc_err add column a int, add column b int", "42601")
        self.refuses("ON CONFLICT", "insert into acc_err values (1, 'a') on conflict do nothing", "42601")
        self.refuses("RETURNING", "delete from acc_err returning *", "42601")
        self.refuses("a leader's function on a table", "select current_schema(), id from acc_err", "0A000")
        self.do("insert into acc_err values (1, 'a')")
        self.do("create table acc_key (id int primary key)")
        self.do("insert into acc_key values (1), (1)")
        check("keys are not enforced", lambda: self.one("select count(*) from acc_key where id = 1"), 2)

    # 6: as awswrangler loads and unloads.
    def loads(self):
        self.do('CREATE TABLE IF NOT EXISTS "public"."acc_load" (\n"id" BIGINT,\n"name" VARCHAR(256),\nPRIMARY KEY ("id"))\nDISTSTYLE KEY\nDISTKEY("id")\nCOMPOUND SORTKEY("id")')
        self.do("insert into acc_load values (1, 'a|b'), (2, null), (3, 'ü\"x\"')")
        path = f"s3://{BUCKET}/acc/{self.own['name']}/"
        self.do(f"UNLOAD ('SELECT * FROM acc_load WHERE name <> ''none'' or name is null')\nTO '{path}'\nIAM_ROLE '{ROLE}'\nALLOWOVERWRITE\nPARALLEL ON\nFORMAT PARQUET\nENCRYPTED;")
        self.do('CREATE TABLE "public"."acc_load2" (LIKE acc_load)')
        self.do(f'COPY "public"."acc_load2" ("id","name")\nFROM \'{path}\'\nIAM_ROLE \'{ROLE}\'\nFORMAT AS PARQUET')
        check("rows loaded", lambda: self.rows("select id, name from acc_load2 order by id"), [(1, "a|b"), (2, None), (3, 'ü"x"')])
        check("pg_last_copy_count", lambda: self.one("select pg_last_copy_count()"), 3)
        self.refuses("REGION with Parquet", f"COPY acc_load2 FROM '{path}' IAM_ROLE '{ROLE}' PARQUET REGION 'us-east-1'",
                     None, "REGION argument is not supported for PARQUET based COPY")
        self.refuses("nothing to load", f"COPY acc_load2 FROM 's3://{BUCKET}/nothing/' IAM_ROLE '{ROLE}' CSV", "XX000")
        self.refuses("another type of column", f"COPY acc_types (da, v) FROM '{path}' IAM_ROLE '{ROLE}' PARQUET", "XX000")
