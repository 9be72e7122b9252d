"""Creates, fills and reads a table through a catalog, without keys of its own: delegated.py URI DELEGATION FILE_IO."""
import sys

import pyarrow as pa
import s3fs
from pyiceberg.catalog import load_catalog

# PyIceberg 0.12 takes its signer off and puts it on again for each thread, of a file system that threads share: requests between the two leave unsigned.
s3fs.S3FileSystem.cachable = False

uri, delegation, file_io = sys.argv[1:4]
catalog = load_catalog(
    "lake",
    type="rest",
    uri=uri,
    **{"header.X-Iceberg-Access-Delegation": delegation, "py-io-impl": file_io},
)
rows = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "name": ["a", "b/c", "d e+é"]})
table = catalog.create_table(("n", f"written {delegation} {file_io[-8:]}"), schema=rows.schema)
table.append(rows)
table.append(rows)
table.delete("id = 2")
again = catalog.load_table(table.name())
print(again.scan().to_arrow().num_rows)
