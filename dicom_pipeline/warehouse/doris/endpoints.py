"""Where a request to Doris may go: the frontend of the URL, and what it sends us to, if that is of the cluster.

Scope: addresses, no connections. A frontend (FE) answers a load with the address of a backend (BE), and puts user and
password into it. Neither is believed: the address must be one we know, and our own credentials go with the request.

A ``Location`` is read from its end, which must be the path that was asked for, so that a password with ``@`` or ``/``
in it can neither be taken for a host nor hide one.
"""

import ipaddress
import itertools
import re
import socket
from collections.abc import Callable, Collection
from urllib.parse import quote

from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.doris.exchange import Address
from dicom_pipeline.warehouse.doris.url import DorisUrl, Endpoint

_HOST_AND_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ERROR_LOG = re.compile(r"(https?)://([^/?#@]+)(/api/[!-~]{1,2000})")


class Endpoints:
    """The servers that the credentials of one URL belong to."""

    def __init__(self, server: DorisUrl, backends: Callable[[], Collection[Endpoint]]) -> None:
        """Keep what may be asked later.

        Args:
            server: The URL.
            backends: Returns the HTTP endpoints of the cluster's backends; called only when nothing else knows a host.
        """
        self.frontend = Address(server.https, Endpoint(server.host, server.http_port))
        self._map = {_plain(key): value for key, value in server.be_map.items()}
        self._known = {_plain(endpoint) for endpoint in (*server.be_endpoints, *server.be_map.values())}
        self._backends = backends
        self._turn = itertools.cycle([Address(server.https, endpoint) for endpoint in server.be_endpoints])

    def direct(self) -> Address | None:
        """Return the next of the backends that the URL names, or None where the FE is to be asked."""
        return next(self._turn, None)

    def follow(self, location: str, path: str, came_from: Address) -> Address:
        """Return where a redirect leads.

        Args:
            location: What the server said; secret, as it holds the password.
            path: What was asked for, query included, and all that may be asked for there.
            came_from: Who said it.

        Raises:
            WarehouseError: We do not go there.
        """
        scheme, _, rest = location.partition("://")
        scheme = scheme.lower()
        authority = _without_path(rest, path)
        endpoint = _endpoint(authority.rpartition("@")[2], scheme) if authority else None
        if endpoint is None:
            raise WarehouseError(f"Doris at {came_from} redirects to what is not the address of a load on a backend")
        if came_from.secure and scheme != "https":
            raise WarehouseError(
                f"Doris at {came_from} redirects from https to http, where the password would be readable: "
                "set enable_https on the backends too"
            )
        return Address(scheme == "https", self._allowed(endpoint, came_from))

    def error_log(self, url: str, came_from: Address) -> tuple[Address, str] | None:
        """Return server and path of an ErrorURL, or None if it is not on a server that we know.

        Raises:
            WarehouseError: The backends cannot be listed.
        """
        found = _ERROR_LOG.fullmatch(url)
        endpoint = _endpoint(found[2], found[1]) if found else None
        if found is None or endpoint is None or (came_from.secure and found[1] != "https"):
            return None
        known = self._contacted(endpoint)
        return (Address(found[1] == "https", known), found[3]) if known else None

    def _allowed(self, endpoint: Endpoint, came_from: Address) -> Endpoint:
        known = self._contacted(endpoint)
        if known is None:
            raise WarehouseError(
                f"Doris at {came_from} redirects to {endpoint}, which is none of the cluster's servers that are "
                f"known here, so the password is not sent there; if it is one, add the option be_map with "
                f"{endpoint} and the address to use for it to the warehouse URL"
            )
        return known

    def _contacted(self, endpoint: Endpoint) -> Endpoint | None:
        """Return what is contacted for an endpoint that the cluster names, None if it is none of the cluster's."""
        plain = _plain(endpoint)
        if plain in self._map:
            return self._map[plain]
        if plain in self._known or _is_same_host(endpoint.host, self.frontend.endpoint.host):
            return endpoint
        return endpoint if plain in map(_plain, self._backends()) else None


def _without_path(rest: str, path: str) -> str:
    """Return what stands before ``path``, which a frontend may have encoded once more and given an empty query."""
    rest = rest.removesuffix("?")
    plain, question, query = path.partition("?")
    for form in (path, quote(plain, safe="/") + question + query):
        if rest.endswith(form):
            return rest.removesuffix(form)
    return ""


def _endpoint(text: str, scheme: str) -> Endpoint | None:
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or scheme not in _DEFAULT_PORTS:
        return None
    port = int(found[3] or _DEFAULT_PORTS[scheme])
    return Endpoint(found[1] or found[2], port) if 0 < port < 1 << 16 else None


def _plain(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint in the one spelling that is compared."""
    return Endpoint(_plain_host(endpoint.host), endpoint.port)


def _plain_host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return host.rstrip(".").lower()


def _is_same_host(one: str, other: str) -> bool:
    return _plain_host(one) == _plain_host(other) or not _addresses(one).isdisjoint(_addresses(other))


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()
