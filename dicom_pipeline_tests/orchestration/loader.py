"""A load as a test drives it: one archive, one database, one home, and what the tables hold."""

import datetime as dt
from pathlib import Path

import psycopg

from dicom_pipeline.orchestration.loading.dates import DateOutcome
from dicom_pipeline.orchestration.loading.load import load_archive
from dicom_pipeline.orchestration.loading.report import LoadReport
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline_tests.orchestration.small_archive import SmallArchive

TABLES = ("dicom_image_meta", "dicom_state_meta", "dicom_reject")


class Silent:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.outcomes: list[DateOutcome] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, dates: int) -> None:
        pass

    def done(self, outcome: DateOutcome) -> None:
        self.outcomes.append(outcome)


class Loader:
    """Loads one archive into one database from one home."""

    def __init__(self, tmp_path: Path, url: str) -> None:
        self.archive = SmallArchive(tmp_path / "archive")
        self.archive.root.mkdir()
        self.url = url
        self.settings = Settings(home=tmp_path / "home", warehouse=url, workers=1)
        self.progress = Silent()

    def __call__(self, first: dt.date | None = None, last: dt.date | None = None, **archive: object) -> LoadReport:
        described = Archive.model_validate({"root": str(self.archive.root), **archive})
        return load_archive(self.settings, described, first, last, self.progress)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def physical(self) -> dict[str, list[tuple[object, ...]]]:
        return {
            t: self.rows(f"select tableoid::text, ctid::text, xmin::text, t from {t} t order by 1, 2") for t in TABLES
        }

    def content(self) -> dict[str, list[tuple[object, ...]]]:
        drop = "- 'created_time' - 'updated_time' - 'run_id'"
        return {t: self.rows(f"select (to_jsonb(t) {drop})::text from {t} t order by 1") for t in TABLES}

    def empty(self) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(f"truncate {', '.join(TABLES)}")
