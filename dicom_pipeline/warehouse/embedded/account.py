"""The account the embedded server runs as.

Scope: which uid, and how a child process becomes it. PostgreSQL refuses to run as root. An ordinary user's server runs
as that user. Root's server runs as a uid of its own, one that names no account and that nothing else on the machine
uses, so that no other unprivileged service can read the data directory; a data directory that has an owner keeps it.

Where that uid could not pass a parent directory (a home below ``/root``, a virtual environment there), the server keeps
root's right to pass directories (CAP_DAC_OVERRIDE, Linux only). That gives away nothing: only root reaches its socket.
"""

import ctypes
import hashlib
import os
import pwd
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dicom_pipeline.errors import ConfigurationError

_FIRST_UID, _LAST_UID = 61184, 65519  # the range for accounts nobody has (systemd.io/UIDS-GIDS)
_BOOTSTRAP_ACCOUNT = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """A uid and gid for the server; ``keeps_passage`` where it needs root's right to pass directories."""

    uid: int
    gid: int
    keeps_passage: bool = False

    def popen_arguments(self) -> dict[str, Any]:
        """Return the arguments of ``subprocess.Popen`` that make root's child this account; none for other callers."""
        if os.geteuid() != 0:
            return {"umask": 0o077}
        if not self.keeps_passage:
            return {"umask": 0o077, "user": self.uid, "group": self.gid, "extra_groups": []}
        libc = ctypes.CDLL(None, use_errno=True)  # before the fork: a forked child should load nothing
        return {"umask": 0o077, "preexec_fn": lambda: _become(self, libc)}


def choose_account(data: Path, must_reach: Iterable[Path]) -> Account:
    """Return the account for a data directory that exists, or is to be made at ``data``.

    Raises:
        ConfigurationError: The directory belongs to another user, or root's server could not reach it.
    """
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise ConfigurationError("the embedded database belongs to another user; run as that user or as root")
        return Account(os.geteuid(), os.getegid())
    if owner is not None and owner.st_uid != 0:
        return _reaching(Account(owner.st_uid, owner.st_gid), must_reach)
    uid = _unused_uid(data)
    return _reaching(Account(uid, uid), must_reach)


def bootstrap_account(must_reach: Iterable[Path]) -> Account:
    """Return the account root runs ``initdb`` as, which wants one with a name; its files are given away afterwards."""
    try:
        entry = pwd.getpwnam(_BOOTSTRAP_ACCOUNT)
    except KeyError:
        raise ConfigurationError(
            f"root cannot run PostgreSQL and there is no account {_BOOTSTRAP_ACCOUNT!r} to run it as; run as an"
            " ordinary user, or give --warehouse postgresql://…"
        ) from None
    return _reaching(Account(entry.pw_uid, entry.pw_gid), must_reach)


def give(directory: Path, account: Account) -> None:
    """Make ``account`` the owner of a tree, links untouched."""
    for root, _, files in os.walk(directory):
        for name in (root, *(os.path.join(root, file) for file in files)):
            os.chown(name, account.uid, account.gid, follow_symlinks=False)


def _unused_uid(data: Path) -> int:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    number = int.from_bytes(hashlib.blake2b(os.fsencode(data.absolute()), digest_size=4).digest(), "big")
    span = _LAST_UID - _FIRST_UID + 1
    candidates = (_FIRST_UID + (number + step) % span for step in range(span))
    return next(uid for uid in candidates if uid not in taken)


def _reaching(account: Account, places: Iterable[Path]) -> Account:
    if all(_lets_pass(parent, account) for place in places for parent in place.absolute().parents):
        return account
    if not sys.platform.startswith("linux"):
        raise ConfigurationError(
            "root's embedded PostgreSQL cannot pass the directories above its own; choose --home elsewhere, run as an"
            " ordinary user, or give --warehouse postgresql://…"
        )
    return Account(account.uid, account.gid, keeps_passage=True)


def _lets_pass(directory: Path, account: Account) -> bool:
    if not directory.exists():
        return True
    found = directory.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def _become(account: Account, libc: ctypes.CDLL) -> None:
    """Turn a forked child of root into ``account`` that keeps CAP_DAC_OVERRIDE (capabilities(7), prctl(2))."""
    _prctl(libc, _PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    mask = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; low words first
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(libc, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def _prctl(libc: ctypes.CDLL, option: int, *arguments: int) -> None:
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(ctypes.c_int(option), *padded):
        raise OSError(ctypes.get_errno(), "prctl")
