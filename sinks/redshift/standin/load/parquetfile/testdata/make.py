"""Makes the Parquet files of the tests here, as others write them.

    pip install pyarrow==26.0.1 duckdb==2.0.1 && python make.py
"""
import datetime as dt
import decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

D = decimal.Decimal
UTC = dt.timezone.utc


def write(name, columns, **options):
    table = pa.table({n: pa.array(v, type=t) for n, (t, v) in columns.items()})
    options.setdefault("compression", "snappy")
    pq.write_table(table, name + ".parquet", **options)


moments = [dt.datetime(2024, 2, 29, 23, 59, 59, 123456, UTC), dt.datetime(1969, 12, 31, 23, 59, 59, 0, UTC), None]
types = {
    "small": (pa.int16(), [-32768, 32767, None]),
    "int": (pa.int32(), [-2147483648, 2147483647, None]),
    "big": (pa.int64(), [-9223372036854775808, 9223372036854775807, None]),
    "flag": (pa.bool_(), [True, False, None]),
    "real": (pa.float32(), [1.5, -0.25, None]),
    "double": (pa.float64(), [0.1, 1e300, None]),
    "day": (pa.date32(), [dt.date(2024, 2, 29), dt.date(1, 1, 1), None]),
    "text": (pa.string(), ["a\tb\\c\nd", "grüße", None]),
    "d18": (pa.decimal128(18, 4), [D("12345678901234.5678"), D("-0.0001"), None]),
    "d20": (pa.decimal128(20, 2), [D("123456789012345678.90"), D("-1"), None]),
    "d38": (pa.decimal128(38, 10), [D("1234567890123456789012345678.0123456789"), D("-1234567890123456789012345678.0123456789"), None]),
    "at": (pa.timestamp("us", "UTC"), moments),
}
write("types", types)
write("types-gzip", types, compression="gzip", use_dictionary=False, version="1.0")
write("int96", {"at": (pa.timestamp("us", "UTC"), moments)}, use_deprecated_int96_timestamps=True)
write("naive", {"at": (pa.timestamp("us"), [m and m.replace(tzinfo=None) for m in moments])})
write("millis", {"at": (pa.timestamp("ms", "UTC"), [dt.datetime(2024, 2, 29, 23, 59, 59, 123000, UTC), None])})
write("binary", {"b": (pa.binary(), [b"\x00\xff", b"", None])})
write("time", {"t": (pa.time64("us"), [dt.time(1, 2, 3)])})
write("unsigned", {"n": (pa.uint32(), [4294967295])})
write("decimal-int64", {"n": (pa.decimal128(18, 4), [D("1.5")])}, store_decimal_as_integer=True)
write("decimal-int32", {"n": (pa.decimal128(9, 2), [D("1.5")])}, store_decimal_as_integer=True)
write("empty", {"n": (pa.int32(), [])})

numbers = {"n": (pa.int64(), list(range(1000)))}
texts = {"s": (pa.string(), [f"text {i}" for i in range(1000)])}
doubles = {"x": (pa.float64(), [i / 7 for i in range(1000)])}
for codec in ("zstd", "lz4", "brotli"):
    write("codec-" + codec, numbers, compression=codec)
write("codec-none", numbers, compression="none")
write("page-v2", numbers, data_page_version="2.0")
for encoding, columns in (("DELTA_BINARY_PACKED", numbers), ("DELTA_LENGTH_BYTE_ARRAY", texts), ("DELTA_BYTE_ARRAY", texts), ("BYTE_STREAM_SPLIT", doubles)):
    write("encoding-" + encoding.lower().replace("_", "-"), columns, use_dictionary=False, column_encoding=encoding)
write("groups", numbers, row_group_size=100, data_page_size=64, use_dictionary=False)

point = pa.struct([("x", pa.int32()), ("y", pa.list_(pa.string()))])
write("nested", {
    "id": (pa.int32(), [1, 2, 3, 4]),
    "s": (point, [{"x": 1, "y": ["a", None, "<b>"]}, {"x": None, "y": []}, None, {"x": 4, "y": None}]),
    "l": (pa.list_(pa.list_(pa.int32())), [[[1, 2], [], None, [3]], [], None, [[None]]]),
    "p": (pa.list_(point), [[{"x": 1, "y": ["q"]}, None, {"x": 2, "y": []}], [], None, [{"x": None, "y": None}]]),
    "m": (pa.map_(pa.string(), pa.int64()), [[("k", 1), ("j", None)], [], None, [("z", 3)]]),
    "d": (pa.list_(pa.decimal128(5, 2)), [[D("1.50"), D("-0.05")], [], None, [None]]),
    "t": (pa.struct([("at", pa.timestamp("us", "UTC")), ("day", pa.date32()), ("ok", pa.bool_()), ("f", pa.float64())]),
          [{"at": moments[0], "day": dt.date(2024, 2, 29), "ok": True, "f": 1.5}, None, None, {"at": None, "day": None, "ok": None, "f": None}]),
    "text": (pa.string(), ['say "hi"', "grüße <b>", None, "plain"]),
})

db = duckdb.connect()
db.execute("set threads = 1")
db.execute("""
copy (select 1::integer as int, 2::bigint as big, 'x' as text, date '2024-02-29' as day, true as flag, 1.5::double as double,
             timestamptz '2024-02-29 23:59:59.5+00' as at)
to 'duckdb.parquet' (format parquet)""")
db.execute("copy (select 1.5::decimal(18, 4) as n) to 'duckdb-decimal.parquet' (format parquet)")
db.execute("copy (select timestamp '2024-02-29 23:59:59.5' as at) to 'duckdb-naive.parquet' (format parquet)")
db.execute("copy (select 1::integer as n) to 'duckdb-v2.parquet' (format parquet, parquet_version v2)")
