"""Stream Load: one request of rows into one table, atomic, known by its label.

Scope: what is sent, how often, and which outcome it had. A label is taken once by Doris, so sending it again is always
safe; whose load it was that took it decides between the two outcomes.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import quote

from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable
from dicom_pipeline.warehouse.doris.answers import Kind, Reply, read_frontend_reply, read_reply
from dicom_pipeline.warehouse.doris.bodies import DELETED, Body
from dicom_pipeline.warehouse.doris.client import Arrival, Client, Lost
from dicom_pipeline.warehouse.doris.exchange import Address, Limits, Request
from dicom_pipeline.warehouse.doris.load_state import LoadStates, Pace
from dicom_pipeline.warehouse.doris.rejected_rows import describe_rejected
from dicom_pipeline.warehouse.doris.url import BodyFormat, DorisUrl, Endpoint

_LABEL = re.compile(r"[-_A-Za-z0-9:]{1,128}")
_SENDS = 5
_SLOW_FACTOR = 25.0
# Doris gives up a load by itself after its timeout, and says so.
_GRACE_SECONDS = 30.0
# A call ends: no request begins, and nothing is waited for, after so many timeouts.
_TIMEOUTS_A_CALL = 3


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """Rows for a table.

    Attributes:
        table: Its name.
        label: One to 128 letters, digits, ``-``, ``_`` and ``:``; shared by all who start from the same base.
        columns: Names as in the file, in order; the last one is ``_del`` where ``tombstones`` is true.
        body: The rows.
        tombstones: Whether rows whose ``_del`` is 1 delete the row of their key.
    """

    table: str
    label: str
    columns: tuple[str, ...]
    body: Body
    tombstones: bool


class Outcome(Enum):
    """What has become of a request."""

    LOADED = auto()
    """Its rows are committed and visible."""
    TAKEN = auto()
    """Its label was finished by a load that is not this call's: nothing of it was loaded."""


class StreamLoader:
    """Loads into one database. Safe to use from one thread at a time."""

    def __init__(
        self, server: DorisUrl, backends: Callable[[], Collection[Endpoint]], pace: Pace | None = None
    ) -> None:
        """Keep what is needed; nothing connects.

        Args:
            server: Where to load.
            backends: Returns the HTTP endpoints of the cluster's backends; asked only where a redirect leads to a host
                other than the FE's.
            pace: How time passes.
        """
        self._server = server
        self._pace = pace or Pace()
        self._client = Client(server, backends)
        self._states = LoadStates(self._client, server.database, server.timeout, self._pace)

    def load(self, request: LoadRequest) -> Outcome:
        """Load the rows once, whatever happens on the way.

        Raises:
            WarehouseError: Doris refuses them and will go on refusing, or took others than were sent.
            WarehouseUnavailable: It did not take them in several tries, or whether it did could not be learnt.
        """
        if not _LABEL.fullmatch(request.label):
            raise WarehouseError("a label of a load may have 1 to 128 letters, digits, '-', '_' and ':' and no others")
        until = self._pace.clock() + _TIMEOUTS_A_CALL * self._server.timeout
        lost = False
        reply = Reply(Kind.PASSING)
        for turn in range(_SENDS):
            if turn:
                self._pace.pause(turn, factor=_SLOW_FACTOR if reply.slow else 1.0)
            if self._pace.clock() > until:
                break
            reply = self._send(request)
            if reply.kind is Kind.REFUSED:
                raise WarehouseError(f"loading {request.table}: {reply.why}")
            if reply.kind is Kind.LOADED:
                return Outcome.LOADED
            lost = lost or reply.kind is Kind.UNCLEAR
            if self._is_visible(request.label, reply, until):
                return Outcome.LOADED if lost or reply.kind is Kind.COMMITTED else Outcome.TAKEN
        raise _given_up(request, reply, lost)

    def redirect_target(self, table: str) -> Endpoint:
        """Return where a load of the table would go, without beginning one: a backend of the URL, or what the FE says.

        Raises:
            WarehouseError: The FE refuses, or the redirect is not followed.
            WarehouseUnavailable: The FE cannot be reached, or has no backend.
        """
        if self._server.be_endpoints:
            return self._server.be_endpoints[0]
        headers = {"Expect": "100-continue", "format": self._server.format.value, "group_commit": "off_mode"}
        try:
            found = self._client.redirect_target(Request("PUT", self._path(table), headers))
        except Lost as error:
            raise (WarehouseError if error.lasting else WarehouseUnavailable)(error.why) from None
        if isinstance(found, Endpoint):
            return found
        reply = read_frontend_reply(found.answer)
        kind = WarehouseUnavailable if reply.kind is Kind.PASSING else WarehouseError
        raise kind(f"Doris at {found.address}: {reply.why}")

    def _is_visible(self, label: str, reply: Reply, until: float) -> bool:
        if reply.kind is Kind.PASSING:
            return False
        return self._states.wait(label, committed=reply.kind in (Kind.COMMITTED, Kind.FINISHED), until=until)

    def _send(self, request: LoadRequest) -> Reply:
        """Send the request once and return what came of it."""
        path, body = self._path(request.table), request.body
        put = Request("PUT", path, self._headers(request), body.stream, body.bytes)
        limits = Limits(self._server.timeout + _GRACE_SECONDS, until_body=self._pace.until_body)
        try:
            arrival = self._client.put(put, limits)
        except Lost as error:
            if error.lasting:
                return Reply(Kind.REFUSED, error.why)
            return Reply(Kind.UNCLEAR if error.begun else Kind.PASSING, error.why)
        return self._read(arrival, request)

    def _read(self, arrival: Arrival, request: LoadRequest) -> Reply:
        if arrival.redirects or self._server.be_endpoints:
            reply = read_reply(arrival.answer, request.body.rows)
        else:
            reply = read_frontend_reply(arrival.answer)
        why = f"Doris at {arrival.address}: {reply.why}"
        if reply.error_url:
            why += self._rejected(reply.error_url, arrival.address, request)
        return Reply(reply.kind, why, slow=reply.slow)

    def _rejected(self, error_url: str, came_from: Address, request: LoadRequest) -> str:
        told = describe_rejected(self._client.error_log(error_url, came_from), request.columns)
        return f"; of the refused rows its log shows: {told}" if told else "; its log of refused rows cannot be read"

    def _path(self, table: str) -> str:
        return f"/api/{quote(self._server.database, safe='')}/{quote(table, safe='')}/_stream_load"

    def _headers(self, request: LoadRequest) -> dict[str, str]:
        headers = {
            "Expect": "100-continue",
            "label": request.label,
            "format": request.body.format.value,
            "columns": ",".join(name if name == DELETED else f"`{name}`" for name in request.columns),
            "strict_mode": "true",
            "max_filter_ratio": "0",
            "timeout": str(self._server.timeout),
            "timezone": "+00:00",
            # Said because a table's property could switch it on, and then labels would count for nothing.
            "group_commit": "off_mode",
            "merge_type": "MERGE" if request.tombstones else "APPEND",
        }
        if request.tombstones:
            headers["delete"] = f"{DELETED}=1"
        if request.body.format is BodyFormat.JSON:
            headers["read_json_by_line"] = "true"
        return headers


def _given_up(request: LoadRequest, reply: Reply, lost: bool) -> WarehouseUnavailable:
    if lost:
        return WarehouseUnavailable(
            f"loading {request.table}: the outcome of the load {request.label} is unknown ({reply.why}); running the "
            "date again settles it"
        )
    return WarehouseUnavailable(f"loading {request.table}: nothing was loaded, however often it was tried: {reply.why}")
