"""A backend's HTTP side.

Scope: the way of a stream load (``StreamLoadAction``): what is answered as soon as the headers are in, when the body is
read, what is committed, what is told; the rows are ``bodies.py``'s, what the headers ask ``load_plan.py``'s.
"""

import asyncio
import functools
import time
import uuid
from typing import Any

from dicom_pipeline_tests.doris_double.accounts import Privilege
from dicom_pipeline_tests.doris_double.cluster import Backend, Cluster
from dicom_pipeline_tests.doris_double.errors import DorisError, LoadError
from dicom_pipeline_tests.doris_double.faults import Action, Fault, Place
from dicom_pipeline_tests.doris_double.http import Exchange, Gone
from dicom_pipeline_tests.doris_double.load_plan import (
    LoadPlan,
    check_before_transaction,
    plan_load,
    timeout_of,
    uses_group_commit,
)
from dicom_pipeline_tests.doris_double.load_rows import Loaded, check_ratio, load_rows
from dicom_pipeline_tests.doris_double.server import HttpServer
from dicom_pipeline_tests.doris_double.transactions import State, Transaction
from dicom_pipeline_tests.doris_double.two_phase import two_phase


class _Load:
    """One load under way: what its answer will say."""

    def __init__(self, exchange: Exchange, database: str, table: str) -> None:
        self.exchange = exchange
        self.database = database
        self.table = table
        self.label = exchange.header("label") or str(uuid.uuid4())
        self.begun = time.monotonic()
        self.transaction: Transaction | None = None
        self.plan: LoadPlan | None = None
        self.loaded = Loaded()

    def told(
        self, status: str, message: str, existing: str | None = None, error_url: str | None = None
    ) -> dict[str, Any]:
        """Return the answer (``StreamLoadContext::to_json``)."""
        counts = self.loaded
        answer: dict[str, Any] = {"TxnId": self.transaction.number if self.transaction else -1, "Label": self.label}
        answer["Comment"] = ""
        if self.plan is not None and self.plan.group_commit:
            answer["GroupCommit"] = True
        else:
            answer["TwoPhaseCommit"] = str(self.plan is not None and self.plan.two_phase).lower()
        answer["Status"] = status
        if existing is not None:
            answer["ExistingJobStatus"] = existing
        elapsed = int(1000 * (time.monotonic() - self.begun))
        answer |= {
            "Message": message,
            "NumberTotalRows": counts.total,
            "NumberLoadedRows": len(counts.changes) if status in ("Success", "Publish Timeout") else 0,
            "NumberFilteredRows": counts.filtered,
            "NumberUnselectedRows": 0,
            "LoadBytes": self.exchange.request.body_bytes,
            "LoadTimeMs": elapsed,
            "BeginTxnTimeMs": 0,
            "StreamLoadPutTimeMs": 0,
            "ReadDataTimeMs": 0,
            "WriteDataTimeMs": elapsed,
            "ReceiveDataTimeMs": 0,
            "CommitAndPublishTimeMs": 0,
        }
        if error_url is not None:
            answer["ErrorURL"] = error_url
            answer["FirstErrorMsg"] = counts.errors[0]
        return answer


