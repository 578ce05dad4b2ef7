"""awswrangler: frames to tables by INSERT and by COPY of what it stages on S3, upserts, UNLOAD."""

import datetime
import decimal

import awswrangler as wr
import pandas as pd
import redshift_connector

from checks import BUCKET, DATABASE, HOST, PASSWORD, PORT, ROLE, USER, check, equal, main, refused

db = redshift_connector.connect(host=HOST, port=PORT, database=DATABASE, user=USER, password=PASSWORD, ssl=False)
frame = pd.DataFrame({
    "id": pd.Series([1, 2, 3], dtype="Int64"),
    "name": ["a", None, "it's \\ ü"],
    "amount": [decimal.Decimal("1.50"), decimal.Decimal("-20.25"), None],
    "sold": [datetime.datetime(2024, 1, 2, 3, 4, 5), None, datetime.datetime(2024, 12, 31)],
    "day": [datetime.date(2024, 1, 2), datetime.date(2024, 2, 29), None],
    "good": [True, False, True],
    "ratio": [0.5, 1.25, -3.0],
})


def rows(sql):
    cursor = db.cursor()
    cursor.execute(sql)
    return [tuple(r) for r in cursor.fetchall()]


WANT = [
    (1, "a", decimal.Decimal("1.50"), datetime.datetime(2024, 1, 2, 3, 4, 5), datetime.date(2024, 1, 2), True, 0.5),
    (2, None, decimal.Decimal("-20.25"), None, datetime.date(2024, 2, 29), False, 1.25),
    (3, "it's \\ ü", None, datetime.datetime(2024, 12, 31), None, True, -3.0),
]


def to_sql():
    wr.redshift.to_sql(frame, db, table="wr_sql", schema="public", mode="overwrite", index=False, diststyle="KEY", distkey="id", sortstyle="COMPOUND", sortkey=["id"])
    check("to_sql", lambda: rows("select * from wr_sql order by id"), WANT)
    wr.redshift.to_sql(frame, db, table="wr_sql", schema="public", mode="append", index=False)
    check("to_sql append", lambda: rows("select count(*) from wr_sql"), [(6,)])
    changed = frame[["id", "name"]].assign(name="new").iloc[:2]
    wr.redshift.to_sql(frame[["id", "name"]], db, table="wr_up", schema="public", mode="overwrite", index=False, primary_keys=["id"])
    wr.redshift.to_sql(changed, db, table="wr_up", schema="public", mode="upsert", index=False, primary_keys=["id"])
    check("to_sql upsert", lambda: rows("select id, name from wr_up order by id"), [(1, "new"), (2, "new"), (3, "it's \\ ü")])
    got = wr.redshift.read_sql_query("select id, good from wr_sql where id < 3 group by 1, 2 order by 1", con=db)
    equal("read_sql_query", got.to_dict("list"), {"id": [1, 2], "good": [True, False]})


def copy():
    path = f"s3://{BUCKET}/wr/copy/"
    wr.redshift.copy(frame, path, db, table="wr_copy", schema="public", iam_role=ROLE, mode="overwrite")
    check("copy", lambda: rows("select * from wr_copy order by id"), WANT)
    wr.redshift.copy(frame, path, db, table="wr_copy", schema="public", iam_role=ROLE, mode="append")
    check("copy append", lambda: rows("select count(*) from wr_copy"), [(6,)])
    changed = frame.assign(name="copied")
    wr.redshift.copy(frame, path, db, table="wr_cup", schema="public", iam_role=ROLE, mode="overwrite", primary_keys=["id"])
    wr.redshift.copy(changed.iloc[1:], path, db, table="wr_cup", schema="public", iam_role=ROLE, mode="upsert", primary_keys=["id"])
    check("copy upsert", lambda: rows("select id, name from wr_cup order by id"), [(1, "a"), (2, "copied"), (3, "copied")])
    for mode in ("drop", "cascade", "truncate", "delete"):
        wr.redshift.copy(frame.iloc[:1], path, db, table="wr_copy", schema="public", iam_role=ROLE, mode="overwrite", overwrite_method=mode)
        check(f"overwrite by {mode}", lambda: rows("select count(*) from wr_copy"), [(1,)])
    wide = frame[["id"]].assign(name="x" * 300)
    refused("a text that is too long", lambda: wr.redshift.copy(wide, path, db, table="wr_short", schema="public", iam_role=ROLE, mode="overwrite", varchar_lengths_default=256),
            lambda e: "XX000" if "The length of the data column name is longer than the length defined in the table" in str(e) else str(e), "XX000")
    db.rollback()
    files = wr.s3.to_parquet(frame[["name", "id"]], f"s3://{BUCKET}/wr/names/", dataset=True)["paths"]
    wr.redshift.copy_from_files(f"s3://{BUCKET}/wr/names/", db, table="wr_swapped", schema="public", iam_role=ROLE, mode="overwrite")
    check("copy_from_files", lambda: rows("select name, id from wr_swapped order by id"), [("a", 1), (None, 2), ("it's \\ ü", 3)])
    equal("its files", len(files), 1)


def unload():
    path = f"s3://{BUCKET}/wr/unload/"
    got = wr.redshift.unload("select * from wr_cup order by id", path, db, iam_role=ROLE)
    got = got.sort_values("id")
    equal("unload", got["id"].astype(int).tolist(), [1, 2, 3])
    equal("unload's texts", got["name"].tolist(), ["a", "copied", "copied"])
    equal("unload's decimals", got["amount"].tolist()[:2], [decimal.Decimal("1.50"), decimal.Decimal("-20.25")])
    equal("unload's dates", got["day"].tolist()[:2], [datetime.date(2024, 1, 2), datetime.date(2024, 2, 29)])


main(to_sql, copy, unload)
