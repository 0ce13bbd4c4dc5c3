"""The rows of ``dicom_state_meta``: one for each series of a date, found while its images pass by.

Scope: which image stands for its series, and how many it has. Of each batch only the images that may stand for a series
are kept, since the one that does may be the last one read; of the others their number.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicom_pipeline.dicom.fields import STATE
from dicom_pipeline.tables.contents import INSTANCES, SERIES_KEY
from dicom_pipeline.tables.digest import Words, text_words
from dicom_pipeline.tables.flat import is_flat, raw_values
from dicom_pipeline.tables.schemas import table_schema

_ORDER = ("instance_number", "sop_uid")
_NEEDED = list(dict.fromkeys([*(field.name for field in STATE.fields), *_ORDER]))
_NO_NUMBER = 1 << 40
_COMPACT_AT_LEAST = 1 << 16


class SeriesRows:
    """Finds the row of each series.

    A series is represented by its file with the lowest instance number (files without one last), then the lowest SOP
    Instance UID, whatever the order of the files. ``series_related_instances`` is the number of its distinct SOP
    Instance UIDs.
    """

    def __init__(self) -> None:
        self._candidates: list[pa.Table] = []
        self._compact_at = _COMPACT_AT_LEAST
        self._runs: list[pa.Table] = []
        self._lengths: list[npt.NDArray[np.int64]] = []
        self._instances: list[Words] = []

    def add(self, accepted: pa.RecordBatch) -> None:
        """Look at the next accepted rows of ``metadata_schema()``."""
        if not accepted.num_rows:
            return
        starts = _run_starts(accepted)
        lengths = np.diff(starts, append=accepted.num_rows)
        rows = pa.Table.from_batches([accepted.select(_NEEDED)])
        self._candidates.append(rows.take(pa.array(_lowest(accepted.column("instance_number"), starts, lengths))))
        self._runs.append(rows.select(SERIES_KEY).take(pa.array(starts)))
        self._lengths.append(lengths)
        self._instances.append(text_words(accepted.column("sop_uid")))
        if sum(part.num_rows for part in self._candidates) > self._compact_at:
            self._candidates = [_first_of_each_series(pa.concat_tables(self._candidates))]
            self._compact_at = max(_COMPACT_AT_LEAST, 2 * self._candidates[0].num_rows)

    def table(self) -> pa.Table:
        """Return the rows, by study and series UID."""
        schema = table_schema(STATE)
        if not self._candidates:
            return schema.empty_table()
        best = _first_of_each_series(pa.concat_tables(self._candidates))
        counts = {INSTANCES: pa.array(self._counts(best), schema.field(INSTANCES).type)}
        return pa.Table.from_arrays([counts.get(name, best.column(name)) for name in schema.names], schema=schema)

    def _counts(self, best: pa.Table) -> npt.NDArray[np.int64]:
        """Return the number of different instances of each series of ``best``."""
        numbered = best.select(SERIES_KEY).append_column("series", pa.array(np.arange(best.num_rows)))
        runs = pa.concat_tables(self._runs)
        runs = runs.append_column("run", pa.array(np.arange(runs.num_rows)))
        series = runs.join(numbered, list(SERIES_KEY), use_threads=False).sort_by("run").column("series").to_numpy()
        owners, words = np.repeat(series, np.concatenate(self._lengths)), np.concatenate(self._instances)
        if len(np.unique(words)) < len(words):
            # A date that passes its checks has no instance twice.
            owners = np.unique(np.stack([owners.astype(np.uint64), words], axis=1), axis=0)[:, 0].astype(np.int64)
        return np.bincount(owners, minlength=best.num_rows)


def _run_starts(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Return the first rows of runs of one series."""
    starts = np.zeros(batch.num_rows, bool)
    starts[0] = True
    for name in SERIES_KEY:
        if not is_flat(batch.column(name)):
            places = batch.column(name).dictionary_encode().indices.to_numpy()
            starts[1:] |= places[1:] != places[:-1]
    return np.flatnonzero(starts)


def _lowest(
    numbers: pa.Int32Array, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the rows that have the lowest instance number of their run."""
    ranks = raw_values(numbers).astype(np.int64)
    if numbers.null_count:
        ranks[numbers.is_null().to_numpy(zero_copy_only=False)] = _NO_NUMBER
    return np.flatnonzero(ranks == np.repeat(np.minimum.reduceat(ranks, starts), lengths))


def _first_of_each_series(table: pa.Table) -> pa.Table:
    """Return the row of each series that stands for it, sorted by series."""
    import pyarrow.compute as pc

    keys = table.select([*SERIES_KEY, *_ORDER])
    order = pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names])  # NULLs come last
    positions = keys.select(SERIES_KEY).take(order).append_column("position", order)
    firsts = positions.group_by(list(SERIES_KEY), use_threads=False).aggregate([("position", "first")])
    # Groups come in no order at all, also with one thread.
    firsts = firsts.sort_by([(name, "ascending") for name in SERIES_KEY])
    return table.take(firsts.column("position_first"))
