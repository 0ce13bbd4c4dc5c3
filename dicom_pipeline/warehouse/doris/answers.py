"""What Doris answers, and what it means for a load.

Scope: the table of answers, and the fragments of messages by which failures that pass are told from failures that last.
Wordings differ between versions; the fragments are what has stayed. A message may repeat values of rows: nothing of it
is kept but a code of Doris's own at its beginning.
"""

import json
import re
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from dicom_pipeline.warehouse.doris.exchange import Answer

# In this order: what a row's value might imitate comes after what repeats values.
_REFUSED_ROWS = ("data_quality_error", "too many filtered rows")
_NOT_ALLOWED = ("not_authorized", "unauthorized", "access denied", "no valid basic authorization")
_LABEL_EXISTS = ("label_already_exists", "has already been used")
_UNSETTLED = ("thrift_rpc_error",)
_SLOWLY_PASSING = ("e-235", "[-235]", "too many versions", "too_many_version")
_PASSING = (
    "no backend load available",
    "service_unavailable",
    "have not get fe master heartbeat yet",
    "not_master",
    "current running txns on db",
    "mem_limit_exceeded",
    "mem_alloc_failed",
)
_LASTING = {
    "there is no 100-continue header": "something between here and Doris drops the header Expect; load past it with "
    "the option be_endpoints",
    "endpoint is null": "the cluster's redirect policy wants endpoints that its backends do not have",
    "label and group_commit": "something adds the header group_commit to loads",
    "unknown data format": "this version of Doris does not read the format; try the option format=json",
    "unknown partition": "a partition is not there",
    "err_unknown_partition": "a partition is not there",
    "no partition": "a partition is not there",
    "unknown table": "the table is not there; prepare the tables",
    "unknown column": "the table has other columns; see the differences that the check of the tables lists",
    "exceeded_limit": "the load is larger than the cluster allows",
    "larger than": "the load is larger than the cluster allows",
}
_CODES = (
    "ALREADY_EXIST ANALYSIS_ERROR CANCELLED CORRUPTION DATA_QUALITY_ERROR DELETE_BITMAP_LOCK_ERROR END_OF_FILE "
    "EXCEEDED_LIMIT HTTP_ERROR INTERNAL_ERROR INVALID_ARGUMENT INVALID_JSON_PATH INVALID_SCHEMA IO_ERROR "
    "LABEL_ALREADY_EXISTS MEM_ALLOC_FAILED MEM_LIMIT_EXCEEDED NETWORK_ERROR NOT_AUTHORIZED NOT_FOUND "
    "NOT_IMPLEMENTED_ERROR NOT_MASTER RPC_ERROR RUNTIME_ERROR SERVICE_UNAVAILABLE TABLE_NOT_FOUND THRIFT_RPC_ERROR "
    "TIMEOUT TOO_MANY_VERSION UNINITIALIZED"
)
_CODE = re.compile(rf"\s*(\[(?:{_CODES.replace(' ', '|')}|E?-[0-9]{{1,5}})\])")
_AGAIN_STATUSES = (408, 425, 429)
_WHO_MAY_LOAD = "user or password of the warehouse URL is wrong, or the user lacks LOAD on the table"
_NOT_A_FRONTEND = (
    "the HTTP port of the warehouse URL loads by itself instead of naming a backend: it is a backend's port, or a "
    "gateway; give the FE's as http_port, or name what loads in the option be_endpoints"
)


class Kind(Enum):
    """What an answer means for the load it answers."""

    LOADED = auto()  # committed and visible
    COMMITTED = auto()  # and visible later
    FINISHED = auto()  # not this one: a load of the same label was committed before
    RUNNING = auto()  # not this one: a load of the same label is under way
    UNCLEAR = auto()  # committed or not
    PASSING = auto()  # not loaded; the same request may succeed later
    REFUSED = auto()  # not loaded as it should be, and never will be


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer understood.

    Attributes:
        kind: What it means.
        why: In words fit for showing.
        error_url: Where Doris keeps the rows it refused; not fit for showing.
        slow: Whether a passing failure takes its time.
    """

    kind: Kind
    why: str = ""
    error_url: str = field(default="", repr=False)
    slow: bool = False


class State(Enum):
    """What Doris knows of a label."""

    UNKNOWN = auto()
    PREPARE = auto()
    PRECOMMITTED = auto()
    COMMITTED = auto()
    VISIBLE = auto()
    ABORTED = auto()


def read_reply(answer: Answer, rows: int) -> Reply:
    """Return what a backend's answer to a load of ``rows`` rows means."""
    told = _told(answer)
    if answer.status != 200:
        return _of_status(answer.status, Kind.UNCLEAR)
    if "Status" in told:
        return _of_load(told, rows)
    return _of_refusal(told, Kind.UNCLEAR)


