"""What else a load depends on in a Doris cluster: versions, backends, where loads are sent, replicas.

Scope: looking, for ``doctor``; a matter that cannot be looked at says so and what follows from it.
"""

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pymysql

from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.errors import PipelineError
from dicom_pipeline.warehouse.base import Matter
from dicom_pipeline.warehouse.doris import drift, sql
from dicom_pipeline.warehouse.doris.connection import run, run_named
from dicom_pipeline.warehouse.doris.read import Session
from dicom_pipeline.warehouse.doris.stream_load import StreamLoader
from dicom_pipeline.warehouse.doris.url import BACKEND_HTTP_PORT, DorisUrl, Endpoint

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_OLDEST: dict[tuple[int, int], tuple[int, int, int]] = {(2, 1): (2, 1, 8), (3, 0): (3, 0, 6)}
"""The oldest version of a line that is supported; later lines are, earlier ones are not."""
_DEFAULT_REPLICAS = 3
_REACH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend as ``SHOW BACKENDS`` has it: where it takes loads, whether it is alive, its version."""

    http: Endpoint
    alive: bool
    version: str


def backends(session: Session) -> list[Backend]:
    """Return the cluster's backends; the account needs a privilege for that which a load does not."""
    rows = ({name.lower(): value for name, value in row.items()} for row in run_named(session, sql.BACKENDS))
    return [
        Backend(
            Endpoint((row.get("host") or row["ip"]).lower(), _http_port(row)),
            alive=row.get("alive", "true").lower() == "true",
            version=row.get("version", ""),
        )
        for row in rows
        if row.get("host") or row.get("ip")
    ]


def _http_port(row: Mapping[str, str]) -> int:
    """Return the port the row names; nothing, 0 or no number is a backend that has not told yet."""
    told = row.get("httpport", "")
    return (int(told) if told.isdecimal() else 0) or BACKEND_HTTP_PORT


def version_text(rows: Sequence[tuple[Any, ...]]) -> str:
    """Return the answer to ``sql.VERSION`` as ``Doris 2.1.8``, or as it is if no version is in it."""
    told = str(rows[0][0]) if rows else ""
    found = _VERSION.search(told)
    return f"Doris {found[0]}" if found else told or "Doris"


def examine(session: Session, url: DorisUrl, loader: StreamLoader) -> Iterator[Matter]:
    """Yield a matter at a time; nothing is raised."""
    known: list[Backend] | None
    try:
        known = backends(session)
    except pymysql.Error:
        known = None
    yield _versions(session, known)
    yield _backends(known)
    yield from _way_of_loads(url, loader)
    try:
        yield _replicas(session, url, known)
    except pymysql.Error:
        yield Matter(False, "replicas", "the tables cannot be looked at")


def _versions(session: Session, known: list[Backend] | None) -> Matter:
    try:
        told = {"frontend": version_text(run(session, sql.VERSION))}
    except pymysql.Error:
        return Matter(False, "doris", "the frontend cannot be asked for its version")
    for backend in known or []:
        told[f"backend {backend.http}"] = version_text([(backend.version,)])
    old = [f"{who} is {version}" for who, version in told.items() if _is_old(version)]
    if old:
        return Matter(False, "doris", f"{', '.join(old)}: 2.1.8, 3.0.6 or later is needed")
    return Matter(True, "doris", ", ".join(f"{who} {version}" for who, version in told.items()))


def _is_old(version: str) -> bool:
    found = _VERSION.search(version)
    if not found:
        return False
    number = (int(found[1]), int(found[2]), int(found[3]))
    return number < _OLDEST.get(number[:2], (2, 1, 8))


def _backends(known: list[Backend] | None) -> Matter:
    if known is None:
        told = "the account may not list them; those the frontend redirects to must be its own host or in be_map"
        return Matter(True, "backends", told)
    dead = [str(backend.http) for backend in known if not backend.alive]
    if len(dead) == len(known):
        return Matter(False, "backends", "none is alive: start one")
    if dead:
        return Matter(False, "backends", f"{', '.join(dead)} not alive of {len(known)}")
    return Matter(True, "backends", f"{len(known)} alive")


def _way_of_loads(url: DorisUrl, loader: StreamLoader) -> Iterator[Matter]:
    """Say where loads go: the redirect's target, or the backends that the URL names."""
    if url.be_endpoints:
        yield Matter(True, "loads", "sent to be_endpoints, the frontend is not asked")
        ways = url.be_endpoints
    else:
        try:
            ways = (loader.redirect_target(IMAGE.name),)
        except PipelineError as error:
            yield Matter(
                False, "loads", f"{error}; http_port of the warehouse URL is the frontend's, {url.http_port} now"
            )
            return
        yield Matter(True, "loads", f"the frontend sends them to {ways[0]}")
    for way in ways:
        yield _reachable(way)


def _reachable(way: Endpoint) -> Matter:
    try:
        socket.create_connection(way, _REACH_SECONDS).close()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "no such host is known"
        told = f"{way} does not answer ({why}): say with be_map where it is reached"
        return Matter(False, "backend", told)
    return Matter(True, "backend", f"{way} reachable")


def _replicas(session: Session, url: DorisUrl, known: list[Backend] | None) -> Matter:
    wanted = url.replication_num or _DEFAULT_REPLICAS
    if not drift.find_drift(session, url).missing:
        return Matter(True, "replicas", "the tables exist, what they have stays")
    if known is not None and wanted > (alive := sum(backend.alive for backend in known)):
        told = f"{wanted} wanted, {alive} backends alive: add replication_num={max(alive, 1)} to the warehouse URL"
        return Matter(False, "replicas", told)
    said = "of replication_num" if url.replication_num else "unless the cluster's default is another"
    return Matter(True, "replicas", f"{wanted} {said}")
