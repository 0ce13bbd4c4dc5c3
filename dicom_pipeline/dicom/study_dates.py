"""The study date of one file, for archives whose directories do not tell it.

Scope: asks a header for StudyDate and nothing else; what becomes of the file is decided when it is extracted.
"""

import datetime as dt

from dicom_pipeline.archive.entries import ArchiveStore, FileEntry
from dicom_pipeline.archive.problems import problem_of
from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.dicom.header import Header, HeaderError, HeaderReader
from dicom_pipeline.dicom.values import get_text, parse_date

_STUDY_DATE = IMAGE.field("study_date").tag


def study_date_of_file(store: ArchiveStore, entry: FileEntry, reader: HeaderReader) -> dt.date | str | None:
    """Return the date; None if the file has no usable one; or the code of the problem that kept it from being read."""
    try:
        with store.open(entry.path) as stream:
            return study_date_of(reader.read(stream, entry.size or 0))
    except HeaderError:
        return None
    except OSError as error:
        return problem_of(error)


def study_date_of(header: Header) -> dt.date | None:
    """Return StudyDate if it is eight digits and a calendar date (PS3.5 6.2, DA), else None."""
    element = header.elements.get(_STUDY_DATE) if _STUDY_DATE is not None else None
    if element is None:
        return None
    text = get_text(element, (), little_endian=header.little_endian)
    return parse_date(text) if text else None
