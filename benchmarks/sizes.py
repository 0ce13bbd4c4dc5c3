"""How large the benchmarks are, and where they keep what they need.

Scope: one number from which all sizes follow, so that a try-out is the same run in small.
"""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_FILES = 20_000
FILES_A_DATE = 20
"""Files a date where the cost of a date is measured."""
_PACKAGE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of all parts, and how often each is measured.

    Attributes:
        files: Files of the extraction benchmark; everything else is a multiple of it.
        rounds: Measured rounds of extraction and loading, after one that warms up.
    """

    files: int = DEFAULT_FILES
    rounds: int = 5

    @property
    def sample(self) -> int:
        """Files that slow readers get."""
        return max(self.files // 10, 200)

    @property
    def load_rows(self) -> int:
        """Image rows of the load benchmark."""
        return self.files * 50

    @property
    def grown_rows(self) -> int:
        """Image rows of a table that has been filled for years."""
        return self.files * 1000

    @property
    def archive_files(self) -> int:
        """Files of the archives that are loaded end to end."""
        return self.files * 10

    @property
    def years_dates(self) -> int:
        """Dates of the archive of many small dates: ten years of them."""
        return max(self.files * 3650 // DEFAULT_FILES, 20)

    @property
    def archive_dates(self) -> int:
        """Dates of the archives; fewer in a try-out, since each costs a load something whatever its size."""
        return min(max(self.files // 200, 5), 100)


@dataclass(frozen=True, slots=True)
class Workplace:
    """Directories of a run.

    Attributes:
        root: Archives, databases and raw results; may be deleted at any time.
    """

    root: Path = _PACKAGE / ".work"

    def archive(self, files: int, dates: int, seed: int) -> Path:
        """Where the archive of this size is."""
        return self.root / f"archive-{files}-{dates}-{seed}"

    @property
    def results(self) -> Path:
        """Raw results, a JSON file a part."""
        return self.root / "results"
