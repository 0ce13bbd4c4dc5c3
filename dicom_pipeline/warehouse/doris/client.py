"""Requests to a Doris cluster: our credentials, to where they belong, along the redirects.

Scope: from a request to its answer, or to where a request would go. What answers mean is ``answers.py``'s matter, where
requests may go that of ``endpoints.py``.
"""

import base64
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.doris.endpoints import Endpoints
from dicom_pipeline.warehouse.doris.exchange import Address, Answer, Limits, NoAnswer, Request, exchange
from dicom_pipeline.warehouse.doris.url import DorisUrl, Endpoint

_MOST_REDIRECTS = 3
_REDIRECTS = range(300, 400)
_FRONTEND_SECONDS = 30.0
_ERROR_LOG_LIMITS = Limits(seconds=5.0, answer=1 << 16)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An answer that is no redirect, who gave it, and after how many redirects."""

    answer: Answer
    address: Address
    redirects: int


class Lost(Exception):
    """A request got no answer; ``begun`` tells whether a load may have begun, ``lasting`` that it never will."""

    def __init__(self, why: str, *, begun: bool, lasting: bool) -> None:
        self.why, self.begun, self.lasting = why, begun, lasting
        super().__init__(why)


class Client:
    """Sends requests to the servers of one URL."""

    def __init__(self, server: DorisUrl, backends: Callable[[], Collection[Endpoint]]) -> None:
        """See ``Endpoints``; nothing connects."""
        self.endpoints = Endpoints(server, backends)
        self._server = server
        self._context: ssl.SSLContext | None = None
        secret = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
        self._credentials = {"Authorization": f"Basic {secret}"}

    def put(self, request: Request, limits: Limits) -> Arrival:
        """Send a load: to a backend of the URL, or to the FE without its body and then to where that sends us.

        Raises:
            Lost: There is no answer.
            WarehouseError: A redirect is not followed, or the body cannot be read.
        """
        address = self.endpoints.direct()
        if address is not None:
            return self._travel(request, address, limits)
        return self._travel(request, self.endpoints.frontend, limits, replace(request, body=None, length=0))

    def get(self, path: str, limits: Limits) -> Arrival:
        """Ask the FE; it may send us to another one.

        Raises:
            Lost: There is no answer.
            WarehouseError: A redirect is not followed.
        """
        return self._travel(Request("GET", path, {}), self.endpoints.frontend, limits)

    def redirect_target(self, request: Request) -> Arrival | Endpoint:
        """Return where the FE sends a load, or its answer if that is no redirect; the load is not sent.

        Raises:
            Lost: There is no answer.
            WarehouseError: The redirect would not be followed.
        """
        address, limits = self.endpoints.frontend, Limits(_FRONTEND_SECONDS)
        for redirects in range(_MOST_REDIRECTS):
            answer = self._exchange(address, request, limits, load=False)
            if answer.status not in _REDIRECTS:
                return Arrival(answer, address, redirects)
            came_from, address = address, self._next(answer, request, address)
            # An FE that wants https sends us to itself first.
            if came_from.secure or not address.secure:
                return address.endpoint
        raise _too_many(address)

    def error_log(self, url: str, came_from: Address) -> str:
        """Return the beginning of what is behind an ErrorURL, asked for without credentials; empty if untold."""
        try:
            found = self.endpoints.error_log(url, came_from)
            if found is None:
                return ""
            address, path = found
            answer = exchange(address, Request("GET", path, {}), _ERROR_LOG_LIMITS, self._trust(address))
        except (NoAnswer, WarehouseError):
            return ""
        return answer.body.decode("utf-8", "replace") if answer.status == 200 else ""

    def _travel(self, request: Request, first: Address, limits: Limits, opening: Request | None = None) -> Arrival:
        """Send ``opening`` if there is one, else the request, and the request to wherever redirects lead."""
        address = first
        for redirects in range(_MOST_REDIRECTS + 1):
            ask = redirects == 0 and opening is not None
            sent = opening if opening is not None and ask else request
            bounds = replace(limits, seconds=min(limits.seconds, _FRONTEND_SECONDS)) if ask else limits
            answer = self._exchange(address, sent, bounds, load=not ask)
            if answer.status not in _REDIRECTS:
                return Arrival(answer, address, redirects)
            if redirects < _MOST_REDIRECTS:
                address = self._next(answer, request, address)
        raise _too_many(first)

    def _next(self, answer: Answer, request: Request, address: Address) -> Address:
        if answer.status != 307:
            raise WarehouseError(f"Doris at {address} answers HTTP {answer.status}, not the redirect that it should")
        return self.endpoints.follow(answer.headers.get("location", ""), request.path, address)

    def _exchange(self, address: Address, request: Request, limits: Limits, *, load: bool) -> Answer:
        if request.body is not None:
            request.body.seek(0)
        try:
            signed = replace(request, headers={**request.headers, **self._credentials})
            return exchange(address, signed, limits, self._trust(address))
        except NoAnswer as error:
            why = f"Doris at {address}: {error.reason}"
            raise Lost(why, begun=load and error.begun, lasting=error.lasting) from None

    def _trust(self, address: Address) -> ssl.SSLContext | None:
        if address.secure and self._context is None:
            try:
                self._context = ssl.create_default_context(cafile=self._server.tls_ca)
            except (OSError, ValueError):
                raise WarehouseError(
                    f"the CA file {self._server.tls_ca} (option tls_ca) cannot be read; it must hold PEM certificates"
                ) from None
        return self._context


def _too_many(address: Address) -> WarehouseError:
    return WarehouseError(f"Doris at {address} redirects more than {_MOST_REDIRECTS} times; does a gateway loop?")
