"""Two-phase commit.

Scope: ``_stream_load_2pc`` (``stream_load_2pc.cpp``): commit or abort of a load that was only pre-committed.
"""

from typing import Any

from dicom_pipeline_tests.doris_double.accounts import Privilege
from dicom_pipeline_tests.doris_double.cluster import Cluster
from dicom_pipeline_tests.doris_double.errors import LoadError
from dicom_pipeline_tests.doris_double.http import Exchange
from dicom_pipeline_tests.doris_double.transactions import State, Transaction


def two_phase(cluster: Cluster, exchange: Exchange, database: str) -> dict[str, Any]:
    """Carry out the operation and return what is told of it."""
    try:
        account = cluster.accounts.authenticated(exchange.request.authorization)
        if account is None or not account.may(Privilege.LOAD, database):
            raise LoadError("NOT_AUTHORIZED", "no valid Basic authorization")
        operation = exchange.header("txn_operation").lower()
        if operation not in ("commit", "abort"):
            raise LoadError("INVALID_ARGUMENT", f"transaction operation should be 'commit' or 'abort', not {operation}")
        transaction = _transaction(cluster, exchange, database)
        _check(transaction)
        if operation == "commit":
            cluster.transactions.commit(transaction)
        else:
            cluster.transactions.abort(transaction)
    except LoadError as error:
        name = error.message[1:].partition("]")[0]
        return {"status": name, "msg": error.message}
    return {"status": "Success", "msg": f"transaction [{transaction.number}] {operation} successfully."}


def _transaction(cluster: Cluster, exchange: Exchange, database: str) -> Transaction:
    number, label = exchange.header("txn_id"), exchange.header("label")
    found = None
    if number.isdigit():
        found = cluster.transactions.by_number(database, int(number))
    elif label and cluster.knobs.two_phase_by_label:
        found = cluster.transactions.find(database, label)
    elif not number:
        raise LoadError("INVALID_ARGUMENT", "transaction id should not be empty")
    if found is None:
        raise LoadError("ANALYSIS_ERROR", f"errCode = 2, detailMessage = transaction [{number or label}] not found")
    return found


def _check(transaction: Transaction) -> None:
    if transaction.state in (State.COMMITTED, State.VISIBLE):
        text = f"transaction [{transaction.number}] is already {transaction.state.lower()}, not pre-committed."
        raise LoadError("ANALYSIS_ERROR", f"errCode = 2, detailMessage = {text}")
    if transaction.state is State.ABORTED:
        text = f"transaction [{transaction.number}] is already aborted. abort reason: User Abort"
        raise LoadError("ANALYSIS_ERROR", f"errCode = 2, detailMessage = {text}")
    if transaction.state is not State.PRECOMMITTED:
        text = f"transaction [{transaction.number}] is prepare, not pre-committed."
        raise LoadError("ANALYSIS_ERROR", f"errCode = 2, detailMessage = {text}")
