"""Reads every table of a catalog with PyIceberg: the current state, every snapshot, every branch and tag.

Usage: read_all.py URI

Prints one JSON object: {table: {point: {"rows": count, "digest": text}}}. The digest does not depend on the
order of rows: the sum of a hash of each row, taken over canonical text of all columns in the order of their names.
"""

import hashlib
import json
import sys

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import load_catalog


SEPARATOR = pa.scalar("\x1f", pa.large_string())


def column_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64())
    elif pa.types.is_date(kind):
        column = column.cast(pa.int32())
    return pc.fill_null(column.cast(pa.large_string()), "\0")


def digest(table: pa.Table) -> str:
    names = sorted(table.column_names)
    if table.num_rows == 0:
        return "0"
    total = 0
    # Row by row text in batches: the whole of a large table as Python strings would not fit.
    for batch in table.select(names).to_batches(max_chunksize=100_000):
        part = pa.Table.from_batches([batch])
        joined = pc.binary_join_element_wise(*[column_text(part[name]) for name in names], SEPARATOR)
        for text in joined.to_pylist():
            total += int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    return f"{total % 2**64:x}"


def summary(scan) -> dict:
    rows = scan.to_arrow()
    return {"rows": rows.num_rows, "digest": digest(rows)}


def namespaces(catalog, parent=()):
    for namespace in catalog.list_namespaces(parent):
        yield namespace
        yield from namespaces(catalog, namespace)


def main(uri: str) -> None:
    catalog = load_catalog("lake", type="rest", uri=uri)
    report = {}
    for namespace in namespaces(catalog):
        for identifier in catalog.list_tables(namespace):
            table = catalog.load_table(identifier)
            points = {"current": summary(table.scan())}
            for snapshot in table.snapshots():
                points[f"snapshot {snapshot.snapshot_id}"] = summary(table.scan(snapshot_id=snapshot.snapshot_id))
            for name, ref in table.metadata.refs.items():
                points[f"{ref.snapshot_ref_type} {name}"] = summary(table.scan(snapshot_id=ref.snapshot_id))
            report[".".join(identifier)] = points
    json.dump(report, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main(sys.argv[1])
