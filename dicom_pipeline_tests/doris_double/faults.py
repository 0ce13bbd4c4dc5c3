"""What goes wrong on purpose.

Scope: faults that tests ask for, where each happens, and how often. A fault that has happened often enough is gone.
"""

import threading
from dataclasses import dataclass, field
from enum import StrEnum


class Place(StrEnum):
    """Where a fault happens."""

    FE = "fe"
    """The frontend, asked for a redirect."""
    FE_STATE = "fe-state"
    """The frontend, asked for the state of a label."""
    BE_BEFORE_HEADERS = "be-before-headers"
    """A backend, before it has looked at the request: nothing is begun."""
    BE_AFTER_HEADERS = "be-after-headers"
    """A backend that has begun the load and not yet asked for the body."""
    BE_MID_BODY = "be-mid-body"
    """A backend that has read a part of the body: what is begun is rolled back."""
    BE_BEFORE_COMMIT = "be-before-commit"
    """A backend that has the whole body."""
    BE_AFTER_COMMIT = "be-after-commit"
    """A backend that has committed and not yet answered."""
    MYSQL = "mysql-query"
    """The frontend, before a statement is carried out."""
    MYSQL_AFTER = "mysql-after-query"
    """The frontend, after a statement was carried out and before it is answered."""


class Action(StrEnum):
    """What happens there."""

    DROP = "drop"
    """The connection is closed without a word."""
    RESET = "reset"
    """The connection is reset."""
    DELAY = "delay"
    """``seconds`` pass, then all goes on."""
    ANSWER = "answer"
    """``answer`` is sent as it is, a whole HTTP answer, and the connection closed."""
    HTML_502 = "html-502"
    """A proxy's page of HTML with status 502."""
    TRUNCATE = "truncate"
    """The real answer, cut in the middle of its JSON, its length right."""
    NO_BACKEND = "no-backend"
    """``No backend load available`` (the frontend only)."""
    ERROR = "error"
    """``answer`` is the text of an error 1105 (statements only)."""


@dataclass(slots=True)
class Fault:
    """A fault: where, what, how often, and after how many times that all goes well.

    Attributes:
        place: Where it happens.
        action: What happens.
        times: How often.
        skip: How many times before that all goes well: the n-th statement, the second load.
        seconds: How long a DELAY is.
        answer: The bytes of an ANSWER, the text of an ERROR.
        containing: Only where this is in the path or the statement.
        polls: After BE_MID_BODY: how often the load is still told as PREPARE before it is ABORTED.
    """

    place: Place
    action: Action = Action.DROP
    times: int = 1
    skip: int = 0
    seconds: float = 0.0
    answer: bytes = b""
    containing: str = ""
    polls: int = 0


@dataclass(slots=True)
class Faults:
    """The faults that are still to happen."""

    _waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Let a fault happen, after those of its place that were added before."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Let all go well from now on."""
        with self._lock:
            self._waiting.clear()

    @property
    def pending(self) -> int:
        """How many faults have not happened (often enough) yet."""
        return len(self._waiting)

    def take(self, place: Place, text: str) -> Fault | None:
        """Return the fault that happens here and now, if one does."""
        with self._lock:
            for fault in self._waiting:
                if fault.place != place or fault.containing not in text:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    return None
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None
