"""Answering SHOW.

Scope: the rows and columns of the SHOW statements the double knows, as texts, which is how Doris sends them.
"""

from typing import Any

from dicom_pipeline_tests.doris_double.accounts import GRANTS_COLUMNS, Account
from dicom_pipeline_tests.doris_double.alter import look_at
from dicom_pipeline_tests.doris_double.catalog import Database, Partition, Table
from dicom_pipeline_tests.doris_double.cluster import Cluster
from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.partitions import shown_range
from dicom_pipeline_tests.doris_double.select import Relation
from dicom_pipeline_tests.doris_double.statements import Show
from dicom_pipeline_tests.doris_double.values import ColumnType
from dicom_pipeline_tests.doris_double.words import words

_TEXT = ColumnType("VARCHAR", 65533)
_VERSION = "doris-4.0.8-rc01-double"
_FRONTENDS = words(
    "Name Host EditLogPort HttpPort QueryPort RpcPort ArrowFlightSqlPort Role IsMaster ClusterId Join Alive "
    "ReplayedJournalId LastStartTime LastHeartbeat IsHelper ErrMsg Version CurrentConnected"
)
_BACKENDS = words(
    "BackendId Host HeartbeatPort BePort HttpPort BrpcPort ArrowFlightSqlPort LastStartTime LastHeartbeat Alive "
    "SystemDecommissioned TabletNum DataUsedCapacity TrashUsedCapacity AvailCapacity TotalCapacity UsedPct "
    "MaxDiskUsedPct RemoteUsedCapacity Tag ErrMsg Version Status HeartbeatFailureCounter NodeRole"
)
_PARTITIONS = words(
    "PartitionId PartitionName VisibleVersion VisibleVersionTime State PartitionKey Range DistributionKey Buckets "
    "ReplicationNum StorageMedium CooldownTime RemoteStoragePolicy LastConsistencyCheckTime DataSize IsInMemory "
    "ReplicaAllocation IsMutable SyncWithBaseTables UnsyncTables"
)
_ALTER = words(
    "JobId TableName CreateTime FinishTime IndexName IndexId OriginIndexId SchemaVersion TransactionId State Msg "
    "Progress Timeout"
)


def show(statement: Show, cluster: Cluster, account: Account, database: Database | None, query_port: int) -> Relation:
    """Return what a SHOW shows; ``database`` is the one it is of."""
    if statement.what == "GRANTS":
        return Relation(tuple((name, _TEXT) for name in GRANTS_COLUMNS), [account.grants()])
    if statement.what in ("FRONTENDS", "BACKENDS"):
        if not account.is_admin:
            raise DorisError("Access denied; you need (at least one of) the (NODE/ADMIN) privilege(s)", 1227)
        return _backends(cluster) if statement.what == "BACKENDS" else _frontends(cluster, query_port)
    assert database is not None
    if statement.what == "ALTER":
        return _alter(statement, cluster, database)
    assert statement.place is not None
    table = database.table(statement.place.name)
    partitions = table.temporary if statement.what == "TEMPORARY PARTITIONS" else table.partitions
    wanted = [p for p in partitions.values() if statement.equals in (None, p.name)]
    return _relation(_PARTITIONS, [_partition(table, partition) for partition in wanted])


def _relation(names: list[str], rows: list[dict[str, Any]]) -> Relation:
    return Relation(tuple((name, _TEXT) for name in names), [tuple(row.get(name) for name in names) for row in rows])


def _frontends(cluster: Cluster, query_port: int) -> Relation:
    row = {
        "Name": "fe_double",
        "Host": "127.0.0.1",
        "HttpPort": str(cluster.fe_http_port),
        "QueryPort": str(query_port),
        "Role": "FOLLOWER",
        "IsMaster": "true",
        "Join": "true",
        "Alive": "true",
        "Version": _VERSION,
        "CurrentConnected": "Yes",
    }
    return _relation(_FRONTENDS, [row])


def _backends(cluster: Cluster) -> Relation:
    rows = [
        {
            "BackendId": str(backend.number),
            "Host": backend.host,
            "HttpPort": str(backend.http_port),
            "Alive": str(backend.alive).lower(),
            "SystemDecommissioned": "false",
            "Tag": '{"location" : "default"}',
            "Version": _VERSION,
            "NodeRole": "mix",
        }
        for backend in cluster.backends
    ]
    return _relation(_BACKENDS, rows)


def _partition(table: Table, partition: Partition) -> dict[str, Any]:
    return {
        "PartitionId": str(table.number * 1000 + list(table.partitions | table.temporary).index(partition.name)),
        "PartitionName": partition.name,
        "State": "NORMAL",
        "PartitionKey": table.partition_column,
        "Range": shown_range(partition),
        "DistributionKey": ", ".join(table.hash_columns),
        "Buckets": str(table.buckets),
        "ReplicationNum": table.properties.get("replication_num", "3"),
        "IsMutable": "true",
    }


def _alter(statement: Show, cluster: Cluster, database: Database) -> Relation:
    rows = []
    for table in database.tables.values():
        if statement.equals not in (None, table.name):
            continue
        for job in table.jobs:
            state = look_at(table, job, cluster.clock.moment())
            rows.append(
                {
                    "JobId": str(job.number),
                    "TableName": table.name,
                    "CreateTime": job.created.isoformat(" "),
                    "FinishTime": job.finished.isoformat(" ") if job.finished else None,
                    "IndexName": table.name,
                    "State": state,
                    "Msg": "",
                    "Progress": "50.00%" if state == "RUNNING" else None,
                    "Timeout": "2592000",
                }
            )
    rows.sort(key=lambda row: int(row["JobId"] or 0), reverse=True)
    return _relation(_ALTER, rows[: statement.limit])
