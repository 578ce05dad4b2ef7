"""sqlalchemy-redshift with the driver that is named: DDL with keys, and reflection."""

import sys

import sqlalchemy as sa
from sqlalchemy_redshift.commands import CopyCommand, Format, UnloadFromSelect
from sqlalchemy_redshift.dialect import SUPER

from checks import BUCKET, DATABASE, HOST, PASSWORD, PORT, ROLE, USER, equal, main, refused, true

driver = sys.argv[1]
arguments = {"sslmode": "disable"} if driver == "psycopg2" else {"ssl": False}
url = sa.URL.create("redshift+" + driver, USER, PASSWORD, HOST, PORT, DATABASE)
engine = sa.create_engine(url, connect_args=arguments)
meta = sa.MetaData()
sales = sa.Table(
    "sa_sales", meta,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("amount", sa.Numeric(12, 2)),
    sa.Column("sold", sa.DateTime),
    sa.Column("doc", SUPER),
    redshift_diststyle="KEY", redshift_distkey="id", redshift_sortkey=["sold", "id"],
)
lines = sa.Table(
    "sa_lines", meta,
    sa.Column("id", sa.Integer),
    sa.Column("sale", sa.BigInteger, sa.ForeignKey("sa_sales.id")),
    sa.UniqueConstraint("id", name="sa_lines_once"),
    redshift_diststyle="ALL",
)


def tables():
    meta.create_all(engine)
    inspector = sa.inspect(engine)
    true("has_table", inspector.has_table("sa_sales"), "sa_sales is not found")
    true("get_table_names", {"sa_sales", "sa_lines"} <= set(inspector.get_table_names()), "tables are missing")
    true("get_schema_names", "public" in inspector.get_schema_names(), "public is missing")
    columns = [(c["name"], repr(c["type"]).split("(")[0], c["nullable"]) for c in inspector.get_columns("sa_sales")]
    equal("get_columns", columns, [("id", "BIGINT", False), ("name", "VARCHAR", False), ("amount", "NUMERIC", True), ("sold", "TIMESTAMP", True), ("doc", "SUPER", True)])
    equal("get_pk_constraint", inspector.get_pk_constraint("sa_sales")["constrained_columns"], ["id"])
    keys = inspector.get_foreign_keys("sa_lines")
    equal("get_foreign_keys", [(k["constrained_columns"], k["referred_table"], k["referred_columns"]) for k in keys], [(["sale"], "sa_sales", ["id"])])
    equal("get_unique_constraints", [(k["name"], k["column_names"]) for k in inspector.get_unique_constraints("sa_lines")], [("sa_lines_once", ["id"])])
    options = inspector.get_table_options("sa_sales")
    equal("get_table_options", {k: str(v) for k, v in options.items() if v}, {"redshift_diststyle": "KEY", "redshift_distkey": "id", "redshift_sortkey": "('sold', 'id')"})
    with engine.begin() as c:
        c.execute(sa.text("create view sa_view as select id, name from sa_sales"))
    equal("get_view_names", sa.inspect(engine).get_view_names(), ["sa_view"])
    reflected = sa.Table("sa_sales", sa.MetaData(), autoload_with=engine)
    equal("reflection", list(reflected.c.keys()), ["id", "name", "amount", "sold", "doc"])


def rows():
    with engine.begin() as c:
        c.execute(sales.insert(), [{"id": i, "name": f"n'{i}\\", "amount": i + 0.25} for i in range(10)])
        c.execute(lines.insert(), [{"id": i, "sale": i % 3} for i in range(9)])
    with engine.begin() as c:
        equal("select", c.execute(sa.select(sales.c.name).where(sales.c.id == 7)).scalar_one(), "n'7\\")
        equal("delete using", c.execute(lines.delete().where(lines.c.sale == sales.c.id).where(sales.c.name == "n'1\\")).rowcount, 3)
        equal("update", c.execute(sales.update().where(sales.c.id > 5).values(name="x")).rowcount, 4)
        equal("limit", [r[0] for r in c.execute(sa.select(sales.c.id).order_by(sales.c.id).limit(2).offset(3))], [3, 4])
    try:
        with engine.begin() as c:
            c.execute(sales.insert(), {"id": 1000, "name": "gone"})
            raise KeyError
    except KeyError:
        pass
    with engine.connect() as c:
        equal("rollback", c.execute(sa.select(sa.func.count()).select_from(sales)).scalar_one(), 10)
        equal("isolation", c.get_isolation_level().upper(), "SERIALIZABLE")


def run(c, statement):
    """COPY and UNLOAD take no parameters of the protocol; psycopg2 writes its own into the text."""
    if driver == "psycopg2":
        c.execute(statement)
    else:
        c.exec_driver_sql(str(statement.compile(engine, compile_kwargs={"literal_binds": True})).replace("%%", "%"))


def loads():
    path = f"s3://{BUCKET}/sa/{driver}/"
    with engine.begin() as c:
        run(c, UnloadFromSelect(sa.select(sales.c.id, sales.c.name), path, iam_role_arns=ROLE, format=Format.csv, header=True))
        c.execute(sa.text("create table sa_copy (id bigint, name varchar(40))"))
    with engine.begin() as c:
        copied = sa.Table("sa_copy", sa.MetaData(), sa.Column("id"), sa.Column("name"))
        run(c, CopyCommand([copied.c.id, copied.c.name], data_location=path, iam_role_arns=ROLE, format=Format.csv, ignore_header=1))
        equal("copied", c.execute(sa.text("select count(*), max(id) from sa_copy")).fetchall() == [(10, 9)], True)
    refused("a missing table", lambda: engine.connect().execute(sa.text("select * from sa_nothing")), lambda e: "42P01" if 'relation "sa_nothing" does not exist' in str(e) else str(e), "42P01")


main(tables, rows, loads)
