"""Does with PyIceberg what the tests ask: pyiceberg_worker.py URI CREDENTIAL.

A line in is {"do": name, ...arguments}; a line out {"done": value} or {"failed": {"type": ..., "message": ...}}. Values of rows cross as text that loses
nothing: integers, dates (days), times and timestamps (microseconds) and decimals as digits; floats as the bits of a double, or NaN; bytes as hex; maps as pairs.
"""

import datetime
import decimal
import json
import math
import struct
import sys
import uuid
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
from pyiceberg.expressions import EqualTo, IsNaN, IsNull
from pyiceberg.expressions.literals import FixedLiteral, FloatLiteral
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortOrder
from pyiceberg.transforms import parse_transform
from pyiceberg.types import IcebergType, StructType
from pyiceberg.view.metadata import SQLViewRepresentation, ViewVersion
from pydantic import TypeAdapter

warnings.simplefilter("ignore")
catalog = load_catalog("lake", type="rest", uri=sys.argv[1], credential=sys.argv[2])
# Tables that a test holds on to while others change them.
held = {}


def native(kind: pa.DataType, value):
    """A value as pyarrow takes it."""
    if value is None or pa.types.is_boolean(kind) or pa.types.is_large_string(kind) or pa.types.is_string(kind):
        return value
    if pa.types.is_floating(kind):
        return math.nan if value == "NaN" else struct.unpack(">d", bytes.fromhex(value))[0]
    if pa.types.is_decimal(kind):
        return decimal.Decimal(value)
    if isinstance(kind, pa.UuidType):
        return uuid.UUID(value).bytes
    if pa.types.is_fixed_size_binary(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return bytes.fromhex(value)
    if pa.types.is_struct(kind):
        return {field.name: native(field.type, value[field.name]) for field in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [native(kind.value_type, one) for one in value]
    if pa.types.is_map(kind):
        return [(native(kind.key_type, key), native(kind.item_type, one)) for key, one in value]
    return int(value)


def plain(kind: pa.DataType) -> pa.DataType:
    """A type of the same layout that Python has values of over all of its range."""
    if pa.types.is_date32(kind):
        return pa.int32()
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        return pa.int64()
    if isinstance(kind, pa.UuidType):
        return pa.binary(16)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(plain(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(plain(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(plain(kind.value_type)))
    if pa.types.is_map(kind):
        return pa.map_(kind.key_field.with_type(plain(kind.key_type)), kind.item_field.with_type(plain(kind.item_type)))
    return kind


def text(kind: pa.DataType, value):
    """A value of the plain type as the tests have it; `kind` is the column's own type."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else struct.pack(">d", value).hex()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(kind, pa.UuidType):
        return str(uuid.UUID(bytes=value))
    if isinstance(value, bytes):
        return value.hex()
    if pa.types.is_struct(kind):
        return {field.name: text(field.type, value[field.name]) for field in kind}
    if pa.types.is_map(kind):
        return sorted([text(kind.key_type, key), text(kind.item_type, one)] for key, one in value)
    if isinstance(value, list):
        return [text(kind.value_type, one) for one in value]
    return str(value)


def arrow(table, rows) -> pa.Table:
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)
    schema = pa.schema([field for field in schema if all(field.name in row for row in rows)])
    values = {field.name: [native(field.type, row[field.name]) for row in rows] for field in schema}
    columns = [pa.array(values[field.name], plain(field.type)).cast(field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def texts(found: pa.Table):
    columns = {}
    for field in found.schema:
        values = found[field.name].cast(plain(field.type)).to_pylist()
        columns[field.name] = [text(field.type, value) for value in values]
    return [dict(zip(columns, values)) for values in zip(*columns.values())]


def open_table(name):
    return held.get(name) or catalog.load_table(name)


def create_namespace(name):
    catalog.create_namespace(name)


def drop_namespace(name):
    catalog.drop_namespace(name)


def create(table, schema, partition=None, sort=None, properties=None, rows=None):
    """With rows in one commit: staged first."""
    named = {"schema": Schema.model_validate(schema), "properties": properties or {}}
    if partition is not None:
        named["partition_spec"] = PartitionSpec.model_validate(partition)
    if sort is not None:
        named["sort_order"] = SortOrder.model_validate(sort)
    if rows is None:
        catalog.create_table(table, **named)
        return
    with catalog.create_table_transaction(table, **named) as change:
        change.append(arrow(change.table_metadata, rows))


def hold(table):
    held[table] = catalog.load_table(table)


def let_go(table):
    del held[table]


def append(table, rows, branch="main"):
    loaded = open_table(table)
    loaded.append(arrow(loaded, rows), branch=branch)


def overwrite(table, rows, where=None):
    loaded = open_table(table)
    loaded.overwrite(arrow(loaded, rows), **({} if where is None else {"overwrite_filter": where}))


def overwrite_partitions(table, rows):
    loaded = open_table(table)
    loaded.dynamic_partition_overwrite(arrow(loaded, rows))


def upsert(table, rows, keys=None):
    loaded = open_table(table)
    done = loaded.upsert(arrow(loaded, rows), join_cols=keys)
    return [done.rows_updated, done.rows_inserted]


def delete(table, where):
    open_table(table).delete(where)


def several(table, rows, properties, where):
    """Three changes in one commit."""
    loaded = open_table(table)
    with loaded.transaction() as change:
        change.set_properties(properties)
        change.append(arrow(loaded, rows))
        change.delete(where)


def add_files(table, name, rows):
    """A file that PyIceberg did not write, below the table's own folder."""
    loaded = open_table(table)
    path = f"{loaded.location()}/{name}"
    with loaded.io.new_output(path).create() as out:
        pq.write_table(arrow(loaded, rows), out)
    loaded.add_files([path])


def alter_columns(table, changes):
    """[method, ...arguments]; a type is written as in the spec's JSON."""
    with open_table(table).update_schema() as update:
        for method, *arguments in changes:
            if method in ("add_column", "update_column"):
                arguments = [tuple(arguments[0]) if isinstance(arguments[0], list) else arguments[0], iceberg_type(arguments[1])]
            getattr(update, method)(*arguments)


def iceberg_type(written) -> IcebergType:
    return StructType.model_validate(written) if isinstance(written, dict) else TypeAdapter(IcebergType).validate_python(written)


def alter_partitioning(table, add=(), remove=()):
    with open_table(table).update_spec() as update:
        for name in remove:
            update.remove_field(name)
        for column, transform, name in add:
            update.add_field(column, parse_transform(transform), name)


def sort_by(table, columns):
    with open_table(table).update_sort_order() as update:
        for column, transform in columns:
            update.asc(column, parse_transform(transform))


def set_properties(table, properties, remove=()):
    with open_table(table).transaction() as change:
        change.set_properties(properties)
        change.remove_properties(*remove)


def tag(table, name, snapshot):
    open_table(table).manage_snapshots().create_tag(int(snapshot), name).commit()


def branch(table, name, snapshot):
    open_table(table).manage_snapshots().create_branch(int(snapshot), name).commit()


def remove_refs(table, tag, branch):
    open_table(table).manage_snapshots().remove_tag(tag).remove_branch(branch).commit()


def rollback(table, snapshot):
    open_table(table).manage_snapshots().rollback_to_snapshot(int(snapshot)).commit()


def set_current(table, ref):
    open_table(table).manage_snapshots().set_current_snapshot(ref_name=ref).commit()


def expire(table, snapshot):
    open_table(table).maintenance.expire_snapshots().by_id(int(snapshot)).commit()


def rename(table, to):
    catalog.rename_table(table, to)


def drop(table, purge=False):
    (catalog.purge_table if purge else catalog.drop_table)(table)


def register(table, metadata):
    catalog.register_table(table, metadata)


def metadata_location(table):
    return open_table(table).metadata_location


def create_view(view, schema, sql):
    version = ViewVersion(
        version_id=1,
        schema_id=0,
        timestamp_ms=int(datetime.datetime.now().timestamp() * 1000),
        summary={"engine-name": "pyiceberg"},
        representations=[SQLViewRepresentation(type="sql", sql=sql, dialect="trino")],
        default_namespace=view.split(".")[:-1],
    )
    catalog.create_view(view, Schema.model_validate(schema), version)


def view_sql(view):
    metadata = catalog.load_view(view).metadata
    current = next(one for one in metadata.versions if one.version_id == metadata.current_version_id)
    return [current.representations[0].root.sql, [".".join(name) for name in catalog.list_views(view.split(".")[0])]]


def drop_view(view):
    catalog.drop_view(view)
    return catalog.view_exists(view)


def exists(table):
    return catalog.table_exists(table)


def rows(table, where=None, columns=None, snapshot=None, ref=None, as_of_ms=None):
    loaded = open_table(table)
    named = {}
    if where is not None:
        named["row_filter"] = where
    if columns is not None:
        named["selected_fields"] = tuple(columns)
    if as_of_ms is not None:
        snapshot = loaded.snapshot_as_of_timestamp(as_of_ms).snapshot_id
    if snapshot is not None:
        named["snapshot_id"] = int(snapshot)
    scan = loaded.scan(**named)
    return texts((scan if ref is None else scan.use_ref(ref)).to_arrow())


def appended(table, after):
    return texts(open_table(table).incremental_append_scan(from_snapshot_id_exclusive=int(after)).to_arrow())


def all_points(table):
    """The rows of every snapshot and ref."""
    loaded = open_table(table)
    points = {str(one.snapshot_id): texts(loaded.scan(snapshot_id=one.snapshot_id).to_arrow()) for one in loaded.snapshots()}
    return points | {name: texts(loaded.scan(snapshot_id=ref.snapshot_id).to_arrow()) for name, ref in loaded.refs().items()}


def ids_where_equal(table, column, values, read=True):
    """For each value the ids of the rows that PyIceberg finds by it, or, not read, of the files (each has one id) that it would look into."""
    loaded = open_table(table)
    kind = schema_to_pyarrow(loaded.schema(), include_field_ids=False).field(column).type

    def ids(value):
        scan = loaded.scan(row_filter=equals(column, kind, value), selected_fields=("id",))
        found = scan.to_arrow()["id"].to_pylist() if read else [task.file.partition[0] for task in scan.plan_files()]
        return sorted(int(id) for id in found)

    return [ids(value) for value in values]


def equals(column, kind, value):
    if value is None:
        return IsNull(column)
    if value == "NaN":
        return IsNaN(column)
    own = native(kind, value)
    if isinstance(kind, pa.UuidType):
        own = uuid.UUID(value)
    elif pa.types.is_fixed_size_binary(kind):
        own = FixedLiteral(own)
    elif pa.types.is_float32(kind):
        # Made from a double, an infinity counts as out of range.
        own = FloatLiteral(own)
    return EqualTo(column, own)


def inspect(table, what):
    """A metadata table, its bytes as hex."""
    return json.loads(json.dumps(getattr(open_table(table).inspect, what)().to_pylist(), default=as_json))


def as_json(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return round(value.replace(tzinfo=value.tzinfo or datetime.timezone.utc).timestamp() * 1000)
    return str(value)


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"done": globals()[request.pop("do")](**request)}
    except Exception as error:
        answer = {"failed": {"type": type(error).__name__, "message": str(error)}}
    print(json.dumps(answer), flush=True)
