"""A sample archive, laid out from the real files that come with pydicom.

Scope: the command ``sample``: something to load and look at within a minute, without patient data and without a
network. Only files that lie inside the installed package are taken; what pydicom could download is not. This is a
tool beside the pipeline: it reads with plain pydicom, and no table is made from what it finds.
"""

import datetime as dt
import hashlib
import logging
import os
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dicom_pipeline.errors import ConfigurationError

UNDATED = dt.date(1970, 1, 1)
"""Where files go that have no place of their own. Computers show this date where they have none, so everybody knows
what it means; and DICOM is younger, so no study of the sample can have it."""

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_LONGEST_UID = 64
_PYTHON = frozenset({".py", ".pyc"})
_PARTIAL = ".sample-partial"
_TAGS = ["StudyDate", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What the sample holds.

    Attributes:
        files: All files.
        dates: Dates that have a directory, the undated one included.
        undated: Files under ``UNDATED``, all of which a load refuses.
    """

    files: int
    dates: int
    undated: int


def lay_out_sample(directory: Path, tenant: str = "default") -> SampleReport:
    """Lay out pydicom's bundled files as ``<tenant>/<YYYYMMDD>/<study>/<series>/<sop>.dcm`` below ``directory``.

    Files without a usable study date keep their own names, under the date ``UNDATED``. So do further encodings of an
    instance that has its place already: beside it, both would be refused as duplicates, and most of the sample's
    dates with them. Of identical files one is taken. What is there already is left as it is, so a second call changes
    nothing.

    Raises:
        ConfigurationError: The tenant cannot be a directory's name, or ``directory`` holds anything that is not such
            a sample, or cannot be written.
    """
    if tenant in {"", ".", ".."} or "/" in tenant or "\0" in tenant:
        raise ConfigurationError("the tenant must be usable as the name of a directory")
    plan = _plan(_bundled_files())
    try:
        _refuse_other_content(directory, plan)
        for place, source in plan.items():
            _copy(source, directory / tenant / place, directory / _PARTIAL)
    except OSError as error:
        raise ConfigurationError(f"the sample cannot be written to {str(directory)!r}: {error.strerror}") from None
    days = [place.parts[0] for place in plan]
    return SampleReport(len(plan), len(set(days)), days.count(_component(UNDATED)))


def _bundled_files() -> list[Path]:
    """Return the data files inside the installed package, in a fixed order."""
    import pydicom

    data = Path(pydicom.__file__).parent / "data"
    folders = [folder for folder in data.iterdir() if folder.is_dir() and folder.name != "__pycache__"]
    files = (path for folder in folders for path in folder.rglob("*"))
    return sorted(path for path in files if path.is_file() and path.suffix not in _PYTHON)


def _plan(files: list[Path]) -> dict[PurePosixPath, Path]:
    """Return which file goes where, relative to the tenant's directory."""
    plan: dict[PurePosixPath, Path] = {}
    taken = set()
    root = Path(os.path.commonpath(files))
    with _silent_pydicom():
        for path in files:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest in taken:
                continue
            taken.add(digest)
            place = _place(path, digest)
            if place is None or place in plan:
                # The path inside the package is unique, names alone are not (there are two DICOMDIR).
                place = PurePosixPath(_component(UNDATED), *path.relative_to(root).parts)
            plan[place] = path
    return plan


def _place(path: Path, digest: str) -> PurePosixPath | None:
    """Return the place of a file that has a usable study date, None for any other."""
    import pydicom

    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=_TAGS)
        study_date, *uids = (str(dataset.get(keyword) or "") for keyword in _TAGS)
    except Exception:
        # Some files are broken on purpose, and pydicom raises errors of every kind on those.
        return None
    if not _is_date(study_date):
        return None
    study, series, instance = (_safe(uid, digest) for uid in uids)
    return PurePosixPath(study_date, study, series, f"{instance}.dcm")


def _is_date(text: str) -> bool:
    if re.fullmatch("[0-9]{8}", text) is None:
        return False
    try:
        dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _component(date: dt.date) -> str:
    return f"{date:%Y%m%d}"


def _safe(uid: str, digest: str) -> str:
    """Return the UID if it is one, else a name that is harmless in a path; without any, the file's own digest."""
    if len(uid) <= _LONGEST_UID and _UID.fullmatch(uid):
        return uid
    return hashlib.sha256(uid.encode()).hexdigest()[:16] if uid else digest[:16]


def _refuse_other_content(directory: Path, plan: dict[PurePosixPath, Path]) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise ConfigurationError(f"{str(directory)!r} is not a directory: name a new one for the sample")
    for path in directory.rglob("*"):
        tenant, *parts = path.relative_to(directory).parts
        if tenant == _PARTIAL or (path.is_dir() and not path.is_symlink()):
            continue
        source = plan.get(PurePosixPath(*parts))
        if source is None or path.is_symlink() or not path.is_file() or path.read_bytes() != source.read_bytes():
            raise ConfigurationError(
                f"{str(directory)!r} holds something else than a sample of this version: name a new directory"
            )


def _copy(source: Path, target: Path, partial: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Complete or not there: an interrupted call must not leave half a file, which the next would refuse.
    shutil.copyfile(source, partial)
    partial.replace(target)


@contextmanager
def _silent_pydicom() -> Iterator[None]:
    """Keep pydicom's opinions on its own test files from the terminal."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
