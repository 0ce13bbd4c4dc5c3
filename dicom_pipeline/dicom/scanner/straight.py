"""The straight way over an ordinary file, in pure Python: the same walk as the compiled one, element by element.

Scope: one file at a time, through a window on its bytes. A walk ends at the pixel data or the end of the data set, or in
``Doubt``: there ``walker.py`` would have to think. ``pure.py`` uses it for what it cannot do for many files at once.
"""

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from dicom_pipeline.dicom.element_header import (
    ITEM,
    ITEM_DELIMITER,
    ITEM_GROUP,
    LONG_HEADER_BYTES,
    SEQUENCE_DELIMITER,
    SHORT_HEADER_BYTES,
    UNDEFINED_LENGTH,
)
from dicom_pipeline.dicom.forks import PIXEL_DATA_TAGS
from dicom_pipeline.dicom.scanner.grammar import Layout, grammar
