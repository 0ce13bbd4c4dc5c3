"""pydicom, as people write it.

Scope: a loop of ``dcmread`` up to the pixels and ``getattr`` of what is wanted, with and without ``specific_tags``.
"""

import logging
import warnings
from dataclasses import dataclass

from benchmarks.extraction.peers.base import Listed, Prepared, Row, of_paths
from benchmarks.extraction.wanted import KEYWORDS


@dataclass(frozen=True, slots=True)
class Pydicom:
    """A plain loop; with ``only_wanted``, pydicom is told which attributes will be asked for."""

    only_wanted: bool = False
    slow: bool = True

    @property
    def does(self) -> str:
        """See ``Peer``."""
        return f"dcmread(stop_before_pixels=True{', specific_tags=…' * self.only_wanted}), getattr; tuples"

    def prepare(self) -> Prepared:
        """See ``Peer``."""
        from pydicom import dcmread

        warnings.simplefilter("ignore")
        logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
        tags = [*KEYWORDS] if self.only_wanted else None

        def read_one(path: str) -> Row | None:
            try:
                dataset = dcmread(path, stop_before_pixels=True, specific_tags=tags)
                values = [getattr(dataset, keyword, None) for keyword in KEYWORDS]
                return (*values[:_SYNTAX], dataset.file_meta.TransferSyntaxUID, *values[_SYNTAX + 1 :])
            except Exception:  # whatever a broken file provokes: the loop goes on
                return None

        return of_paths(lambda paths: Listed([read_one(path) for path in paths]))


_SYNTAX = KEYWORDS.index("TransferSyntaxUID")
