"""Superset's configuration, by environment variables alone: the same file for the native stack and for the container."""

import os

from sqlalchemy.engine import make_url

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["LAKE_SUPERSET_DATABASE"]

# SQL Lab and datasets may use Jinja: a dataset takes the tag that it reads from its parameters.
FEATURE_FLAGS = {"ENABLE_TEMPLATE_PROCESSING": True, "DASHBOARD_RBAC": True}

# Pages and the browser speak plain HTTP on this machine; behind TLS, turn LAKE_SUPERSET_TLS on.
SESSION_COOKIE_SECURE = os.environ.get("LAKE_SUPERSET_TLS") == "on"
SESSION_COOKIE_SAMESITE = "Lax"
WTF_CSRF_ENABLED = True

# The answers of charts are kept in memory, a minute at most: what a commit adds is seen soon.
CACHE_CONFIG = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 60}
DATA_CACHE_CONFIG = CACHE_CONFIG

ROW_LIMIT = 10_000
# A busy machine may take its time; Trino ends what takes longer.
SQLLAB_TIMEOUT = 300
SUPERSET_WEBSERVER_TIMEOUT = 300


def DB_CONNECTION_MUTATOR(uri, params, username, security_manager, source):
    """The assets name Trino as containers see it, trino:8080; LAKE_TRINO_URL says where it is instead."""
    place = os.environ.get("LAKE_TRINO_URL")
    if uri.drivername == "trino" and place:
        server = make_url(place)
        uri = uri.set(host=server.host, port=server.port)
    return uri, params
