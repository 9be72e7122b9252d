"""Scans one table twice, planned by PyIceberg itself and by the catalog, with each of many filters; prints what differs as JSON."""

import datetime
import decimal
import json
import sys

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.expressions import (
    AlwaysTrue, And, EqualTo, GreaterThan, GreaterThanOrEqual, In, IsNaN, IsNull, LessThan, Not, NotEqualTo, NotIn,
    NotNaN, NotNull, NotStartsWith, Or, StartsWith,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DateType, DecimalType, DoubleType, LongType, NestedField, StringType, TimestampType

FILTERS = [
    AlwaysTrue(),
    EqualTo("id", 7),
    GreaterThan("id", 45),
    And(GreaterThanOrEqual("id", 10), LessThan("id", 30)),
    In("id", [1, 22, 59]),
    NotIn("id", [1, 2]),
    NotEqualTo("name", "n1"),
    StartsWith("name", "n3"),
    NotStartsWith("name", "n"),
    EqualTo("day", "2020-01-02"),
    GreaterThan("ts", "2020-01-03T00:00:00"),
    IsNull("name"),
    NotNull("name"),
    IsNaN("d"),
    NotNaN("d"),
    Or(EqualTo("day", datetime.date(2020, 1, 3)), EqualTo("id", 3)),
    Not(And(EqualTo("day", "2020-01-01"), GreaterThan("id", 3))),
    EqualTo("amount", decimal.Decimal("2.50")),
    LessThan("d", 2.0),
]


def row(number: int) -> dict:
    day = datetime.date(2020, 1, 1 + number % 4)
    return {
        "id": number,
        "day": day,
        "name": None if number % 11 == 0 else f"n{number % 7}",
        "ts": datetime.datetime(day.year, day.month, day.day, number % 24),
        "d": float("nan") if number % 9 == 0 else number / 3,
        "amount": decimal.Decimal(number) / 4,
    }


def main(uri: str) -> None:
    own = load_catalog("own", type="rest", uri=uri)
    server = load_catalog("server", type="rest", uri=uri, **{"scan-planning-mode": "server"})
    schema = Schema(
        NestedField(1, "id", LongType(), required=False),
        NestedField(2, "day", DateType(), required=False),
        NestedField(3, "name", StringType(), required=False),
        NestedField(4, "ts", TimestampType(), required=False),
        NestedField(5, "d", DoubleType(), required=False),
        NestedField(6, "amount", DecimalType(9, 2), required=False),
    )
    own.create_namespace("n")
    table = own.create_table("n.t", schema, partition_spec=PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "day")))
    for batch in range(3):
        rows = [row(batch * 20 + at) for at in range(20)]
        table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
    different = []
    for wanted in FILTERS:
        scans = [catalog.load_table("n.t").scan(row_filter=wanted) for catalog in (own, server)]
        rows = [str(scan.to_arrow().sort_by("id").to_pylist()) for scan in scans]
        counts = [scan.count() for scan in scans]
        if rows[0] != rows[1] or counts[0] != counts[1]:
            different.append({"filter": str(wanted), "counts": counts})
    oldest = own.load_table("n.t").snapshots()[0].snapshot_id
    print(
        json.dumps(
            {
                "planned by the server": server.supports_server_side_planning(),
                "filters": len(FILTERS),
                "different": different,
                "rows of the first snapshot": server.load_table("n.t").scan(snapshot_id=oldest).to_arrow().num_rows,
            }
        )
    )


main(sys.argv[1])
