"""What a warehouse URL of Apache Doris says.

Scope: the value types; nothing connects.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Endpoint(NamedTuple):
    """A host and a TCP port."""

    host: str
    port: int


class BodyFormat(StrEnum):
    """How rows are written into the body of a load."""

    PARQUET = "parquet"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class DorisUrl:
    """A parsed URL.

    Attributes:
        kind: Always ``doris``.
        display_url: The URL with its password masked.
        host: The frontend (FE).
        port: The FE's port of the MySQL protocol.
        user: Who connects and loads.
        password: Their password, secret.
        database: The database of the tables.
        http_port: The FE's port of HTTP.
        be_endpoints: Backends (BE) to load at without asking the FE, in turn.
        be_map: Where a redirect names a key, its value is contacted instead (NAT, Kubernetes).
        https: Whether HTTP goes over TLS.
        tls: Whether the MySQL protocol goes over TLS.
        tls_ca: A file of certificates to trust, for both.
        replication_num: Replicas of tables that are created.
        buckets: Buckets of tables that are created.
        format: How rows are sent.
        timeout: How long a load may take, in seconds.
    """

    kind: str
    display_url: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    http_port: int = 8030
    be_endpoints: tuple[Endpoint, ...] = ()
    be_map: Mapping[Endpoint, Endpoint] = field(default_factory=dict)
    https: bool = False
    tls: bool = False
    tls_ca: str | None = None
    replication_num: int | None = None
    buckets: int = 1
    format: BodyFormat = BodyFormat.PARQUET
    timeout: int = 600
