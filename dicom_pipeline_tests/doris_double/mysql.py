"""The frontend's MySQL side.

Scope: mysql-mimic as far as it is of use: packets and result sets. Its parsing of SQL is bypassed, and two faults are
mended: a failed login ends the connection with 1045, and statements without rows tell how many they affected.
"""

import asyncio
import logging
import ssl
from typing import Any

from mysql_mimic import packets
from mysql_mimic.auth import IdentityProvider
from mysql_mimic.connection import Connection
from mysql_mimic.control import LocalControl
from mysql_mimic.errors import MysqlError
from mysql_mimic.results import ResultColumn, ResultSet
from mysql_mimic.session import BaseSession
from mysql_mimic.stream import ConnectionClosed, MysqlStream
from mysql_mimic.types import ColumnType as WireType
from mysql_mimic.variables import GlobalVariables, SessionVariables

from dicom_pipeline_tests.doris_double.accounts import Account
from dicom_pipeline_tests.doris_double.cluster import Cluster
from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.executor import SERVER_VERSION, Executor
from dicom_pipeline_tests.doris_double.faults import Action, Fault, Place
from dicom_pipeline_tests.doris_double.select import Relation
from dicom_pipeline_tests.doris_double.values import result_text

logging.getLogger("mysql_mimic").setLevel(logging.CRITICAL)

_NATIVE = "mysql_native_password"
_ACCESS_DENIED = 1045
_WIRE = {
    "BOOLEAN": WireType.TINY,
    "TINYINT": WireType.TINY,
    "SMALLINT": WireType.SHORT,
    "INT": WireType.LONG,
    "BIGINT": WireType.LONGLONG,
    "LARGEINT": WireType.STRING,
    "FLOAT": WireType.FLOAT,
    "DOUBLE": WireType.DOUBLE,
    "DATE": WireType.DATE,
    "DATETIME": WireType.DATETIME,
    "CHAR": WireType.STRING,
}


class _Dropped(Exception):
    """The connection is to be closed without a word."""


class _Session(BaseSession):
    """What mysql-mimic asks; the work is the executor's."""

    def __init__(self, cluster: Cluster, query_port: int) -> None:
        self.variables = SessionVariables(GlobalVariables())
        self.variables.set("version", SERVER_VERSION, force=True)
        self.username: str | None = None
        self.database: str | None = None
        self._cluster = cluster
        self._query_port = query_port
        self.executor: Executor | None = None

    def login(self, account: Account) -> None:
        """Begin to work for an account."""
        if self.database:
            self._cluster.database(self.database)
        self.username = account.user
        self.executor = Executor(self._cluster, account, self.database or None, self._query_port)

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> ResultSet | None:
        assert self.executor is not None
        self._cluster.statements.add(sql)
        await _happen(self._cluster.faults.take(Place.MYSQL, sql))
        try:
            result = self.executor.execute(sql)
        except DorisError as error:
            raise MysqlError(error.message, error.code) from None
        await _happen(self._cluster.faults.take(Place.MYSQL_AFTER, sql))
        return None if result is None else _result_set(result)

    async def use(self, database: str) -> None:
        assert self.executor is not None
        try:
            self.executor.use(database)
        except DorisError as error:
            raise MysqlError(error.message, error.code) from None


async def _happen(fault: Fault | None) -> None:
    if fault is None:
        return
    if fault.action is Action.ERROR:
        raise MysqlError(f"errCode = 2, detailMessage = {fault.answer.decode()}", 1105)
    if fault.action is not Action.DELAY:
        raise _Dropped
    await asyncio.sleep(fault.seconds)


def _result_set(result: Relation) -> ResultSet:
    columns = [ResultColumn(name, _WIRE.get(column.name, WireType.VAR_STRING)) for name, column in result.columns]
    told = [
        (place, column) for place, (_, column) in enumerate(result.columns) if column.name in ("DOUBLE", "DATETIME")
    ]
    if not told:
        return ResultSet(result.rows, columns)
    rows = []
    for row in result.rows:
        values = list(row)
        for place, column in told:
            if values[place] is not None:
                values[place] = result_text(values[place], column)
        rows.append(values)
    return ResultSet(rows, columns)


class _Stream:
    """A stream whose client may begin TLS in the same breath in which it asks for it; compiled, so no subclass."""

    def __init__(self, stream: MysqlStream) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def start_tls(self, ssl: ssl.SSLContext) -> None:
        loop, transport = asyncio.get_running_loop(), self.writer.transport
        transport.pause_reading()
        early = bytes(self.reader._buffer)
        self.reader._buffer.clear()
        beginning = loop.create_task(self._stream.start_tls(ssl))

        def hand_over() -> None:
            protocol = transport.get_protocol()
            protocol.get_buffer(len(early))[: len(early)] = early
            protocol.buffer_updated(len(early))

        if early:
            await asyncio.sleep(0)
            loop.call_soon(hand_over)
        await beginning


class _Connection(Connection):
    """A connection that ends when its login fails, or when it is dropped on purpose."""

    async def _start(self) -> None:
        try:
            await self.connection_phase()
            await self.command_phase()
        except MysqlError as refused:
            await self.stream.write(self.error(msg=refused.msg, code=refused.code))
        except (ConnectionClosed, ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass

    async def authenticate(self, username: str, auth_response: bytes, **others: Any) -> None:
        assert isinstance(self.session, _Session)
        nonce = (self.handshake_auth_data or b"").rstrip(b"\0")
        if others.get("client_plugin_name") not in (None, _NATIVE):
            switch = {"server_charset": self.server_charset, "plugin_name": _NATIVE}
            await self.stream.write(packets.make_auth_switch_request(plugin_provided_data=nonce + b"\0", **switch))
            auth_response = await self.stream.read()
        account = self.session._cluster.accounts.find(username)
        if account is None or not account.proves(auth_response, nonce):
            given = "YES" if auth_response else "NO"
            message = f"Access denied for user '{username}@127.0.0.1' (using password: {given})"
            raise MysqlError(message, _ACCESS_DENIED)
        try:
            self.session.login(account)
        except DorisError as error:
            raise MysqlError(error.message, error.code) from None
        await self.stream.write(self.ok())

    async def handle_query(self, data: bytes) -> None:
        try:
            await super().handle_query(data)
        except _Dropped:
            self.stream.writer.transport.abort()
            raise asyncio.CancelledError from None

    async def handle_change_user(self, data: bytes) -> None:
        raise MysqlError("errCode = 2, detailMessage = the double knows no change of user")

    async def handle_stmt_prepare(self, data: bytes) -> None:
        raise MysqlError("errCode = 2, detailMessage = the double knows no prepared statements")

    def ok(self, **told: Any) -> bytes:
        executor = self.session.executor if isinstance(self.session, _Session) else None
        if executor is not None and not told:
            told["affected_rows"] = executor.affected_rows
        return super().ok(**told)


class MysqlSide:
    """The listening socket, and its connections."""

    def __init__(self, cluster: Cluster, tls: ssl.SSLContext | None = None) -> None:
        self._cluster = cluster
        self._tls = tls
        self._control = LocalControl(server_id=1)
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self._cluster, self.port)
        stream: Any = _Stream(MysqlStream(reader, writer))
        connection = _Connection(stream, session, self._control, IdentityProvider(), ssl=self._tls)
        connection.connection_id = await self._control.add(connection)
        try:
            await connection.start()
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            await self._control.remove(connection.connection_id)

    def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()
