"""What tests of file trees need: a tree an unprivileged user can reach, and to be such a user for a while."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

_NOBODY = 65534


@pytest.fixture
def open_tree() -> Iterator[Path]:
    """A directory that every user may enter; pytest's own is closed to all but the user who runs it."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    for parent, _, _ in os.walk(directory):
        os.chmod(parent, 0o755)
    shutil.rmtree(directory)


@contextmanager
def _unprivileged() -> Iterator[None]:
    # Root may read everything; without it the kernel refuses as it does any user. Root's capabilities return with it.
    if os.geteuid() != 0:
        yield
        return
    group = os.getegid()
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """Inside this context the process has no more rights than any user."""
    return _unprivileged
