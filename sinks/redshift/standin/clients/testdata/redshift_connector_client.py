"""Amazon's own Python connector: everything by Parse, Bind and Execute."""

import redshift_connector

from acceptance import Acceptance
from checks import DATABASE, HOST, PASSWORD, PORT, USER, check, equal, refused, true


def connect(autocommit, **more):
    db = redshift_connector.connect(**{**dict(host=HOST, port=PORT, database=DATABASE, user=USER, password=PASSWORD, ssl=False), **more})
    db.autocommit = autocommit
    return db


def state(e):
    """The server's fields are a dictionary, of which it gives the exception the text."""
    for a in e.args:
        if isinstance(a, dict):
            return a.get("C")
    return None


a = Acceptance(connect, state, {"name": "connector", "vb": "abc"})


def own():
    db = connect(False)
    cursor = db.cursor()
    a.do("create table own_bulk (id int, v varchar(20), n decimal(10,2))")
    cursor.execute("insert into own_bulk values (%s, %s, %s)", (1, "one", 1.5))
    db.commit()
    names = [r[2] for r in cursor.get_tables(schema_pattern="public", table_name_pattern="own_%")]
    equal("get_tables", names, ["own_bulk"])
    columns = [(r[3], r[5], r[6]) for r in cursor.get_columns(schema_pattern="public", tablename_pattern="own_bulk")]
    equal("get_columns", columns, [("id", "int4", 10), ("v", "varchar", 20), ("n", "numeric", 10)])
    a.do("create table own_keyed (a int, b int not null, primary key (b))")
    db.rollback()  # its snapshot is older than the table
    equal("get_primary_keys", [(r[2], r[3]) for r in cursor.get_primary_keys(schema="public", table="own_keyed")], [("own_keyed", "b")])
    true("get_schemas", "acc" in [r[0] for r in cursor.get_schemas()], "acc is missing")
    true("get_catalogs", DATABASE in [r[0] for r in cursor.get_catalogs()], DATABASE + " is missing")
    with open("bulk.csv", "w") as f:
        f.write("id,v\n" + "".join(f"{i},v{i}\n" for i in range(30)))
    cursor.insert_data_bulk(filename="bulk.csv", table_name="public.own_bulk", parameter_indices=[0, 1], column_names=["id", "v"], delimiter=",", batch_size=7)
    db.commit()
    check("insert_data_bulk", lambda: a.one("select count(*) from own_bulk where n is null"), 30)
    cursor.execute("select id from own_bulk order by id")
    equal("fetchmany", [r[0] for r in cursor.fetchmany(3)], [0, 1, 1])
    db.rollback()
    db.close()
    refused("another database", lambda: connect(False, database="nope"), state, "3D000", "does not exist")


a.run(own)
