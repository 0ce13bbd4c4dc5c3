"""Directories that only their owner can enter.

Scope: making them, for whatever is kept about an archive outside of it.
"""

from contextlib import suppress
from pathlib import Path


def make_private_directories(directory: Path) -> None:
    """Create missing directories for their owner only, whatever the umask; existing ones stay as they are."""
    missing = [d for d in (directory, *directory.parents) if not d.exists()]
    for one in reversed(missing):
        with suppress(FileExistsError):
            one.mkdir(0o700)
            one.chmod(0o700)
