"""Conflicts among the images of a tenant, found where the images are.

Scope: the queries. Over all dates each groups once over the tenant's images, in the server and within its ``work_mem``
(it goes to disk beyond). For one date they ask only for what else there is of its instances and studies, by the indexes
of ``ddl.INDEXES``, so that the answer costs the same however many dates there are. What comes back is two numbers and a
sample of hashes, never a UID.

The instances of one date are looked up one by one in its own month only, which is one partition. The UIDs of a series
mostly lie close together, so in all other months their span is looked up first, once a series, and only instances of
series whose span meets something are looked up there. UIDs made at random meet everywhere: then it takes longer.
"""

import datetime as dt
from calendar import monthrange

import psycopg

from dicom_pipeline.dicom.fields import IMAGE, STATE
from dicom_pipeline.quality.conflicts import Conflict
from dicom_pipeline.quality.findings import SAMPLE_SIZE
from dicom_pipeline.warehouse.ddl import quote_name

_COUNTED = """
SELECT count(*), coalesce(sum(images), 0)::bigint,
    ARRAY(SELECT DISTINCT shown FROM conflict ORDER BY shown LIMIT %(sample)s)
FROM conflict
"""
_ALL = """
WITH conflict AS MATERIALIZED (
    SELECT min({shown}) AS shown, count(*) AS images FROM {image} WHERE tenant_id = %(tenant)s
    GROUP BY {thing} HAVING {several}
)
"""
_INSTANCES = """
WITH series AS MATERIALIZED (
    SELECT study_uid, series_uid, min(sop_uid) AS lowest, max(sop_uid) AS highest FROM {image}
    WHERE tenant_id = %(tenant)s AND study_date = %(date)s GROUP BY study_uid, series_uid
), met AS MATERIALIZED (
    SELECT study_uid, series_uid FROM series CROSS JOIN LATERAL (
        SELECT FROM {image} o WHERE o.sop_uid BETWEEN lowest AND highest AND o.tenant_id = %(tenant)s
        AND (o.study_date < %(first)s OR o.study_date > %(last)s) LIMIT 1
    ) AS other
), far AS MATERIALIZED (
    SELECT DISTINCT i.sop_uid FROM met JOIN {image} i USING (study_uid, series_uid)
    WHERE i.tenant_id = %(tenant)s AND i.study_date = %(date)s
), own AS MATERIALIZED (
    SELECT sop_uid, min(series_uid_hash) AS shown, count(*) AS images FROM {image}
    WHERE tenant_id = %(tenant)s AND study_date = %(date)s GROUP BY sop_uid
), others AS MATERIALIZED (
    SELECT sop_uid, other FROM own CROSS JOIN LATERAL (
        SELECT o.series_uid_hash AS other FROM {image} o WHERE o.sop_uid = own.sop_uid AND o.tenant_id = %(tenant)s
        AND o.study_date <> %(date)s AND o.study_date BETWEEN %(first)s AND %(last)s OFFSET 0
    ) AS near
    UNION ALL SELECT sop_uid, other FROM far CROSS JOIN LATERAL (
        SELECT o.series_uid_hash AS other FROM {image} o WHERE o.sop_uid = far.sop_uid AND o.tenant_id = %(tenant)s
        AND (o.study_date < %(first)s OR o.study_date > %(last)s) OFFSET 0
    ) AS away
), place AS MATERIALIZED (
    SELECT sop_uid, other AS shown, 1 AS images FROM others
    UNION ALL SELECT sop_uid, shown, images FROM own
    WHERE images > 1 OR sop_uid IN (SELECT sop_uid FROM others)
), conflict AS MATERIALIZED (
    SELECT min(shown) AS shown, sum(images) AS images FROM place GROUP BY sop_uid
)
"""
_STUDIES = """
WITH study AS MATERIALIZED (
    SELECT DISTINCT study_uid FROM {state} WHERE tenant_id = %(tenant)s AND study_date = %(date)s
), place AS MATERIALIZED (
    SELECT study_uid, dates.study_date FROM study CROSS JOIN LATERAL (
        SELECT DISTINCT s.study_date FROM {state} s WHERE s.study_uid = study.study_uid AND s.tenant_id = %(tenant)s
    ) AS dates
), found AS MATERIALIZED (
    SELECT place.study_uid, patients.* FROM place CROSS JOIN LATERAL (
        SELECT min(study_uid_hash) AS shown, count(*) AS images,
            min(patient_id COLLATE "C") AS lowest, max(patient_id COLLATE "C") AS highest
        FROM {image} o WHERE o.tenant_id = %(tenant)s AND o.study_date = place.study_date
        AND o.study_uid = place.study_uid
    ) AS patients
), conflict AS MATERIALIZED (
    SELECT min(shown) AS shown, sum(images) AS images FROM found
    GROUP BY study_uid HAVING min(lowest) <> max(highest)
)
"""
_SEVERAL_PATIENTS = 'min(patient_id COLLATE "C") <> max(patient_id COLLATE "C")'


def instances_in_several_places(connection: psycopg.Connection, tenant_id: str, date: dt.date | None) -> Conflict:
    """Find SOP instances with several rows: the key makes them differ in date, study or series."""
    if date is not None:
        return _conflict(connection, _INSTANCES, tenant_id, date)
    query = _ALL.replace("{thing}", "sop_uid").replace("{shown}", "series_uid_hash")
    return _conflict(connection, query.replace("{several}", "count(*) > 1"), tenant_id)


def studies_of_several_patients(connection: psycopg.Connection, tenant_id: str, date: dt.date | None) -> Conflict:
    """Find studies whose images have different Patient IDs, compared byte by byte."""
    if date is not None:
        return _conflict(connection, _STUDIES, tenant_id, date)
    query = _ALL.replace("{thing}", "study_uid").replace("{shown}", "study_uid_hash")
    return _conflict(connection, query.replace("{several}", _SEVERAL_PATIENTS), tenant_id)


def _conflict(connection: psycopg.Connection, query: str, tenant_id: str, date: dt.date | None = None) -> Conflict:
    statement = (query + _COUNTED).format(image=quote_name(IMAGE.name), state=quote_name(STATE.name))
    parameters: dict[str, object] = {"tenant": tenant_id, "sample": SAMPLE_SIZE}
    if date is not None:
        first = date.replace(day=1)
        parameters |= {"date": date, "first": first, "last": date.replace(day=monthrange(date.year, date.month)[1])}
    offending, images, hashes = connection.execute(statement.encode(), parameters).fetchone() or (0, 0, [])
    return Conflict(offending, images, tuple(hashes))
