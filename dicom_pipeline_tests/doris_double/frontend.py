"""The frontend's HTTP side.

Scope: redirects to a backend (``LoadAction``), the state of a label, health; every answer but a redirect has status 200
(``ResponseEntityBuilder``). It never reads a body.
"""

import itertools
from urllib.parse import parse_qs, quote

from dicom_pipeline_tests.doris_double.accounts import Account, Privilege
from dicom_pipeline_tests.doris_double.cluster import Cluster
from dicom_pipeline_tests.doris_double.faults import Action, Place
from dicom_pipeline_tests.doris_double.http import Exchange
from dicom_pipeline_tests.doris_double.load_plan import GROUP_COMMIT_MODES
from dicom_pipeline_tests.doris_double.server import HttpServer

_NO_BACKEND = (
    "No backend load available, policy: computeNode=true | query=false | load=true | schedule=true | tags=[] |"
    " medium=null"
)


class Frontend(HttpServer):
    """Answers at the frontend's port; with TLS also the plain port, which sends to the other one."""

    kind = "fe"

    def __init__(self, cluster: Cluster, https_port: int | None = None, *, backend_tls: bool = False) -> None:
        super().__init__(cluster)
        self._https_port = https_port
        self._backend_tls = backend_tls
        self._turn = itertools.count()

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request."""
        request = exchange.request
        path, _, query = request.path.partition("?")
        if self._https_port is not None:
            host = request.host.partition(":")[0]
            await self._redirect(exchange, f"https://{host}:{self._https_port}{request.path}")
            return
        parts = path.strip("/").split("/")
        if request.method == "GET" and parts == ["api", "health"]:
            alive = sum(backend.alive for backend in self.cluster.backends)
            counted = {"online_backend_num": alive, "total_backend_num": len(self.cluster.backends)}
            await exchange.answer_json({"msg": "success", "code": 0, "data": counted, "count": 0})
        elif request.method == "GET" and len(parts) == 3 and parts[2] == "get_load_state":
            await self._load_state(exchange, parts[1], parse_qs(query).get("label", [""])[0])
        elif request.method == "PUT" and parts[-1] in ("_stream_load", "_stream_load_2pc") and parts[0] == "api":
            await self._load(exchange, path, query, parts)
        else:
            await exchange.answer(404, "")

    async def _load(self, exchange: Exchange, path: str, query: str, parts: list[str]) -> None:
        action = await self.stumble(exchange, Place.FE)
        refused = self._refused(exchange, parts)
        if action is Action.NO_BACKEND:
            refused = _NO_BACKEND
        if refused is not None:
            await exchange.answer_json({"status": "FAILED", "msg": refused}, cut=action is Action.TRUNCATE)
            return
        account = self.cluster.accounts.authenticated(exchange.request.authorization)
        if account is None:
            await self._unauthorized(exchange)
            return
        await self._to_backend(exchange, account, path, query, parts[1])

    def _refused(self, exchange: Exchange, parts: list[str]) -> str | None:
        if "expect" not in exchange.has and parts[-1] == "_stream_load":
            return "There is no 100-continue header"
        mode = exchange.header("group_commit", "off_mode")
        if mode.lower() not in GROUP_COMMIT_MODES:
            return "Header `group_commit` can only be `sync_mode`, `async_mode` or `off_mode`."
        return None

    async def _to_backend(self, exchange: Exchange, account: Account, path: str, query: str, database: str) -> None:
        if not account.may(Privilege.LOAD, database):
            denied = "Access denied; you need (at least one of) the (LOAD) privilege(s) for this operation"
            await exchange.answer_json({"status": "FAILED", "msg": denied})
            return
        alive = [backend for backend in self.cluster.backends if backend.alive]
        if not alive:
            await exchange.answer_json({"status": "FAILED", "msg": _NO_BACKEND})
            return
        backend = alive[next(self._turn) % len(alive)]
        scheme = "https" if self._backend_tls else "http"
        user = f"{quote(account.user, safe=_USERINFO)}:{quote(account.password, safe=_USERINFO)}"
        place = self.cluster.knobs.redirect_to or f"{scheme}://{backend.host}:{backend.http_port}"
        scheme, _, host = place.partition("://")
        await self._redirect(exchange, f"{scheme}://{user}@{host}{path}?{query}")

    async def _redirect(self, exchange: Exchange, location: str) -> None:
        await exchange.answer(307, "", headers={"Location": location})
        await self.early_end(exchange)

    async def _unauthorized(self, exchange: Exchange) -> None:
        told = {"msg": "Unauthorized", "code": 401, "data": "Access denied for default_cluster", "count": 0}
        await exchange.answer_json(told)

    async def _load_state(self, exchange: Exchange, database: str, label: str) -> None:
        cut = await self.stumble(exchange, Place.FE_STATE) is Action.TRUNCATE
        if self.cluster.accounts.authenticated(exchange.request.authorization) is None:
            await self._unauthorized(exchange)
            return
        exchange.request.label = label
        if database not in self.cluster.databases:
            missing = f"unknown database, database={database}"
            await exchange.answer_json({"msg": missing, "code": 1, "data": None, "count": 0})
            return
        with self.cluster.lock:
            state = self.cluster.transactions.told_state(database, label)
        await exchange.answer_json({"msg": "success", "code": 0, "data": state, "count": 0}, cut=cut)


_USERINFO = "-_.!~*'();:&=+$,"
"""What ``java.net.URI`` leaves as it is in a user and password."""
