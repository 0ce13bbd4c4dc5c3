"""Rules that look at one row at a time: what is wrong with it, as boolean columns.

Scope: the rule that counts rows by condition. The conditions are in ``shape.py`` and ``values.py``.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.quality.findings import Findings, UidSample, report
from dicom_pipeline.quality.rows import StagedRows

Condition: TypeAlias = Callable[[StagedRows], pa.BooleanArray | None]
"""Which rows are wrong, NULL counting as not wrong; None, which may be found out more cheaply, if no row is."""


class RowConditions:
    """Counts the rows that meet each condition, and samples their series.

    Series, because the tables hold their hash: whoever reads the finding can look the rows up.
    """

    def __init__(self, check: str, conditions: Mapping[str, Condition]) -> None:
        self._check = check
        self._conditions = conditions
        self._rows = 0
        self._offending = 0
        self._counts: Counter[str] = Counter()
        self._sample = UidSample()

    def observe(self, rows: StagedRows) -> None:
        """Look at the next rows."""
        any_of_them: pa.BooleanArray | None = None
        for name, condition in self._conditions.items():
            found = condition(rows)
            if found is not None and found.true_count:
                wrong = pc.fill_null(found, False)
                self._counts[name] += wrong.true_count
                any_of_them = wrong if any_of_them is None else pc.or_(any_of_them, wrong)
        self._rows += rows.count
        if any_of_them is not None:
            self._offending += any_of_them.true_count
            self._sample.add(rows.column("series_uid").filter(any_of_them))

    def findings(self) -> list[Findings]:
        """Report the number of rows, of offending rows, and by each condition that was met."""
        met = {name: count for name, count in self._counts.items() if count}
        return [report(self._check, self._offending, {"rows": self._rows, **met}, self._sample)]
