"""What each of Doris's answers means, and that no message is repeated."""

import json
from typing import Any

import pytest

from dicom_pipeline.warehouse.doris.answers import Kind, State, read_frontend_reply, read_reply, read_state
from dicom_pipeline.warehouse.doris.exchange import Answer

ROWS = 3
SECRET = "DOE^JOHN"


def answer(*, http_status: int = 200, **told: Any) -> Answer:
    return Answer(http_status, {}, json.dumps(told).encode() + b"\n")


def load(status: str = "Success", loaded: Any = ROWS, filtered: Any = 0, unselected: Any = 0, **told: Any) -> Answer:
    counts = {"NumberLoadedRows": loaded, "NumberFilteredRows": filtered, "NumberUnselectedRows": unselected}
    return answer(TxnId=1, Label="l", TwoPhaseCommit="false", Status=status, **counts, **told)


def failed(message: str, **told: Any) -> Answer:
    return load("Fail", 0, Message=message, **told)


def test_success_is_every_row_and_no_other() -> None:
    assert read_reply(load(), ROWS).kind is Kind.LOADED
    assert read_reply(load(loaded=0), 0).kind is Kind.LOADED


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"loaded": 2}, "loaded 2, filtered 0 and left out 0"),
        ({"loaded": 4}, "loaded 4, filtered 0 and left out 0"),
        ({"filtered": 1}, "loaded 3, filtered 1 and left out 0"),
        ({"unselected": 1}, "loaded 3, filtered 0 and left out 1"),
        ({"loaded": None}, "loaded an unknown number"),
        ({"loaded": SECRET}, "loaded an unknown number"),
    ],
)
def test_success_with_other_counts_is_an_error_that_tells_them(counts: dict[str, Any], told: str) -> None:
    reply = read_reply(load(**counts, Message=SECRET), ROWS)
    assert reply.kind is Kind.REFUSED
    assert told in reply.why
    assert SECRET not in reply.why


@pytest.mark.parametrize("yes", [True, "true"])
def test_group_commit_is_an_error_whatever_else_is_said(yes: object) -> None:
    reply = read_reply(load(GroupCommit=yes), ROWS)
    assert reply.kind is Kind.REFUSED
    assert "group_commit_mode" in reply.why


def test_no_group_commit_is_none() -> None:
    assert read_reply(load(GroupCommit=False), ROWS).kind is Kind.LOADED


def test_a_load_that_is_only_prepared_is_an_error() -> None:
    told = json.loads(load().body) | {"TwoPhaseCommit": "true"}
    assert read_reply(answer(**told), ROWS).kind is Kind.REFUSED


def test_publish_timeout_is_committed() -> None:
    assert read_reply(load("Publish Timeout", 0), ROWS).kind is Kind.COMMITTED


@pytest.mark.parametrize(
    ("existing", "kind"),
    [
        ({"ExistingJobStatus": "FINISHED"}, Kind.FINISHED),
        ({"ExistingJobStatus": "RUNNING"}, Kind.RUNNING),
        ({"ExistingJobStatus": "PRECOMMITTED"}, Kind.RUNNING),
        ({"ExistingJobStatus": "SOMETHING"}, Kind.RUNNING),
        ({}, Kind.RUNNING),
    ],
)
def test_an_existing_label_is_judged_without_counts(existing: dict[str, str], kind: Kind) -> None:
    assert read_reply(load("Label Already Exists", 0, **existing), ROWS).kind is kind


