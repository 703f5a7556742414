"""Records Parquet files of several writers, each beside the same rows as JSON lines: tests/parity/parquet/.

    python3 -m venv venv && venv/bin/pip install pyarrow fastparquet duckdb polars pandas
    venv/bin/python tests/parity/record_parquet.py

Last recorded with pyarrow 26.0.1, duckdb 2.0.1, polars 2.1.0, fastparquet 2026.9.0. Files that Arrow cannot write are
made of its files by changing bytes, in tests/data/parquet_*_test.cpp.
"""

import datetime
import decimal
import json
import math
import pathlib
import uuid

import duckdb
import fastparquet
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent / "parquet"


def say(name, rows):
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (FOLDER / f"{name}.jsonl").write_text(text, encoding="utf-8")


def write(name, table, **options):
    pq.write_table(table, FOLDER / f"{name}.parquet", store_schema=False, write_statistics=False, **options)


def flat_rows():
    words = ["a cat", "a dog", "", "Grüße, 世界 🎉", "a cat", None, "line\nbreak \"quoted\""]
    return [
        {
            "text": words[i % 7],
            "label": None if i % 5 == 4 else i % 3 - 1,
            "count": (-1) ** i * i**9,
            "score": i / 8 - 1,
            "share": 0.1 * i if i % 4 else None,
            "good": [True, False, None, True, True][i % 5],
        }
        for i in range(40)
    ]


FLAT = pa.schema(
    [
        ("text", pa.string()),
        ("label", pa.int32()),
        pa.field("count", pa.int64(), nullable=False),
        ("score", pa.float64()),
        ("share", pa.float64()),
        ("good", pa.bool_()),
    ]
)


def nested_rows():
    said = lambda *turns: [{"role": role, "content": content} for role, content in turns]
    return [
        {
            "messages": said(("user", "hi"), ("assistant", "hello")),
            "tags": ["a", None, "b"],
            "ids": [1, 2, 3],
            "deep": [[[1], []], [], None, [None, [2, None, 3]]],
            "meta": {"source": "web", "place": {"page": 7, "notes": ["x"]}},
        },
        {"messages": [], "tags": [], "ids": [], "deep": [], "meta": {"source": None, "place": None}},
        {"messages": None, "tags": None, "ids": None, "deep": None, "meta": None},
        {
            "messages": said(("system", ""), ("user", None), ("assistant", "so")),
            "tags": [None],
            "ids": [-(2**62)],
            "deep": [None],
            "meta": {"source": "book", "place": {"page": None, "notes": []}},
        },
        {
            "messages": said(("user", "again")),
            "tags": ["a"] * 20,
            "ids": list(range(40)),
            "deep": [[], [[]]],
            "meta": {"source": "web", "place": {"page": 1, "notes": [None, "y"]}},
        },
    ]


NESTED = pa.schema(
    [
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("tags", pa.list_(pa.string())),
        ("ids", pa.list_(pa.int64())),
        ("deep", pa.list_(pa.list_(pa.list_(pa.int32())))),
        (
            "meta",
            pa.struct(
                [
                    ("source", pa.string()),
                    ("place", pa.struct([("page", pa.int32()), ("notes", pa.list_(pa.string()))])),
                ]
            ),
        ),
    ]
)


