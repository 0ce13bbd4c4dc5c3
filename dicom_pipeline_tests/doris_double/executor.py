"""Carrying out statements.

Scope: one session's way from a statement's text to its result: what may be done in its state and with its privileges,
and who does it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dicom_pipeline_tests.doris_double import alter, ddl, partitions
from dicom_pipeline_tests.doris_double.accounts import Account, Privilege
from dicom_pipeline_tests.doris_double.catalog import Column, Database, Table
from dicom_pipeline_tests.doris_double.cluster import Cluster
from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.expressions import Scope, predicate
from dicom_pipeline_tests.doris_double.information_schema import NAME, information_schema
from dicom_pipeline_tests.doris_double.parser import parse
from dicom_pipeline_tests.doris_double.select import Relation, select
from dicom_pipeline_tests.doris_double.show import show
from dicom_pipeline_tests.doris_double.statements import (
    AddPartition,
    AlterColumn,
    CreateDatabase,
    CreateTable,
    CreateView,
    Delete,
    Drop,
    DropPartition,
    Name,
    ReplacePartition,
    Select,
    SetVariables,
    Show,
    Simple,
    Source,
    SystemSelect,
    Use,
)
from dicom_pipeline_tests.doris_double.values import ColumnType

_VARIABLE_TEXT = ColumnType("VARCHAR", 256)
SERVER_VERSION = "5.7.99"


class Executor:
    """A session: its account, its database, its variables, whether it is in a transaction."""

    def __init__(self, cluster: Cluster, account: Account, database: str | None = None, query_port: int = 0) -> None:
        self.cluster = cluster
        self.account = account
        self.database = database
        self.query_port = query_port
        self.in_transaction = False
        self.affected_rows = 0
        self.variables: dict[str, Any] = {
            "version_comment": cluster.knobs.version_comment,
            "version": SERVER_VERSION,
            "transaction_isolation": "REPEATABLE-READ",
            "tx_isolation": "REPEATABLE-READ",
            "lower_case_table_names": 0,
            "autocommit": 1,
            "sql_mode": cluster.knobs.default_sql_mode,
            "query_timeout": 900,
            "insert_timeout": 14400,
            "time_zone": cluster.knobs.time_zone,
            "wait_timeout": 28800,
            "max_allowed_packet": 16777216,
        }

    def execute(self, sql: str) -> Relation | None:
        """Carry out a statement; return its rows, or None if it has none.

        Raises:
            DorisError: It is not understood, not allowed, or not possible.
        """
        escapes = "NO_BACKSLASH_ESCAPES" not in str(self.variables["sql_mode"]).upper()
        statement = parse(sql, backslash_escapes=escapes)
        if self.in_transaction and not isinstance(statement, Simple | Delete | SetVariables):
            raise DorisError("This is in a transaction, only insert, update, delete, commit, rollback is acceptable.")
        self.affected_rows = 0
        with self.cluster.lock:
            return _ACTIONS[type(statement)](self, statement)

    def use(self, database: str) -> None:
        """Take another database."""
        if database != NAME:
            self.cluster.database(database)
        self.database = database

    def _database(self, name: str | None) -> Database:
        if name is None and self.database is None:
            raise DorisError("No database selected", 1046)
        return self.cluster.database(name or self.database or "")

    def _allow(self, privilege: Privilege, database: str) -> None:
        if self.account.may(privilege, database):
            return
        user = f"'{self.account.user}'@'%'"
        if privilege is Privilege.SELECT:
            wanted = f"does not have privilege for [priv predicate: Admin_priv,{privilege.value}]"
            raise DorisError(f"Permission denied: user [{user}] {wanted} command on [internal].[{database}]")
        raise DorisError(f"{privilege.name} command denied to user {user} for table '{database}'", 1142)

    def _table(self, name: Name, privilege: Privilege) -> Table:
        database = self._database(name.database)
        self._allow(privilege, database.name)
        table = database.table(name.name)
        if table.view is not None:
            raise DorisError(f"Table[{name.name}] is not an OLAP table")
        return table

    def _select(self, statement: Select) -> Relation:
        return select(statement, self._relation)

    def _relation(self, source: Source) -> Relation:
        assert source.table is not None
        if (source.table.database or self.database or "").lower() == NAME:
            return information_schema(self.cluster, self.account, source.table.name)
        database = self._database(source.table.database)
        self._allow(Privilege.SELECT, database.name)
        table = database.table(source.table.name)
        if table.view is not None:
            return self._select(table.view)
        columns = tuple((column.name, column.type) for column in table.columns)
        if source.partitions:
            found = partitions.partitions_of(table, source.partitions, temporary=source.temporary)
            return Relation(columns, partitions.rows_in(table, found, temporary=source.temporary))
        return Relation(columns, list(self.cluster.seen_rows(table).values()))

    def _system_select(self, statement: SystemSelect) -> Relation:
        columns, row = [], []
        for name in statement.names:
            value: Any = {"VERSION()": SERVER_VERSION, "DATABASE()": self.database, "1": 1}.get(name)
            if name.startswith("@@"):
                if name[2:] not in self.variables:
                    raise DorisError(f"Unknown system variable '{name[2:]}'", 1193)
                value = self.variables[name[2:]]
            columns.append((name, ColumnType("BIGINT") if isinstance(value, int) else _VARIABLE_TEXT))
            row.append(value)
        return Relation(tuple(columns), [tuple(row)])

    def _set(self, statement: SetVariables) -> None:
        for name, value in statement.values:
            if name not in self.variables:
                raise DorisError(f"Unknown system variable '{name}'", 1193)
            self.variables[name] = value

    def _show(self, statement: Show) -> Relation:
        database = None
        if statement.what in ("ALTER", "PARTITIONS", "TEMPORARY PARTITIONS"):
            database = self._database(statement.place.database if statement.place else None)
            self._allow(Privilege.SELECT, database.name)
        return show(statement, self.cluster, self.account, database, self.query_port)

    def _simple(self, statement: Simple) -> None:
        if statement.what == "SYNC":
            self.cluster.sync()
        else:
            self.in_transaction = statement.what == "BEGIN"

    def _use(self, statement: Use) -> None:
        self.use(statement.database)

    def _create_database(self, statement: CreateDatabase) -> None:
        name = ddl.checked_name(statement.name, "database")
        self._allow(Privilege.CREATE, name)
        if name not in self.cluster.databases:
            self.cluster.databases[name] = Database(name)
        elif not statement.if_not_exists:
            raise DorisError(f"Can't create database '{name}'; database exists", 1007)

    def _create_table(self, statement: CreateTable) -> None:
        database = self._database(statement.name.database)
        self._allow(Privilege.CREATE, database.name)
        table = ddl.table_from(statement, sum(backend.alive for backend in self.cluster.backends))
        if table.name not in database.tables:
            table.number = self.cluster.number()
            database.tables[table.name] = table
        elif not statement.if_not_exists:
            raise DorisError(f"Table '{table.name}' already exists", 1050)

    def _create_view(self, statement: CreateView) -> None:
        database = self._database(statement.name.database)
        self._allow(Privilege.CREATE, database.name)
        if statement.name.name in database.tables:
            raise DorisError(f"Table '{statement.name.name}' already exists", 1050)
        shape = self._select(statement.query)
        columns = tuple(Column(name, column) for name, column in shape.columns)
        database.tables[statement.name.name] = Table(statement.name.name, columns, view=statement.query)

    def _drop(self, statement: Drop) -> None:
        if statement.what == "DATABASE":
            self._allow(Privilege.DROP, statement.name.name)
            if self.cluster.databases.pop(statement.name.name, None) is None and not statement.if_exists:
                raise DorisError(f"Can't drop database '{statement.name.name}'; database doesn't exist", 1008)
            return
        database = self._database(statement.name.database)
        self._allow(Privilege.DROP, database.name)
        ddl.drop(database, statement.name.name, if_exists=statement.if_exists, view=statement.what == "VIEW")

    def _alter_column(self, statement: AlterColumn) -> None:
        table, knobs = self._table(statement.table, Privilege.ALTER), self.cluster.knobs
        now, number = self.cluster.clock.moment(), self.cluster.number()
        alter.alter_column(table, statement, now, number, knobs.alter_polls, slow=knobs.slow_alters)

    def _add_partition(self, statement: AddPartition) -> None:
        ddl.checked_name(statement.partition.name, "partition")
        partitions.add_partition(self._table(statement.table, Privilege.ALTER), statement)

    def _drop_partition(self, statement: DropPartition) -> None:
        partitions.drop_partition(self._table(statement.table, Privilege.ALTER), statement)

    def _replace_partition(self, statement: ReplacePartition) -> None:
        partitions.replace_partition(self._table(statement.table, Privilege.ALTER), statement)

    def _delete(self, statement: Delete) -> None:
        table = self._table(statement.table, Privilege.LOAD)
        scope = Scope(tuple((column.name, column.type) for column in table.columns))
        goes = predicate(statement.where, scope)
        kept = {key: row for key, row in table.rows.items() if not goes(row)}
        self.affected_rows = len(table.rows) - len(kept)
        table.rows = kept


_ACTIONS: Mapping[type, Callable[[Executor, Any], Relation | None]] = {
    Select: Executor._select,
    SystemSelect: Executor._system_select,
    SetVariables: Executor._set,
    Show: Executor._show,
    Simple: Executor._simple,
    Use: Executor._use,
    CreateDatabase: Executor._create_database,
    CreateTable: Executor._create_table,
    CreateView: Executor._create_view,
    Drop: Executor._drop,
    AlterColumn: Executor._alter_column,
    AddPartition: Executor._add_partition,
    DropPartition: Executor._drop_partition,
    ReplacePartition: Executor._replace_partition,
    Delete: Executor._delete,
}
