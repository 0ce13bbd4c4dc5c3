"""Rules that look at one row at a time: what is wrong with it, as boolean columns.

Scope: the rule that counts rows by condition. The conditions are in ``shape.py`` and ``values.py``.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.quality.findings import Findings, UidSample, report

Condition: TypeAlias = Callable[[pa.RecordBatch], pa.BooleanArray]
"""Which rows of a batch are wrong; NULL counts as not wrong."""


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

    def observe(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows, which follow ``metadata_schema()``."""
        any_of_them = pa.repeat(False, batch.num_rows)
        for name, condition in self._conditions.items():
            wrong = pc.fill_null(condition(batch), False)
            self._counts[name] += wrong.true_count
            any_of_them = pc.or_(any_of_them, wrong)
        self._rows += batch.num_rows
        self._offending += any_of_them.true_count
        self._sample.add(batch.column("series_uid").filter(any_of_them))

    def findings(self) -> Findings:
        """Report the number of rows, of offending rows, and by each condition that was met."""
        met = {name: count for name, count in self._counts.items() if count}
        return report(self._check, self._offending, {"rows": self._rows, **met}, self._sample)
