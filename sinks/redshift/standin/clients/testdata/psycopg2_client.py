"""psycopg2: literals written into the text by libpq's escaping, simple protocol."""

import psycopg2
import psycopg2.extras

from acceptance import Acceptance
from checks import DATABASE, HOST, PASSWORD, PORT, USER, check, equal, refused


def connect(autocommit, **more):
    db = psycopg2.connect(**{**dict(host=HOST, port=PORT, dbname=DATABASE, user=USER, password=PASSWORD), **more})
    db.autocommit = autocommit
    return db


a = Acceptance(connect, lambda e: getattr(e, "pgcode", None), {"name": "psycopg2"})


def own():
    db = connect(False)
    equal("server_version", db.server_version, 80002)
    equal("padb_version", db.get_parameter_status("padb_version") is not None, True)
    equal("standard_conforming_strings", db.get_parameter_status("standard_conforming_strings"), None)
    equal("datestyle", db.get_parameter_status("datestyle"), "ISO, MDY")
    a.do("create table own_many (id int, v varchar(20))")
    cursor = db.cursor()
    psycopg2.extras.execute_values(cursor, "insert into own_many values %s", [(i, f"v{i}") for i in range(250)])
    db.commit()
    check("execute_values", lambda: a.one("select count(*) from own_many"), 250)
    # A cursor of the server's, as it is used for large answers.
    named = db.cursor("c1")
    named.itersize = 100
    named.execute("select id from own_many order by id")
    equal("a server's cursor", [r[0] for r in named], list(range(250)))
    other = db.cursor("c2")
    refused("a second cursor", lambda: other.execute("select 1"), a.state, None)
    db.rollback()
    refused("COPY FROM STDIN", lambda: db.cursor().copy_expert("copy own_many from stdin", open("/dev/null")), a.state, None)
    db.close()
    refused("another database", lambda: connect(False, dbname="nope"), lambda e: "3D000" if 'database "nope" does not exist' in str(e) else str(e), "3D000")
    refused("options", lambda: connect(False, options="-c standard_conforming_strings=on"),
            lambda e: "42704" if "standard_conforming_strings" in str(e) else str(e), "42704")
    db = connect(False, application_name="own", client_encoding="UTF8")
    equal("client_encoding", db.encoding, "UTF8")
    db.close()


a.run(own)