PASSING = [
    "[SERVICE_UNAVAILABLE]Have not get FE Master heartbeat yet",
    "Have not get FE Master heartbeat yet",
    "[NOT_MASTER]NOT_MASTER",
    "[ANALYSIS_ERROR]TStatus: errCode = 2, detailMessage = current running txns on db 10 is 100, larger than limit 100",
    "[MEM_LIMIT_EXCEEDED]process memory used 9 GB",
    "[MEM_ALLOC_FAILED]x",
    "errCode = 2, detailMessage = No backend load available, policy: x",
]
SLOW = ["[E-235]failed to init rowset builder", "[INTERNAL_ERROR][-235]x", "x Too Many Versions", "[TOO_MANY_VERSION]x"]
LASTING = [
    "[DATA_QUALITY_ERROR]too many filtered rows",
    "too many filtered rows",
    f"[DATA_QUALITY_ERROR]{SECRET} NOT_MASTER [E-235]",
    "[NOT_AUTHORIZED]no valid Basic authorization",
    "Access denied for user",
    "[ANALYSIS_ERROR]TStatus: errCode = 7, detailMessage = unknown table, tableName=t",
    "[ANALYSIS_ERROR]errCode = 2, detailMessage = Unknown column 'x' in 't'",
    "ERR_UNKNOWN_PARTITION",
    "[EXCEEDED_LIMIT]body exceed max size",
    "[INVALID_ARGUMENT]Invalid mem limit format",
    "[INTERNAL_ERROR]unknown data format: x",
    f"[{SECRET}] is not known",
    "[DOE]",
    f"{SECRET} [DATA]",
    "",
]


@pytest.mark.parametrize("message", PASSING + SLOW)
def test_failures_that_pass(message: str) -> None:
    reply = read_reply(failed(message), ROWS)
    assert reply.kind is Kind.PASSING
    assert reply.slow == (message in SLOW)


@pytest.mark.parametrize("message", LASTING)
def test_failures_that_last(message: str) -> None:
    reply = read_reply(failed(message, FirstErrorMsg=SECRET), ROWS)
    assert reply.kind is Kind.REFUSED
    assert "DOE" not in reply.why


@pytest.mark.parametrize("message", [None, 1, [SECRET]])
def test_a_message_that_is_no_text_lasts(message: object) -> None:
    assert read_reply(load("Fail", Message=message), ROWS).kind is Kind.REFUSED


def test_a_failed_commit_may_have_been_one() -> None:
    assert read_reply(failed("[THRIFT_RPC_ERROR]failed to call frontend"), ROWS).kind is Kind.UNCLEAR


def test_a_label_may_exist_in_other_words() -> None:
    assert read_reply(failed("[LABEL_ALREADY_EXISTS]x"), ROWS).kind is Kind.RUNNING
    assert read_reply(failed("Label [l] has already been used, relate to txn [1]"), ROWS).kind is Kind.RUNNING


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[DATA_QUALITY_ERROR]x", "[DATA_QUALITY_ERROR]"),
        ("[E-235]x", "[E-235]"),
        ("[-235]x", "[-235]"),
        ("[INTERNAL_ERROR]x", "[INTERNAL_ERROR]"),
    ],
)
def test_doriss_own_codes_are_told(message: str, code: str) -> None:
    assert code in read_reply(failed(message), ROWS).why


def test_where_refused_rows_are_is_kept_and_not_shown() -> None:
    reply = read_reply(failed("[DATA_QUALITY_ERROR]x", ErrorURL="http://be/api/_load_error_log?file=x"), ROWS)
    assert reply.error_url == "http://be/api/_load_error_log?file=x"
    assert "file=x" not in repr(reply)
    assert read_reply(failed("[DATA_QUALITY_ERROR]x", ErrorURL=[1]), ROWS).error_url == ""