def record_shapes():
    """Every codec, both page versions, every encoding; row groups of several sizes."""
    for name, rows, schema in (("flat", flat_rows(), FLAT), ("nested", nested_rows(), NESTED)):
        say(name, rows)
        data = table = pa.Table.from_pylist(rows, schema=schema)  # duckdb finds it by the name
        write(f"{name}.arrow", table, row_group_size=len(rows) // 2)
        write(f"{name}.arrow-v2", table, data_page_version="2.0", compression="zstd", write_page_checksum=True)
        write(f"{name}.arrow-plain", table, compression="none", use_dictionary=False, write_page_checksum=True)
        frame = polars.from_arrow(table)
        frame.write_parquet(FOLDER / f"{name}.polars.parquet", statistics=False)
        for version in ("V1", "V2"):
            path = FOLDER / f"{name}.duckdb-{version.lower()}.parquet"
            duckdb.sql(f"copy (select * from data) to '{path}' (format parquet, parquet_version {version})")
    flat = pa.Table.from_pylist(flat_rows(), schema=FLAT)
    for codec in ("gzip", "brotli", "lz4"):
        write(f"flat.arrow-{codec}", flat, compression=codec, use_dictionary=["text"])
    deltas = {"text": "DELTA_BYTE_ARRAY", "label": "DELTA_BINARY_PACKED", "count": "DELTA_BINARY_PACKED"}
    deltas |= {"score": "BYTE_STREAM_SPLIT", "share": "BYTE_STREAM_SPLIT", "good": "RLE"}
    write("flat.arrow-delta", flat, use_dictionary=False, column_encoding=deltas, row_group_size=30)
    deltas |= {"text": "DELTA_LENGTH_BYTE_ARRAY", "label": "BYTE_STREAM_SPLIT", "count": "PLAIN"}
    write("flat.arrow-lengths", flat, use_dictionary=False, column_encoding=deltas, data_page_version="2.0")
    # A table of plain columns is what fastparquet is asked for here: its lists are texts of JSON.
    frame = flat.to_pandas(types_mapper={pa.int32(): pandas.Int32Dtype(), pa.bool_(): pandas.BooleanDtype()}.get)
    fastparquet.write(str(FOLDER / "flat.fastparquet.parquet"), frame, compression="GZIP", row_group_offsets=16)


def record_pages():
    """Many small pages, and a dictionary that is given up when it has grown. The test makes the rows itself."""
    rows = [{"text": f"number {i * 7919 % 1000:03}", "n": i // 3} for i in range(600)]
    table = pa.Table.from_pylist(rows)
    options = {"data_page_size": 64, "write_batch_size": 50, "compression": "zstd"}
    write("pages.arrow", table, dictionary_pagesize_limit=1500, **options)
    write("pages.arrow-delta", table, use_dictionary=False, column_encoding={
        "text": "DELTA_BYTE_ARRAY", "n": "DELTA_BINARY_PACKED"}, **options)


def record_types():
    """Logical types, and what a row of JSON has of them."""
    moment = datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)
    old = datetime.datetime(1969, 12, 31, 23, 59, 59)
    utc = datetime.timezone.utc
    columns = {
        "price": (pa.decimal128(9, 2), [decimal.Decimal("-12.50"), decimal.Decimal("0.05")], [-12.5, 0.05]),
        "whole": (pa.decimal128(18, 0), [decimal.Decimal(10**17), decimal.Decimal(-3)], [10**17, -3]),
        "exact": (
            pa.decimal128(30, 10),
            [decimal.Decimal("12345678901234567890.0123456789"), decimal.Decimal("-0.5")],
            ["12345678901234567890.0123456789", "-0.5000000000"],
        ),
        "day": (pa.date32(), [moment.date(), datetime.date(1, 1, 1)], ["2024-02-29", "0001-01-01"]),
        "clock": (pa.time64("us"), [moment.time(), datetime.time(1, 2, 3)], ["12:34:56.789000", "01:02:03"]),
        "ms": (pa.timestamp("ms"), [moment, old], ["2024-02-29T12:34:56.789", "1969-12-31T23:59:59"]),
        "us": (
            pa.timestamp("us", "UTC"),
            [moment.replace(tzinfo=utc), old.replace(tzinfo=utc)],
            ["2024-02-29T12:34:56.789000Z", "1969-12-31T23:59:59Z"],
        ),
        "ns": (pa.timestamp("ns"), [moment, old], ["2024-02-29T12:34:56.789000000", "1969-12-31T23:59:59"]),
        "single": (pa.float32(), [0.1, -1e30], [0.1, -1e30]),
        "half": (pa.float16(), [0.333251953125, -2.0**-24], [0.33325195, -5.9604645e-08]),
        "nothing": (pa.float64(), [math.nan, math.inf], [None, None]),
        "u64": (pa.uint64(), [2**64 - 1, 0], [2**64 - 1, 0]),
        "u32": (pa.uint32(), [2**32 - 1, 7], [2**32 - 1, 7]),
        "i8": (pa.int8(), [-128, 127], [-128, 127]),
        "bytes": (pa.binary(), [b"plain text", None], ["plain text", None]),
        "four": (pa.binary(4), [b"abcd", b"efgh"], ["abcd", "efgh"]),
        "id": (pa.uuid(), [uuid.UUID(int=1).bytes, uuid.UUID(int=2**128 - 1).bytes],
               [str(uuid.UUID(int=1)), str(uuid.UUID(int=2**128 - 1))]),
        "json": (pa.json_(), ['{"a": [1, null]}', '"text"'], [{"a": [1, None]}, "text"]),
        "map": (pa.map_(pa.string(), pa.int64()), [[("b", 1), ("a", None)], []], [{"b": 1, "a": None}, {}]),
        "by_number": (pa.map_(pa.int32(), pa.list_(pa.string())), [[(3, ["x"]), (1, [])], None],
                      [{"3": ["x"], "1": []}, None]),
        "null": (pa.null(), [None, None], [None, None]),
    }
    say("types", [{name: said[i] for name, (_, _, said) in columns.items()} for i in range(2)])
    arrays = []
    for kind, values, _ in columns.values():
        if isinstance(kind, pa.BaseExtensionType):
            arrays.append(pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type)))
        else:
            arrays.append(pa.array(values, kind))
    table = pa.Table.from_arrays(arrays, names=list(columns))
    write("types.arrow", table, use_dictionary=False)
    write("types.arrow-dictionary", table, store_decimal_as_integer=True)
    say("int96", [{"when": columns["ns"][2][i]} for i in range(2)])
    write("int96.arrow", table.select(["ns"]).rename_columns(["when"]), use_deprecated_int96_timestamps=True)


def record_unreadable():
    """A column of bytes that are no text, and one of intervals, beside one that can be read."""
    path = FOLDER / "unreadable.duckdb.parquet"
    duckdb.sql(
        rf"""copy (select 'row ' || i as text, '\xFF\x00'::blob as picture, interval (i) days as wait
        from range(1, 3) t(i)) to '{path}' (format parquet)"""
    )


def record_claims():
    """A few bytes that stand for more than anyone wants in memory: their column is not read. That takes tenths of a
    second, so the fuzzer, which would try little else, has only those of the text and of the rows."""
    write("claims-nulls.arrow", pa.table({"many": pa.array([[None] * 16_000_000], pa.list_(pa.int32()))}),
          compression="zstd", data_page_size=1 << 30, use_dictionary=False)
    write("claims-members.arrow", pa.table({"many": pa.array([[{"n" * 2000: None}] * 100_000])}), compression="zstd")
    write("claims-text.arrow", pa.table({"many": pa.array(["a" * 300_000_000])}), compression="zstd",
          use_dictionary=False)
    write("claims-copies.arrow",
          pa.table({"text": ["a cat"], "many": pa.array([["b" * 65_536] * 10_000]), "last": ["a dog"]}),
          compression="zstd")
    write("claims-rows.arrow", pa.table({"many": pa.nulls(16_000_000, pa.int32())}), compression="zstd",
          row_group_size=1 << 30, data_page_size=1 << 30)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    record_shapes()
    record_pages()
    record_types()
    record_unreadable()
    record_claims()
