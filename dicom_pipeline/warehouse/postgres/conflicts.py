"""Conflicts among all images of a tenant, found where the images are.

Scope: the two queries. Each groups once over the tenant's images, in the server and within its ``work_mem`` (it goes
to disk beyond); what comes back is two numbers and a sample of hashes, never a UID.
"""

import psycopg

from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.quality.conflicts import Conflict
from dicom_pipeline.quality.findings import SAMPLE_SIZE
from dicom_pipeline.warehouse.postgres.ddl import quote_name

_CONFLICTS = """
WITH conflict AS MATERIALIZED (
    SELECT min({shown}) AS shown, count(*) AS images FROM {table} WHERE tenant_id = %(tenant)s
    GROUP BY {thing} HAVING {several}
)
SELECT count(*), coalesce(sum(images), 0)::bigint,
    ARRAY(SELECT DISTINCT shown FROM conflict ORDER BY shown LIMIT %(sample)s)
FROM conflict
"""


def instances_in_several_places(connection: psycopg.Connection, tenant_id: str) -> Conflict:
    """Find SOP instances with several rows: the key makes them differ in date, study or series."""
    return _conflict(connection, tenant_id, thing="sop_uid", shown="series_uid_hash", several="count(*) > 1")


def studies_of_several_patients(connection: psycopg.Connection, tenant_id: str) -> Conflict:
    """Find studies whose images have different Patient IDs, compared byte by byte."""
    lowest, highest = (f'{aggregate}(patient_id COLLATE "C")' for aggregate in ("min", "max"))
    return _conflict(connection, tenant_id, thing="study_uid", shown="study_uid_hash", several=f"{lowest} <> {highest}")


def _conflict(connection: psycopg.Connection, tenant_id: str, *, thing: str, shown: str, several: str) -> Conflict:
    query = _CONFLICTS.format(table=quote_name(IMAGE.name), thing=thing, shown=shown, several=several)
    found = connection.execute(query.encode(), {"tenant": tenant_id, "sample": SAMPLE_SIZE}).fetchone()
    offending, images, hashes = found or (0, 0, [])
    return Conflict(offending, images, tuple(hashes))
