"""How errors become failures that Dagster may store, and which of them are tried again.

Scope: the one translation from exceptions to what Dagster is told. Dagster keeps the text, the cause and the stack of
what an operation raises; the text of a library's exception may carry a patient's data, so that only its type and place
are told, and the cause is cut off.

Dagster repeats what failed in three layers. The step: a passing failure asks for it itself, a few times with growing
pauses; nothing else is repeated there, also not an interrupt, which a retry policy would take for a failure. The run
(``run_retries`` of an instance): a run that failed for good says in a tag that it is not to be repeated. Whoever
requests runs (``sensors.py``): asks once for each state of a date's files.
"""

import errno
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import dagster as dg

from dicom_pipeline.errors import PipelineError, place_of

RETRY_RUN_TAG = "dagster/retry_on_asset_or_op_failure"
"""Dagster's tag that says whether a run with a failed step may be repeated by the daemon."""

ONCE_TAG = "dicom_pipeline/once"
"""Our tag of a run whose steps have one attempt: what passes was waited for by a run before it, in vain."""

DATES, DATES_FAILED = "dates", "dates_failed"
"""Names of the counts that a failure of dates carries."""

PAUSES = (5.0, 20.0, 80.0)
"""Seconds before each further attempt of a step, give or take a fifth."""

_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})

StepContext: TypeAlias = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


def told(error: Exception) -> str:
    """Return what may be said of an error: our own text, or type and place of anybody else's."""
    if isinstance(error, PipelineError):
        return str(error)
    return f"unexpected {type(error).__name__} in {place_of(error)}; run `dicom-pipeline doctor`"


def is_transient(error: Exception) -> bool:
    """Tell whether the same may succeed later without anybody's help: a lost connection, a lock, a shortage."""
    if isinstance(error, PipelineError):
        return error.transient
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SHORTAGES)


@contextmanager
def told_without_values(context: StepContext) -> Iterator[None]:
    """Turn any error inside into a failure that holds no value of a file; only passing ones are tried again."""
    try:
        yield
    except Exception as error:
        text, transient = told(error), is_transient(error)
    else:
        return
    fail(context, text, transient=transient)


def fail(context: StepContext, text: str, *, transient: bool, counts: Mapping[str, int] | None = None) -> None:
    """End the step: for good, or until the next attempt if the reason passes and there is one left.

    Args:
        context: Of the step.
        text: What is told.
        transient: Whether the reason may pass by itself.
        counts: Numbers for whoever tells others of the failure.

    Raises:
        dg.Failure: For good.
        dg.RetryRequested: Dagster is to start the step again.
    """
    step = context.op_execution_context
    if transient and may_be_tried_again(context):
        pause = PAUSES[step.retry_number] * random.uniform(0.8, 1.2)
        raise dg.RetryRequested(max_retries=len(PAUSES), seconds_to_wait=pause) from dg.Failure(text)
    if not transient:
        # On record before Dagster decides about the run.
        step.instance.add_run_tags(step.run.run_id, {RETRY_RUN_TAG: "false"})
    raise dg.Failure(text, metadata=dict(counts or {}), allow_retries=False) from None


def may_be_tried_again(context: StepContext) -> bool:
    """Tell whether the step has an attempt left."""
    step = context.op_execution_context
    return step.retry_number < len(PAUSES) and ONCE_TAG not in step.run.tags
