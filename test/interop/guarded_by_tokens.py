"""Works as accounts with different rights through a catalog that asks for tokens; prints what came of it as JSON."""

import json
import sys

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import ForbiddenError, NoSuchTableError, OAuthError, UnauthorizedError

uri, writer, reader = sys.argv[1:4]


def catalog(credential):
    return load_catalog("lake", type="rest", uri=uri, credential=credential)


def outcome(work):
    try:
        work()
        return "done"
    except (ForbiddenError, NoSuchTableError, OAuthError, UnauthorizedError) as error:
        return type(error).__name__


own = catalog(writer)
rows = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "name": ["a", "b", "c"]})
table = own.create_table("shop.orders", schema=rows.schema)
table.append(rows)
table.append(rows)

other = catalog(reader)
seen = other.load_table("shop.orders")
print(
    json.dumps(
        {
            "namespaces": [list(name) for name in own.list_namespaces()],
            "tables": [list(name) for name in other.list_tables("shop")],
            "rows": seen.scan().to_arrow().num_rows,
            "append": outcome(lambda: seen.append(rows)),
            "drop": outcome(lambda: other.drop_table("shop.orders")),
            "hidden": outcome(lambda: other.load_table("hr.salaries")),
            "wrong secret": outcome(lambda: catalog(f"{reader}x")),
        }
    )
)
