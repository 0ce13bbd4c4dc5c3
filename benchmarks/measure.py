"""What a piece of work costs: processor time of this process and all below it, and time on the wall.

Scope: measuring. Who is measured how often is in ``rounds.py``.
"""

import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds: user and system time of the process and its descendants, and wall time."""

    cpu: float
    wall: float


def measured(work: Callable[[], _T]) -> tuple[_T, Cost]:
    """Do the work and return its result and its cost."""
    cpu, wall = _processor_seconds(), time.perf_counter()
    result = work()
    wall = time.perf_counter() - wall
    return result, Cost(_processor_seconds() - cpu, wall)


def descendants(root: int) -> Iterator[int]:
    """Yield the ids of the processes below ``root``, itself not among them."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    waiting = [root]
    while waiting:
        below = children[waiting.pop()]
        waiting += below
        yield from below


def _processor_seconds() -> float:
    """Return what this process, its ended children and its living descendants have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used) + sum(_used_by(pid) for pid in descendants(os.getpid()))


def _used_by(pid: int) -> float:
    fields = _stat(pid)
    return sum(int(field) for field in fields[11:15]) / _TICKS if fields else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/<pid>/stat`` after the name, from the state on; empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
