"""The attempts of a run at its dates: which are still to be tried, and which have failed for good.

Scope: what one attempt leaves to the next. Dates that are loaded are not gone through again; a date that failed for a
reason that stays is not tried again. Memory of the run's process: an attempt in another process begins anew, which
costs time and changes nothing.
"""

from dataclasses import dataclass, field

import dagster as dg

from dicom_pipeline.errors import PipelineError
from dicom_pipeline.orchestration.failures import DATES, DATES_FAILED, fail, may_be_tried_again
from dicom_pipeline.orchestration.loading.dates import DateOutcome

GIVES_UP_AFTER = 3
"""So many passing failures in a row, and the rest of the dates waits for the next attempt."""


class WaitsForOthers(PipelineError):
    """A date was not tried, because those before it failed for a reason that passes and concerns all."""

    transient = True


@dataclass(slots=True)
class Attempt:
    """One attempt at the dates of a run.

    Attributes:
        total: How many dates the run has.
        keys: The dates to try, in order.
        last: Whether no other attempt follows.
        failed: Dates that failed for good.
        left: Dates for the next attempt.
        reason: What was said of the latest passing failure.
    """

    total: int
    keys: list[str]
    last: bool
    failed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    reason: str = ""
    _in_a_row: int = 0

    def refuse_if_hopeless(self) -> None:
        """Have the rest of the dates wait, if one after another fails for what passes.

        Raises:
            WaitsForOthers: Going on makes no sense now.
        """
        if self._in_a_row >= GIVES_UP_AFTER:
            raise WaitsForOthers(self.reason)

    def note(self, key: str, outcome: DateOutcome) -> bool:
        """Take down what became of a date; return whether that is the last word about it."""
        passing = outcome.error is not None and outcome.transient
        self._in_a_row = self._in_a_row + 1 if passing else 0
        if outcome.error is None:
            return True
        if not passing:
            self.failed.append(key)
            return True
        self.left.append(key)
        self.reason = outcome.error
        return self.last

    def end(self, context: dg.AssetExecutionContext) -> None:
        """End the step as the dates have fared; nothing happens if all are well.

        Raises:
            dg.Failure: Dates failed for good.
            dg.RetryRequested: Some are to be tried again.
        """
        bad = sorted([*self.failed, *self.left])
        if self.left and not self.last:
            fail(
                context, f"{len(self.left)} of {self.total} dates are to be tried again: {self.reason}", transient=True
            )
        if bad:
            text = f"{len(bad)} of {self.total} dates failed: {', '.join(bad)}"
            # A run with a date that must not be repeated is not repeated, whatever else failed in it.
            fail(context, text, transient=not self.failed, counts={DATES: self.total, DATES_FAILED: len(bad)})


class Attempts:
    """What the attempts of the runs in this process have left to do."""

    def __init__(self) -> None:
        self._latest: dict[str, Attempt] = {}

    def begin(self, context: dg.AssetExecutionContext) -> Attempt:
        """Return the next attempt of the context's run."""
        step = context.op_execution_context
        before = self._latest.get(step.run.run_id) if step.retry_number else None
        keys = list(context.partition_keys)
        attempt = Attempt(len(keys), before.left if before else keys, last=not may_be_tried_again(context))
        if before:
            attempt.failed = before.failed
        # Of other runs nothing is needed any more: a process has one at a time.
        self._latest = {step.run.run_id: attempt}
        return attempt