UNREADABLE = [
    b"",
    b"<html>Bad Gateway</html>",
    b'{"Status": "Success", "NumberLo',
    b"[]",
    b'"Success"',
    b"{}",
    b'{"Status": "Splendid"}',
    b'{"Status": null}',
    b"\xff\xfe",
    b"[" * 100_000,
    b"1" * 5000,
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_an_answer_that_cannot_be_read_may_mean_anything(body: bytes) -> None:
    assert read_reply(Answer(200, {}, body), ROWS).kind is Kind.UNCLEAR


@pytest.mark.parametrize(
    ("status", "at_backend", "at_frontend"),
    [
        (500, Kind.UNCLEAR, Kind.PASSING),
        (502, Kind.UNCLEAR, Kind.PASSING),
        (504, Kind.UNCLEAR, Kind.PASSING),
        (408, Kind.UNCLEAR, Kind.PASSING),
        (429, Kind.UNCLEAR, Kind.PASSING),
        (204, Kind.UNCLEAR, Kind.PASSING),
        (401, Kind.REFUSED, Kind.REFUSED),
        (403, Kind.REFUSED, Kind.REFUSED),
        (404, Kind.REFUSED, Kind.REFUSED),
        (413, Kind.REFUSED, Kind.REFUSED),
    ],
)
def test_statuses_that_doris_does_not_use(status: int, at_backend: Kind, at_frontend: Kind) -> None:
    page = Answer(status, {}, b"<html>" + SECRET.encode())
    for reply, kind in ((read_reply(page, ROWS), at_backend), (read_frontend_reply(page), at_frontend)):
        assert reply.kind is kind
        assert str(status) in reply.why
        assert SECRET not in reply.why


def test_a_success_with_another_status_is_not_believed() -> None:
    told = json.loads(load().body)
    assert read_reply(answer(http_status=502, **told), ROWS).kind is Kind.UNCLEAR


@pytest.mark.parametrize("read", [read_frontend_reply, lambda told: read_reply(told, ROWS)], ids=["FE", "BE"])
def test_what_outer_layers_refuse(read: Any) -> None:
    denied = read(answer(msg="Unauthorized", code=401, data=SECRET, count=0))
    assert denied.kind is Kind.REFUSED
    assert "password" in denied.why
    assert SECRET not in denied.why
    assert "password" in read(answer(msg="No", code=401)).why
    assert read(answer(status="FAILED", msg="Access denied; you need LOAD")).kind is Kind.REFUSED
    assert read(answer(status="FAILED", msg=f"Unknown {SECRET}")).kind is Kind.REFUSED
    assert read(answer(status="FAILED", msg="No backend load available, policy: x")).kind is Kind.PASSING
    assert read(answer(msg="Bad Request", code=403, data="x", count=0)).kind is Kind.REFUSED
    assert read(answer(msg="Error", code=1, data="current running txns on db 1", count=0)).kind is Kind.PASSING
    no_expect = read(answer(status="FAILED", msg="There is no 100-continue header"))
    assert no_expect.kind is Kind.REFUSED
    assert "be_endpoints" in no_expect.why


def test_an_internal_error_at_the_frontend_passes_and_at_a_backend_leaves_all_open() -> None:
    told = answer(msg="Internal Error", code=500, data="x", count=0)
    assert read_frontend_reply(told).kind is Kind.PASSING
    assert read_reply(told, ROWS).kind is Kind.UNCLEAR


def test_nothing_is_unclear_at_the_frontend() -> None:
    told = answer(status="FAILED", msg="THRIFT_RPC_ERROR")
    assert read_frontend_reply(told).kind is Kind.PASSING


@pytest.mark.parametrize("status", ["Success", "Fail", "Label Already Exists"])
def test_a_frontend_that_loads_by_itself_is_none(status: str) -> None:
    reply = read_frontend_reply(load(status, 0))
    assert reply.kind is Kind.REFUSED
    assert "be_endpoints" in reply.why
    assert "http_port" in reply.why


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>Log in</html>", Kind.REFUSED),
        (b"[1]", Kind.REFUSED),
        (b'{"status": "FAI', Kind.PASSING),
        (b"", Kind.PASSING),
        (b"{}", Kind.PASSING),
    ],
)
def test_a_frontend_that_does_not_speak_json(body: bytes, kind: Kind) -> None:
    assert read_frontend_reply(Answer(200, {}, body)).kind is kind


@pytest.mark.parametrize("state", State)
def test_states_of_labels(state: State) -> None:
    assert read_state(answer(msg="success", code=0, data=state.name, count=0)) is state


@pytest.mark.parametrize(
    "told",
    [
        answer(msg="success", code=0, data="GONE", count=0),
        answer(msg="success", code=0, data=None, count=0),
        answer(msg="Unauthorized", code=401, data="VISIBLE", count=0),
        answer(msg="success", data="VISIBLE"),
        answer(http_status=502, code=0, data="VISIBLE"),
        Answer(200, {}, b'{"code": 0, "data": "VISI'),
        Answer(200, {}, b"<html>"),
    ],
)
def test_states_that_are_not_told(told: Answer) -> None:
    assert read_state(told) is None
