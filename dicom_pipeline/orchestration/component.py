"""An archive as a Dagster component: ``type: dicom_pipeline.DicomArchive`` in a ``defs.yaml``.

Scope: from the attributes of a ``defs.yaml`` to the one assembly in ``definitions.py``. What concerns all archives
(home, warehouses, staging) comes from where it always does: the environment and ``dicom_pipeline.yaml``.
"""

from typing import Any

import dagster as dg
from pydantic import ValidationError

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.definitions import archive_definitions, shared_definitions, shared_resources
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.settings.file import SettingsFile
from dicom_pipeline.settings.problems import Sources, told_problems

_shared: dict[str, dict[str, Any]] = {}


class DicomArchive(dg.Component, dg.Model, dg.Resolvable):
    """A DICOM archive, its dates loaded into tables: the settings of an archive as attributes.

    Attributes are those of an archive in ``dicom_pipeline.yaml``, with the same meaning and the same defaults.
    """

    root: str
    tenant: str = "default"
    layout: str | None = None
    date_format: str | None = None
    start_date: str | None = None
    on_invalid_value: str | None = "reject"
    timezone: str | None = None
    schedule: str | int | None = None
    watch: bool | None = None
    watch_minutes: int | None = None
    quiet_minutes: int | None = None
    reject_limit: float | None = None
    partitions_per_run: int | None = None
    warehouse: str | None = None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the archive, and those that all archives share."""
        del context
        settings = Settings.load()
        archive = self._archive(settings)
        return dg.Definitions.merge(
            archive_definitions(archive, settings), shared_definitions(_resources_of_all(settings))
        )

    def _archive(self, settings: Settings) -> Archive:
        given = {name: getattr(self, name) for name in type(self).model_fields}
        # Dagster's YAML takes 13:30 for so many minutes, and a plain null for nothing.
        if isinstance(self.schedule, int):
            given["schedule"] = f"{self.schedule // 60}:{self.schedule % 60:02d}"
        given["on_invalid_value"] = self.on_invalid_value or "null"
        values = {"archives": [{name: value for name, value in given.items() if value is not None}]}
        try:
            checked = Settings.model_validate({**values, "warehouses": settings.warehouses})
        except ValidationError as error:
            sources = Sources(SettingsFile(f"the component of tenant {self.tenant!r}"), hidden=frozenset())
            problems = told_problems(error, {"": Settings, "archives": Archive}, sources)
        else:
            together = settings.with_archive(checked.archives[0])
            return next(a for a in together.all_archives if a.tenant == self.tenant)
        raise ConfigurationError("; ".join(problems))


def _resources_of_all(settings: Settings) -> dict[str, Any]:
    """Return the same objects to every component: Dagster merges resources of one key only if they are one."""
    key = settings.model_dump_json(exclude={"archives", "remembered"})
    return _shared.setdefault(key, shared_resources(settings))
