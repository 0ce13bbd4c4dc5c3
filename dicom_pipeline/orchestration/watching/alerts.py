"""The sensor of an archive that tells of failed runs.

Scope: which runs, and what is known of them in numbers. What is said, and how it is sent, is in ``notify.py``.
"""

import logging
import os

import dagster as dg

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.failures import DATES, DATES_FAILED
from dicom_pipeline.orchestration.watching.notify import WEBHOOK_VARIABLE, FailedRun, send, webhook_url
from dicom_pipeline.settings import Archive

_FAILURES_SECONDS = 30


def failure_sensor(archive: Archive) -> dg.SensorDefinition:
    """Return the sensor that tells the webhook of failed runs of the archive; it runs where a webhook is given."""
    runs = dg.DefaultSensorStatus.RUNNING if os.environ.get(WEBHOOK_VARIABLE) else dg.DefaultSensorStatus.STOPPED

    @dg.run_failure_sensor(
        name=f"failures_{archive.key_name}",
        description=f"Tells the webhook of {WEBHOOK_VARIABLE} about failed runs of {archive.tenant}: ids and counts.",
        minimum_interval_seconds=_FAILURES_SECONDS,
        default_status=runs,
    )
    def tell_failures(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        run = context.dagster_run
        if not _concerns(archive, run):
            return dg.SkipReason("a run of another archive")
        try:
            url = webhook_url(os.environ)
        except ConfigurationError as error:
            context.log.error("%s", error)
            return dg.SkipReason("the webhook's URL cannot be used")
        if url is None:
            return dg.SkipReason(f"{WEBHOOK_VARIABLE} is not set")
        delivery = send(url, _failed_run(archive, context))
        context.log.log(logging.INFO if delivery.good else logging.ERROR, "run %s: %s", run.run_id, delivery.told)
        return None

    return tell_failures


def _concerns(archive: Archive, run: dg.DagsterRun) -> bool:
    if run.asset_selection or run.asset_check_selection:
        keys = [*(run.asset_selection or ()), *(c.asset_key for c in run.asset_check_selection or ())]
        return any(key.path[0] == archive.tenant for key in keys)
    return run.job_name.partition("_")[2] == archive.key_name


def _failed_run(archive: Archive, context: dg.RunFailureSensorContext) -> FailedRun:
    counts: dict[str, int] = {}
    for event in context.get_step_failure_events():
        data = event.step_failure_data.user_failure_data
        for name, value in (data.metadata if data else {}).items():
            if isinstance(value, dg.IntMetadataValue) and value.value is not None:
                counts[name] = value.value
    run = context.instance.get_run_by_id(context.dagster_run.run_id) or context.dagster_run
    return FailedRun(
        tenant=archive.tenant,
        job=run.job_name,
        run_id=run.run_id,
        dates=counts.get(DATES),
        dates_failed=counts.get(DATES_FAILED),
        will_be_repeated=run.tags.get("dagster/will_retry") == "true",
    )
