"""How errors become failures that Dagster may store.

Scope: the one translation from exceptions to ``dg.Failure``. Dagster keeps the text, the cause and the stack of what an
operation raises; the text of a library's exception may carry a patient's data, so that only its type and place are
told, and the cause is cut off.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dicom_pipeline.errors import PipelineError, place_of


def told(error: Exception) -> str:
    """Return what may be said of an error: our own text, or type and place of anybody else's."""
    if isinstance(error, PipelineError):
        return str(error)
    return f"unexpected {type(error).__name__} in {place_of(error)}; run `dicom-pipeline doctor`"


@contextmanager
def told_without_values() -> Iterator[None]:
    """Turn any error inside into a ``dg.Failure`` that holds no value of a file; only passing ones may be retried."""
    try:
        yield
    except Exception as error:
        transient = isinstance(error, PipelineError) and error.transient
        raise dg.Failure(told(error), allow_retries=transient) from None
