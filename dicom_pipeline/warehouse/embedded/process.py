"""Is the embedded server alive, and what a crash leaves behind.

Scope: ``postmaster.pid`` and the processes it may name. PostgreSQL clears a dead server's pid file away by itself, and
by the shared memory noted in it sees whether children of a killed server still run. It is fooled by a pid that another
process of the same user has now, and gives up on an empty or garbled file; those cases are put right here, without
losing the note on shared memory.
"""

import os
import subprocess
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"


def server_pid(data: Path) -> int | None:
    """Return the pid of the live server (or of its bootstrap) on ``data``, None if there is none.

    A single-user process notes its pid as a negative number; a pid whose process is something else is not the server.
    """
    pid = _noted_pid(data / "postmaster.pid")
    return pid if pid is not None and _is_server(pid, data) else None


def clear_leftovers(data: Path, sockets: Path) -> None:
    """Make what a dead server left harmless; call only under the start lock and with ``server_pid`` None.

    The first line of ``postmaster.pid`` becomes this process's pid, which PostgreSQL takes for stale in its parent,
    so that it goes on to check the shared memory noted below it.
    """
    for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (sockets / name).unlink(missing_ok=True)
    note = data / "postmaster.pid"
    if not note.exists():
        return
    lines = note.read_text(errors="replace").splitlines()
    if not lines:
        note.unlink()
        return
    with note.open("r+") as file:  # in place: the file keeps its owner
        file.truncate()
        file.write("\n".join([str(os.getpid()), *lines[1:]]) + "\n")


def _noted_pid(note: Path) -> int | None:
    try:
        return abs(int(note.read_text(errors="replace").split("\n", 1)[0])) or None
    except (OSError, ValueError):
        return None


def _is_server(pid: int, data: Path) -> bool:
    command = _command_line(pid)
    return "postgres" in command and str(data) in command


def _command_line(pid: int) -> str:
    """Return a process's command line; empty if there is no such process, or it is dead and not yet waited for."""
    if Path("/proc/self/cmdline").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).replace("\0", " ")
        except OSError:
            return ""
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()