class BackendServer(HttpServer):
    """Answers at a backend's port."""

    kind = "be"

    def __init__(self, cluster: Cluster, backend: Backend, *, tls: bool = False) -> None:
        super().__init__(cluster)
        self._backend = backend
        self._scheme = "https" if tls else "http"

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request."""
        path, _, query = exchange.request.path.partition("?")
        parts = path.strip("/").split("/")
        if exchange.request.method == "GET" and parts == ["api", "_load_error_log"]:
            await exchange.answer(200, self.cluster.error_logs.get(query.removeprefix("file="), ""))
        elif exchange.request.method == "PUT" and parts[-1] == "_stream_load_2pc" and parts[0] == "api":
            with self.cluster.lock:
                told = two_phase(self.cluster, exchange, parts[1])
            await exchange.answer_json(told)
        elif exchange.request.method == "PUT" and len(parts) == 4 and parts[-1] == "_stream_load":
            await self._stream_load(exchange, parts[1], parts[2])
        else:
            await exchange.answer(404, "")

    async def _stream_load(self, exchange: Exchange, database: str, table: str) -> None:
        await self.stumble(exchange, Place.BE_BEFORE_HEADERS)
        load = _Load(exchange, database, table)
        try:
            with self.cluster.lock:
                self._on_header(load)
        except LoadError as error:
            self._roll_back(load)
            await exchange.answer_json(load.told(error.status, error.message, error.existing))
            await self.early_end(exchange)
            return
        try:
            await self._take_body(load)
        except BaseException:
            self._roll_back(load)
            raise

    def _on_header(self, load: _Load) -> None:
        account = self.cluster.accounts.authenticated(load.exchange.request.authorization)
        if not load.exchange.header("authorization").lower().startswith("basic "):
            raise LoadError("NOT_AUTHORIZED", "no valid Basic authorization")
        if ("content-length" in load.exchange.has) == ("transfer-encoding" in load.exchange.has):
            raise LoadError("INVALID_ARGUMENT", "content-length and transfer-encoding: exactly one must be set")
        if account is None:
            raise LoadError("NOT_AUTHORIZED", "Access denied for default_cluster")
        check_before_transaction(load.exchange, self.cluster.knobs)
        if load.database not in self.cluster.databases:
            raise LoadError("ANALYSIS_ERROR", f"unknown database, database={load.database}")
        if not account.may(Privilege.LOAD, load.database):
            raise LoadError("NOT_AUTHORIZED", "Access denied; you need (at least one of) the (LOAD) privilege(s)")
        try:
            table = self.cluster.database(load.database).table(load.table)
        except DorisError as error:
            raise LoadError("ANALYSIS_ERROR", f"errCode = 2, detailMessage = {error.detail}") from None
        if table.view is not None:
            raise LoadError("ANALYSIS_ERROR", f"Table[{table.name}] is not an OLAP table")
        if not uses_group_commit(load.exchange, table):
            timeout = timeout_of(load.exchange)
            load.transaction = self.cluster.transactions.begin(load.database, load.label, timeout)
        load.plan = plan_load(load.exchange, table, self.cluster.knobs)

    async def _take_body(self, load: _Load) -> None:
        exchange = load.exchange
        await self.stumble(exchange, Place.BE_AFTER_HEADERS)
        await exchange.go_on()
        fault = self.cluster.faults.take(Place.BE_MID_BODY, exchange.request.path)
        if fault is not None:
            await self._break_off(load, fault)
        body = await asyncio.wait_for(exchange.body(), timeout_of(exchange))
        await self.stumble(exchange, Place.BE_BEFORE_COMMIT)
        with self.cluster.lock:
            told = self._finish(load, body)
        action = await self.stumble(exchange, Place.BE_AFTER_COMMIT)
        await exchange.answer_json(told, cut=action is Action.TRUNCATE)

    async def _break_off(self, load: _Load, fault: Fault) -> None:
        if fault.action is Action.DELAY:
            await asyncio.sleep(fault.seconds)
            return
        size = int(load.exchange.header("content-length", "2"))
        await load.exchange.body(stop_after=max(size // 2, 1))
        if fault.polls and load.transaction is not None:
            load.transaction.hidden_polls, load.transaction.ends_aborted = fault.polls, True
        load.exchange.reset()
        raise Gone

    def _finish(self, load: _Load, body: bytes) -> dict[str, Any]:
        """Commit the load, or roll it back, and return what is told of it."""
        assert load.plan is not None
        error_url = None
        try:
            load.loaded = load_rows(load.plan, body)
            if load.loaded.errors:
                error_url = self._keep_errors(load)
            check_ratio(load.plan, load.loaded)
            self._check_still_possible(load)
        except LoadError as error:
            self._roll_back(load)
            return load.told(error.status, error.message, error_url=error_url)
        return load.told(*self._commit(load, load.plan), error_url=error_url)

    def _check_still_possible(self, load: _Load) -> None:
        assert load.plan is not None
        if load.transaction is not None and load.transaction.state is not State.PREPARE:
            raise LoadError("ANALYSIS_ERROR", f"transaction [{load.transaction.number}] is already aborted")
        if load.plan.table.columns is not load.plan.columns:
            raise LoadError("INTERNAL_ERROR", "the table's schema was changed during the load")

    def _commit(self, load: _Load, plan: LoadPlan) -> tuple[str, str]:
        publish = functools.partial(self.cluster.publish, plan.table, load.loaded.changes, plan.temporary)
        if load.transaction is None:
            publish()
            return "Success", "OK"
        load.transaction.publish = publish
        if plan.two_phase:
            load.transaction.state = State.PRECOMMITTED
            return "Success", "OK"
        late = self.cluster.knobs.publish_polls
        polls = late.pop(0) if late else 0
        self.cluster.transactions.commit(load.transaction, polls)
        if polls:
            return "Publish Timeout", "[PUBLISH_TIMEOUT]transaction commit successfully, BUT data will be visible later"
        return "Success", "OK"

    def _keep_errors(self, load: _Load) -> str:
        name = f"__shard_0/error_log_insert_stmt_{uuid.uuid4().hex}"
        lines = (f"Reason: {error}. src line []; \n" for error in load.loaded.errors)
        self.cluster.error_logs[name] = "".join(lines)
        return f"{self._scheme}://{self._backend.host}:{self.port}/api/_load_error_log?file={name}"

    def _roll_back(self, load: _Load) -> None:
        transaction = load.transaction
        if transaction is not None and transaction.state is State.PREPARE and not transaction.ends_aborted:
            with self.cluster.lock:
                self.cluster.transactions.abort(transaction)
