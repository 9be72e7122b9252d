#!/bin/sh
# Trino signs in with the account that the job `account` made: its credential has to be there before the start.
set -eu
LAKE_CATALOG_CREDENTIAL=$(cat "${LAKE_CREDENTIALS:-/credentials}/trino")
export LAKE_CATALOG_CREDENTIAL
home=${TRINO_HOME:-/usr/lib/trino}
etc=${TRINO_ETC:-/etc/trino}
data=${TRINO_DATA:-/data/trino}
exec "$home/bin/launcher" run --etc-dir "$etc" --data-dir "$data" \
  -Dnode.id="$(hostname)" -Dnode.data-dir="$data" -Dplugin.dir="$home/plugin" -Dcatalog.config-dir="$etc/catalog"
