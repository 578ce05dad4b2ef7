"""psycopg 3: parameters of the extended protocol, text and binary, pipelines."""

import psycopg

from acceptance import Acceptance
from checks import DATABASE, HOST, PASSWORD, PORT, USER, check, equal


def connect(autocommit, **more):
    return psycopg.connect(host=HOST, port=PORT, dbname=DATABASE, user=USER, password=PASSWORD, autocommit=autocommit, **more)


a = Acceptance(connect, lambda e: getattr(e, "sqlstate", None), {"name": "psycopg"})


def own():
    db = connect(True)
    equal("server_version", db.info.server_version, 80002)
    cursor = db.cursor(binary=True)
    cursor.execute("select %b::int + 1, %b::bigint, %b::float8, %b::varchar(10), %b::boolean", (41, 1 << 40, 2.5, "bin", True))
    equal("binary", cursor.fetchone(), (42, 1 << 40, 2.5, "bin", True))
    a.do("create table own_pipe (id int)")
    with db.pipeline():
        for i in range(20):
            db.execute("insert into own_pipe values (%s)", (i,))
    check("a pipeline", lambda: a.one("select sum(id) from own_pipe"), 190)
    # After five times it prepares by itself.
    got = [db.execute("select id + %s from own_pipe where id = %s", (1, i), prepare=True).fetchone()[0] for i in range(10)]
    equal("prepared", got, list(range(1, 11)))
    with db.transaction():
        with db.cursor("c1") as named:
            named.execute("select id from own_pipe order by id")
            equal("a server's cursor", [r[0] for r in named.fetchmany(7)], list(range(7)))
    db.close()


a.run(own)