def read_frontend_reply(answer: Answer) -> Reply:
    """Return what an FE's answer other than a redirect means; whatever it says, it has loaded nothing."""
    told = _told(answer)
    if answer.status != 200:
        return _of_status(answer.status, Kind.PASSING)
    if "Status" in told:
        return Reply(Kind.REFUSED, _NOT_A_FRONTEND)
    if not told and answer.body.strip() and not answer.body.lstrip().startswith(b"{"):
        return Reply(Kind.REFUSED, "it does not answer like a Doris FE; see http_port in the warehouse URL")
    return _of_refusal(told, Kind.PASSING)


def read_state(answer: Answer) -> State | None:
    """Return what the FE says of a label, None if it does not say."""
    told = _told(answer)
    if answer.status != 200 or told.get("code") != 0:
        return None
    return State.__members__.get(str(told.get("data")))


def _told(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of the answer, empty if it is none, is cut or something else."""
    try:
        told = json.loads(answer.body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _of_status(status: int, otherwise: Kind) -> Reply:
    """Read a status that Doris itself never answers with: a proxy speaks, or another server altogether."""
    if status in (401, 403):
        return Reply(Kind.REFUSED, f"HTTP {status}: {_WHO_MAY_LOAD}")
    if status < 300 or status >= 500 or status in _AGAIN_STATUSES:
        return Reply(otherwise, f"HTTP {status}")
    if status == 413:
        return Reply(Kind.REFUSED, "HTTP 413: a proxy in between refuses a body of this size")
    return Reply(Kind.REFUSED, f"HTTP {status}: not what Doris answers to a load; see host and ports in the URL")


def _of_load(told: dict[str, Any], rows: int) -> Reply:
    if told.get("GroupCommit") in (True, "true"):
        return Reply(
            Kind.REFUSED,
            "the load went into a group commit, which knows no labels, though it was told not to: set the table's "
            "property group_commit_mode to off_mode",
        )
    match told["Status"]:
        case "Success":
            return _of_success(told, rows)
        case "Publish Timeout":
            return Reply(Kind.COMMITTED, "committed and not visible yet")
        case "Label Already Exists":
            finished = told.get("ExistingJobStatus") == "FINISHED"
            return Reply(Kind.FINISHED if finished else Kind.RUNNING, "another load has its label")
        case "Fail":
            return _of_message(told.get("Message"), _text(told, "ErrorURL"))
    return Reply(Kind.UNCLEAR, "an answer of a kind that is not known here")


def _of_success(told: dict[str, Any], rows: int) -> Reply:
    if told.get("TwoPhaseCommit") in (True, "true"):
        return Reply(Kind.REFUSED, "the load was only prepared: something adds the header two_phase_commit to loads")
    counts = [told.get(f"Number{what}Rows") for what in ("Loaded", "Filtered", "Unselected")]
    if counts == [rows, 0, 0]:
        return Reply(Kind.LOADED)
    loaded, filtered, unselected = (count if _is_count(count) else "an unknown number" for count in counts)
    return Reply(
        Kind.REFUSED,
        f"of {rows} rows sent it loaded {loaded}, filtered {filtered} and left out {unselected}, and called that a "
        "success",
        _text(told, "ErrorURL"),
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 63


def _of_refusal(told: dict[str, Any], otherwise: Kind) -> Reply:
    """Read what the FE, and a server's outer layers, answer: ``{"status": "FAILED", ..}`` or ``{"code": 401, ..}``."""
    code = told.get("code")
    if code == 401:
        return Reply(Kind.REFUSED, _WHO_MAY_LOAD)
    if told.get("status") == "FAILED" or (isinstance(code, int) and code not in (0, 500)):
        reply = _of_message(f"{_text(told, 'msg')} {_text(told, 'data')}")
        return replace(reply, kind=otherwise) if reply.kind is Kind.UNCLEAR else reply
    return Reply(otherwise, "an internal error of the server" if code == 500 else "an answer that cannot be read")


def _of_message(message: object, error_url: str = "") -> Reply:
    text = str(message)
    found = _CODE.match(text)
    code = found[1] if found else "an error"
    text = text.lower()
    if _has(text, _REFUSED_ROWS):
        return Reply(Kind.REFUSED, f"{code}: rows do not fit the table", error_url)
    if _has(text, _NOT_ALLOWED):
        return Reply(Kind.REFUSED, f"{code}: {_WHO_MAY_LOAD}")
    if _has(text, _LABEL_EXISTS):
        return Reply(Kind.RUNNING, "another load has its label")
    if _has(text, _UNSETTLED):
        return Reply(Kind.UNCLEAR, code)
    if _has(text, _PASSING + _SLOWLY_PASSING):
        hint = next(fragment for fragment in _PASSING + _SLOWLY_PASSING if fragment in text)
        return Reply(Kind.PASSING, f"{code} ({hint})", slow=_has(text, _SLOWLY_PASSING))
    advice = next((told for fragment, told in _LASTING.items() if fragment in text), "the servers' logs say more")
    return Reply(Kind.REFUSED, f"{code}: {advice}", error_url)


def _has(text: str, fragments: tuple[str, ...]) -> bool:
    return any(fragment in text for fragment in fragments)


def _text(told: dict[str, Any], key: str) -> str:
    value = told.get(key)
    return value if isinstance(value, str) else ""
