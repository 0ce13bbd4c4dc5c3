"""What the UI's archives hold, and what of it was loaded before the UI was opened."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from dicom_pipeline_tests.warehouse.conftest import Database

LOADED_UNTIL = "2016-12-31"
"""Later dates of the sample are left for the UI to load."""

RECENT_DAYS = [dt.datetime.now(dt.UTC).date() - dt.timedelta(days=ago) for ago in range(20, 0, -1)]
"""Days of the archive ``recent``: plots over dates show the last 120 only."""


@dataclass(frozen=True)
class Loaded:
    """A home with loaded archives, and the database behind it."""

    home: Path
    database: Database

    def dates(self, tenant: str) -> int:
        """How many of a tenant's dates are loaded by now."""
        query = "select count(distinct partition_date) from dicom_load where tenant_id = %s"
        return int(self.database.query(query, (tenant,))[0][0])
