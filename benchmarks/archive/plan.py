"""Which dates, studies and series an archive has, before a byte of it is written.

Scope: counts, identities and encodings; drawn once for the whole archive from its seed, so that studies can then be
written in any order and by any process. What stands in a header is in ``content.py``.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from benchmarks.archive.shapes import Shapes, Weighted, load_shapes

LAST_DATE = dt.date(2024, 12, 31)
_SATURDAY = 5
_WEEKEND_SHARE = 0.3
_KNOWN_PATIENT = 0.5


@dataclass(frozen=True, slots=True)
class ArchiveSpec:
    """What is asked for.

    Attributes:
        files: Number of files, exactly.
        dates: Number of study dates, consecutive, the last one being ``LAST_DATE``.
        seed: The same seed and sizes give the same bytes.
        pixel_bytes: Bytes of pixel data a file; they do not fit Rows and Columns, which no header reader looks at.
        broken_per_mille: Files of a thousand that are broken.
    """

    files: int
    dates: int = 100
    seed: int = 1
    pixel_bytes: int = 4096
    broken_per_mille: float = 2.0

    def __post_init__(self) -> None:
        if self.dates < 1 or self.files < self.dates:
            raise ValueError("an archive needs a date, and at least as many files as dates")


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """A series: its number within the study, and how many files of which kind."""

    uid: str
    number: int
    modality: str
    transfer_syntax: str
    instances: int


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A study: its ordinal number in the archive, whose it is, and its series."""

    index: int
    uid: str
    date: dt.date
    patient: int
    character_set: str
    series: tuple[SeriesPlan, ...]

    @property
    def files(self) -> int:
        """Number of files."""
        return sum(series.instances for series in self.series)


def plan_archive(spec: ArchiveSpec) -> Iterator[StudyPlan]:
    """Yield the studies of an archive in the order of their dates."""
    shapes, random = load_shapes(), Random(f"{spec.seed}/plan")
    syntaxes = _Shares(shapes.transfer_syntaxes)
    index = patients = 0
    for date, quota in _quotas(spec, random):
        left = quota
        while left:
            known = patients and random.random() < _KNOWN_PATIENT
            patient = random.randrange(patients) if known else patients
            patients = max(patients, patient + 1)
            uid = _uid(spec.seed, index)
            series = tuple(_series(uid, left, shapes, syntaxes, random))
            # A person's character set does not change from study to study.
            character_set = shapes.character_sets.draw(Random(f"{spec.seed}/charset/{patient}"))
            study = StudyPlan(index, uid, date, patient, character_set, series)
            yield study
            left -= study.files
            index += 1


def _quotas(spec: ArchiveSpec, random: Random) -> list[tuple[dt.date, int]]:
    """Return dates with their numbers of files: busy and quiet days, few on weekends, one at least."""
    days = [LAST_DATE - dt.timedelta(days=back) for back in reversed(range(spec.dates))]
    weights = [random.lognormvariate(0, 0.4) * (_WEEKEND_SHARE if day.weekday() >= _SATURDAY else 1) for day in days]
    spread = spec.files - spec.dates
    total, before, counts = sum(weights), 0.0, []
    for weight in weights:
        after = before + weight
        counts.append(1 + round(spread * after / total) - round(spread * before / total))
        before = after
    return list(zip(days, counts, strict=True))


def _series(study_uid: str, left: int, shapes: Shapes, syntaxes: "_Shares", random: Random) -> Iterator[SeriesPlan]:
    """Yield the series of one study, at most ``left`` files of them."""
    number = 0
    for position, modality in enumerate(shapes.studies.draw(random)):
        shape = shapes.modalities[modality]
        for _ in range(shape.series_a_study.draw(random) if position == 0 else 1):
            if not left:
                return
            number += 1
            instances = min(shape.instances_a_series.draw(random), left)
            left -= instances
            uid = f"{study_uid}.{number}.{random.randrange(10**6)}"
            yield SeriesPlan(uid, number, modality, syntaxes.next(instances), instances)


def _uid(seed: int, index: int) -> str:
    digest = hashlib.sha256(f"{seed}/study/{index}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


class _Shares:
    """Hands out things so that their shares of all files come out as wanted, in small archives too."""

    def __init__(self, wanted: Weighted) -> None:
        self._wanted = wanted
        self._given = [0] * len(wanted.things)

    def next(self, files: int) -> str:
        """Return the thing that ``files`` more of bring the shares nearest to what is wanted (least chi-square)."""
        total = sum(self._given) + files

        def growth(position: int) -> float:
            weight = self._wanted.weights[position]
            return (files + 2 * (self._given[position] - weight * total)) / weight

        chosen = min(range(len(self._given)), key=growth)
        self._given[chosen] += files
        return str(self._wanted.things[chosen])
